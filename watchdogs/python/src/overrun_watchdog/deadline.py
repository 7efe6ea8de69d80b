"""When a request's time is up: at a fixed moment, or when a server's heartbeat is too old. All in seconds of `time.monotonic`."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


NEVER = float("inf")


class Fixed:
    """A budget that begins with the request."""

    __slots__ = ("begin", "end")

    moves = False

    def __init__(self, begin: float, budget_s: float) -> None:
        self.begin = begin
        self.end = begin + budget_s

    def window(self) -> tuple[float, float]:
        """Since when the limit counts, and when it strikes."""
        return self.begin, self.end


class Heartbeat:
    """A limit on silence: the server looks at when the worker last said that it lives, whatever the age of its requests."""

    __slots__ = ("_last", "limit_s")

    moves = True

    def __init__(self, last: Callable[[], float], limit_s: float) -> None:
        self._last, self.limit_s = last, limit_s

    def window(self) -> tuple[float, float]:
        """Since when the limit counts, and when it strikes."""
        try:
            last = self._last()
        except (OSError, ValueError):
            # The worker is leaving, and has closed the file that it said so through.
            return time.monotonic(), NEVER
        # gunicorn before 21 stamps with the wall clock, later versions with the monotonic one.
        wall, now = time.time(), time.monotonic()
        if abs(wall - last) < abs(now - last):
            last += now - wall
        return last, last + self.limit_s
