"""ASGI middleware. Watches HTTP requests; lifespans and web sockets have no limit on their length."""

from __future__ import annotations

from .watching import watching
from .wsgi import trace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Optional, Union

    from .deadline import Fixed, Heartbeat

    Scope = dict[str, Any]
    App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]

REQUEST_ID_HEADERS = (b"x-request-id", b"x-call-id", b"x-correlation-id")
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

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope.get("type") != "http":
            await self._app(scope, receive, send)
            return
        facts, request_id = self._told(scope)
        with watching(self._limit_ms, request_id=request_id, facts=facts, deadline=self._deadline) as watched:
            await watched.awaited(self._app, (scope, receive, send), {})

    def _told(self, scope: Scope) -> tuple[dict[str, Any], Optional[str]]:
        facts = dict(self._facts)
        facts["method"] = scope.get("method", "GET")
        query = scope.get("query_string", b"").decode("latin-1")
        path = scope.get("root_path", "") + scope.get("path", "")
        facts["path"] = (f"{path}?{query}" if query else path)[:2048]
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        trace = headers.get(b"traceparent")
        if trace:
            facts.update(trace_of(trace))
        return facts, next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), None)
