"""One request that is being watched."""

from __future__ import annotations

import time
from _thread import get_ident

from .deadline import NEVER, Fixed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from .deadline import Heartbeat
    from .tracepoints import Section

LOOK, NEAR_MISS, FIRED = "look", "near_miss", "fired"
LOOKS = (0.1, 0.25)
"""Shares of the budget at which open calls are noted, so that it is known how long they have been open; nothing is sent."""
SEEN_MAX = 256
LAST_WORD_S_MAX = 0.15
"""How long the watcher is given to speak: on 7 % of a core it needed up to 138 ms (measured with awslambdaric 4.2.2)."""
ABSENT: Any = object()
"""The original event of a request that has none."""


NONE = Fixed(0.0, 0.0)
"""The deadline of a request that has none yet."""


class Watch:
    """A request, what is known about it, and what has been told of it so far."""

    __slots__ = (
        "coroutine",
        "cpu",
        "deadline",
        "ended",
        "facts",
        "greenlet",
        "marker",
        "margin_s",
        "original_event",
        "request_id",
        "sections",
        "seen",
        "share",
        "spoken",
        "stage",
        "started",
        "started_at",
        "thread",
        "told",
    )

    def __init__(
        self,
        request_id: str,
        facts: dict[str, Any],
        margin_s: float,
        share: float,
        original_event: Any = ABSENT,
    ) -> None:
        self.request_id, self.facts, self.original_event = request_id, facts, original_event
        self.margin_s, self.share = margin_s, share
        self.started, self.started_at = time.monotonic(), time.time()
        self.deadline: Union[Fixed, Heartbeat] = NONE
        self.cpu = time.process_time()
        self.thread = get_ident()
        self.marker: Optional[str] = None
        self.coroutine: Any = None
        self.greenlet: Any = None
        self.seen: dict[tuple[int, str], float] = {}
        self.sections: list[Section] = []
        self.stage = 0
        self.told = False
        self.spoken = False
        self.ended = False

    def due(self) -> float:
        """When something is to be done about it next."""
        if self.stage > len(LOOKS) + 1:
            return NEVER
        return self._at(self.stage)

    def _at(self, stage: int) -> float:
        """When a stage is due; none later than the one after it."""
        begin, end = self.deadline.window()
        fires = end - self.margin_s
        if stage > len(LOOKS):
            return fires
        share = self.share if stage == len(LOOKS) else min(LOOKS[stage], self.share)
        return min(begin + (end - begin) * share, fires)

    def take(self, now: float) -> Optional[str]:
        """What is to be done now, if anything; of several things that are due, the last."""
        found = None
        while self.stage <= len(LOOKS) + 1 and self._at(self.stage) <= now:
            if self.stage < len(LOOKS):
                found = LOOK
            elif self.stage == len(LOOKS):
                found = NEAR_MISS if self.share < 1.0 else LOOK
            else:
                found = FIRED
            self.stage += 1
        return found

    def last_word_at(self) -> float:
        """When the watcher has had its chance to speak."""
        return self.deadline.window()[1] - self.margin_s + min(LAST_WORD_S_MAX, self.margin_s / 3)

    def left_s(self, now: float) -> float:
        """What is left by both clocks: one of them stands still while the process is frozen."""
        begin, end = self.deadline.window()
        left = end - now
        if not self.deadline.moves:
            left = min(left, self.started_at + (end - begin) - time.time())
        return left

    def deadline_at(self, now: float) -> float:
        """The deadline in seconds since 1970."""
        return time.time() + self.deadline.window()[1] - now

    def since(self, frame: int, call: str, now: float) -> float:
        """When a call was first seen, in seconds since 1970: it began then at the latest."""
        key = (frame, call)
        if len(self.seen) < SEEN_MAX:
            return self.seen.setdefault(key, now)
        return self.seen.get(key, now)
