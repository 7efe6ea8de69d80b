"""A frame whose name tells which request it serves.

faulthandler writes a stack when nothing else in the process can run, but it knows of no request, and a request
that is fast sends nothing beforehand. So the request is written where that thread looks: the frame through which the
user's code is called bears the request in its name. The watcher finds it there as well, in whichever thread, greenlet or
task runs.

    File ".../overrun_watchdog/marker.py", line 30 in overrun 6f747a63-ce41-11e7-8cfe-3d61dad3d219 1795781082500 1795781085500 -
"""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

PREFIX = "overrun "
"""How the name of such a frame begins; ID, start and deadline in ms since 1970, method and path follow. `-`: not known."""
ID_MAX = 200
"""faulthandler cuts a name after 500 characters."""


def name(request_id: str, started_at: float, deadline_at: Optional[float], operation: str) -> str:
    """The name of the frame of one request."""
    known = len(request_id) <= ID_MAX and request_id.isascii() and request_id.isprintable() and " " not in request_id
    deadline = "-" if deadline_at is None else f"{deadline_at * 1000:.0f}"
    return f"{PREFIX}{request_id if known else '-'} {started_at * 1000:.0f} {deadline} {operation or '-'}"


def _call(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    return function(*arguments, **keywords)


async def _await(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    return await function(*arguments, **keywords)


_GLOBALS: dict[str, Any] = {"__name__": __name__, "__builtins__": __builtins__}


def calling(named: str) -> Callable[..., Any]:
    """`call(function, arguments, keywords)` whose frame bears the name."""
    return FunctionType(_call.__code__.replace(co_name=named), _GLOBALS)


def awaiting(named: str) -> Callable[..., Any]:
    """The same for coroutine functions."""
    return FunctionType(_await.__code__.replace(co_name=named), _GLOBALS)
