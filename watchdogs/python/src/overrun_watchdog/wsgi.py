"""WSGI middleware. A request lasts until its answer has been handed over and closed."""

from __future__ import annotations

from .watching import watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Optional, Union

    from .deadline import Fixed, Heartbeat

    Environ = dict[str, Any]
    App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

REQUEST_ID_HEADERS = ("HTTP_X_REQUEST_ID", "HTTP_X_CALL_ID", "HTTP_X_CORRELATION_ID")
"""Where callers put the request's ID, in order."""


class Middleware:
    """`app = Middleware(app, limit_ms=30_000)`. The limit is that of whoever would end the request."""

    def __init__(
        self,
        app: App,
        limit_ms: float,
        *,
        platform: Optional[str] = None,
        deadline: Optional[Union[Fixed, Heartbeat]] = None,
    ) -> None:
        self._app, self._limit_ms, self._deadline = app, limit_ms, deadline
        self._facts: dict[str, Any] = {"platform": platform, "limit_ms": limit_ms} if platform else {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        facts, request_id = self._told(environ)
        watched = watching(self.budget_ms(), request_id=request_id, facts=facts, deadline=self._deadline)
        watched.__enter__()
        try:
            answer: Iterable[bytes] = watched.call(self._app, (environ, start_response), {})
        except BaseException:
            watched.end(True)
            raise
        wrapper: Any = environ.get("wsgi.file_wrapper")
        if wrapper is not None and type(answer) is wrapper:
            # The server sends the file by itself, and knows it only as it is.
            watched.end(False)
            return answer
        watched.hand_over()
        return _Answer(answer, watched)

    def budget_ms(self) -> float:
        """What a request that begins now has."""
        return self._limit_ms

    def _told(self, environ: Environ) -> tuple[dict[str, Any], Optional[str]]:
        facts = dict(self._facts)
        facts["method"] = environ.get("REQUEST_METHOD", "GET")
        query = environ.get("QUERY_STRING")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        facts["path"] = (f"{path}?{query}" if query else path)[:2048]
        trace = environ.get("HTTP_TRACEPARENT")
        if trace:
            facts.update(trace_of(trace))
        return facts, next((environ[name] for name in REQUEST_ID_HEADERS if environ.get(name)), None)


def trace_of(header: str) -> dict[str, str]:
    """`00-<trace>-<span>-01` → both, if they look like it. The span is the caller's, so it is not told."""
    parts = header.split("-")
    return {"trace_id": parts[1]} if len(parts) >= 4 and len(parts[1]) == 32 else {}


class _Answer:
    """The application's answer; its end is the request's."""

    def __init__(self, answer: Iterable[bytes], watched: watching) -> None:
        self._answer, self._watched = answer, watched

    def __iter__(self) -> Iterator[bytes]:
        iterator = iter(self._answer)
        while True:
            try:
                part = self._watched.call(next, (iterator,), {})
            except StopIteration:
                return
            except BaseException:
                self._watched.end(True)
                raise
            yield part

    def __len__(self) -> int:
        # For servers that name the length of an answer of one part.
        return len(self._answer)  # type: ignore[arg-type]

    def close(self) -> None:
        """The server is done with it."""
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._watched.end(False)
