"""Named sections of the code, to see where the time of a slow request or of a cold start went.

Nothing is sent for them by themselves: they go out with the first event of a request that is running out of time.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Optional


SECTIONS_MAX = 128
"""Of one request, and of the time before the first."""


class Section:
    """A section: when it was entered and left, in seconds since 1970."""

    __slots__ = ("closed_at", "ends_told", "name", "opened_at")

    def __init__(self, name: str) -> None:
        self.name = name[:512]
        self.opened_at = time.time()
        self.closed_at: Optional[float] = None
        self.ends_told = 0


class section:
    """`with section("flask"): …` marks a section; also as a decorator's body or around imports."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> section:
        topen(self._name)
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        tclose(self._name)


def topen(name: str) -> None:
    """Opens a section."""
    from .process import current, watchdog

    sections = watchdog().sections(current())
    if len(sections) < SECTIONS_MAX:
        sections.append(Section(name))


def tclose(name: str) -> None:
    """Closes the section of that name that was opened last; without one, nothing happens."""
    from .process import current, watchdog

    for found in reversed(watchdog().sections(current())):
        if found.name == name[:512] and found.closed_at is None:
            found.closed_at = time.time()
            return
