"""What a process has one of: its watchdog, IDs for requests that nobody has named, and which request the code at hand serves."""

from __future__ import annotations

import os

from .settings import Settings
from .watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any, Optional

    from .watch import Watch


class _Process:
    watchdog: Optional[Watchdog] = None
    serving: Any = None


def watchdog() -> Watchdog:
    """The watchdog of this process."""
    found = _Process.watchdog
    if found is None:
        from atexit import register
        from contextvars import ContextVar

        found = _Process.watchdog = Watchdog(Settings())
        _Process.serving = ContextVar("overrun_watchdog", default=None)
        os.register_at_fork(
            before=found.before_fork, after_in_parent=found.after_fork_in_parent, after_in_child=found.after_fork_in_child
        )
        register(found.finish)
    return found


def current() -> Optional[Watch]:
    """The request that the code at hand serves."""
    found: Optional[Watch] = _Process.serving.get() if _Process.serving is not None else None
    return found


def enter(watch: Watch) -> Token[Optional[Watch]]:
    """From here on the code at hand serves this request."""
    token: Token[Optional[Watch]] = _Process.serving.set(watch)
    return token


def leave(token: Token[Optional[Watch]]) -> None:
    """It does no longer."""
    try:
        _Process.serving.reset(token)
    except ValueError:
        pass  # Left in another context than it was entered, as generators may be.


class _Ids:
    """One random part per process, and a count."""

    def __init__(self) -> None:
        self._pid, self._prefix, self._count = 0, "", 0

    def __call__(self) -> str:
        pid = os.getpid()
        if self._pid != pid:
            self._pid, self._prefix = pid, os.urandom(8).hex()
        self._count += 1
        return f"{self._prefix}-{self._count}"


new_id = _Ids()
