"""The decorator and the context manager."""

from __future__ import annotations

import functools
import sys

from . import aws_lambda, marker, say
from .deadline import Fixed
from .process import enter, leave, new_id, watchdog
from .watch import ABSENT, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType
    from typing import Any, Optional, TypeVar, Union, overload

    from .deadline import Heartbeat

    Function = TypeVar("Function", bound=Callable[..., Any])


HEARTBEAT_SHARE_MIN = 0.75
"""uvicorn's workers say every half of gunicorn's `--timeout` that they live, so an age of half the limit is nothing unusual."""


class watching:
    """`with watching(limit_ms=3000): …` watches what runs inside. Usable once.

    `request_id` is made up where there is none; `facts` are further fields of the events (`function`, `platform`, …).
    """

    def __init__(
        self,
        limit_ms: float = 0.0,
        *,
        request_id: Optional[str] = None,
        deadline: Optional[Union[Fixed, Heartbeat]] = None,
        facts: Optional[dict[str, Any]] = None,
        original_event: Any = ABSENT,
        margin_ms: Optional[float] = None,
    ) -> None:
        self._limit_ms, self._deadline = limit_ms, deadline
        self._request_id, self._facts, self._original_event = request_id, facts, original_event
        self._margin_ms = margin_ms
        self._watch: Optional[Watch] = None
        self._token: Optional[Token[Optional[Watch]]] = None

    def __enter__(self) -> watching:
        try:
            self._begin()
        except Exception as error:
            say.once(f"a request could not be watched: {error!r}")
        return self

    def _begin(self) -> None:
        dog = watchdog()
        settings = dog.settings
        if settings.disabled:
            return
        share, margin = settings.near_miss_share, (self._margin_ms or settings.margin_ms) / 1000
        if self._deadline is not None and self._deadline.moves:
            share = max(share, HEARTBEAT_SHARE_MIN)
        watch = Watch(self._request_id or new_id(), self._facts or {}, margin, share, self._original_event)
        budget: Optional[float] = self._limit_ms / 1000
        if self._deadline is None:
            watch.deadline = Fixed(watch.started, self._limit_ms / 1000)
        else:
            watch.deadline, budget = self._deadline, None
        deadline_at = None if budget is None else watch.started_at + budget
        facts = watch.facts
        operation = f"{facts['method']} {facts['path'].partition('?')[0]}" if "path" in facts else ""
        watch.marker = marker.name(watch.request_id, watch.started_at, deadline_at, operation)
        greenlet = sys.modules.get("greenlet")
        if greenlet is not None and ("gevent" in sys.modules or "eventlet" in sys.modules):
            watch.greenlet = greenlet.getcurrent()
        if dog.begin(watch, budget):
            self._watch = watch
            self._token = enter(watch)

    def call(self, function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """Calls the function through a frame that tells whose it is; to be used inside of the `with`."""
        if self._watch is None or self._watch.marker is None:
            return function(*arguments, **keywords)
        return marker.calling(self._watch.marker)(function, arguments, keywords)

    async def awaited(self, function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """The same for a coroutine function."""
        if self._watch is None or self._watch.marker is None:
            return await function(*arguments, **keywords)
        coroutine = marker.awaiting(self._watch.marker)(function, arguments, keywords)
        self._watch.coroutine = coroutine
        return await coroutine

    def hand_over(self) -> None:
        """Another context goes on with the request: the code that follows here is no longer its."""
        if self._token is not None:
            token, self._token = self._token, None
            leave(token)

    def end(self, failed: bool) -> None:
        """The request has ended. A second call does nothing."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        try:
            self.hand_over()
            watchdog().end(watch, failed)
        except Exception as error:
            say.once(f"the end of a request could not be told: {error!r}")

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.end(kind is not None)


if TYPE_CHECKING:

    @overload
    def watch(function: Function, *, limit_ms: Optional[float] = None, margin_ms: Optional[float] = None) -> Function: ...

    @overload
    def watch(
        function: None = None, *, limit_ms: Optional[float] = None, margin_ms: Optional[float] = None
    ) -> Callable[[Function], Function]: ...


def watch(
    function: Optional[Callable[..., Any]] = None, *, limit_ms: Optional[float] = None, margin_ms: Optional[float] = None
) -> Any:
    """Watches every call of a function: `@watch` for a Lambda handler, `@watch(limit_ms=3000)` for any other.

    A handler is recognised by its second argument, the context, which knows how much time is left.
    """
    if function is None:
        return functools.partial(watch, limit_ms=limit_ms, margin_ms=margin_ms)
    aws_lambda.prepare(watchdog())
    inspect = sys.modules.get("inspect")
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    is_coroutine = bool(flags & 0x80) or (inspect is not None and inspect.iscoroutinefunction(function))
    called = function

    name = getattr(called, "__name__", None)

    def of(arguments: Any) -> watching:
        context = arguments[1] if len(arguments) == 2 and limit_ms is None else None
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is not None:
            left_ms = float(remaining())
            facts = aws_lambda.facts_of(context, left_ms)
            request_id = getattr(context, "aws_request_id", None)
            return watching(left_ms, request_id=request_id, facts=facts, original_event=arguments[0], margin_ms=margin_ms)
        facts = {"function": name} if name and not watchdog().settings.function else {}
        event = arguments[0] if len(arguments) == 1 else ABSENT if not arguments else list(arguments)
        return watching(limit_ms or 0.0, facts=facts, original_event=event, margin_ms=margin_ms)

    if is_coroutine:

        @functools.wraps(called)
        async def awaited(*arguments: Any, **keywords: Any) -> Any:
            with of(arguments) as watched:
                return await watched.awaited(called, arguments, keywords)

        return awaited

    @functools.wraps(called)
    def call(*arguments: Any, **keywords: Any) -> Any:
        with of(arguments) as watched:
            return watched.call(called, arguments, keywords)

    return call
