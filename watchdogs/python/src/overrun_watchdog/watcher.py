"""The watcher: one real thread per process that looks after the requests and tells of them.

It sleeps until the next request has used up a share of its budget; whoever begins one that is due before that rings.
"""

from __future__ import annotations

import time
from collections import deque

from . import original, say
from .deadline import NEVER
from .watch import FIRED, LOOK, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

    from .deadline import Heartbeat
    from .last_words import LastWords
    from .settings import Settings
    from .tracepoints import Section
    from .voice import Voice

    Batch = list[dict[str, Any]]

QUEUE_MAX = 256
"""Messages that wait to be sent; the oldest are dropped."""
SEND_S_MAX, SEND_S_MIN = 1.0, 0.05
OPEN_S = 2.0
OPEN_AGAIN_S = 5.0
"""How long after an attempt to open connections the next one is made."""
BEAT_S_MAX = 1.0
"""How often the last word is planned anew after a heartbeat."""
SLEEP_S_MAX = 3600.0


class Watcher:
    """Looks after the requests of one process. `active` and `boot` are the watchdog's, and change under its hands."""

    def __init__(self, settings: Settings, active: dict[int, Watch], boot: list[Section], words: LastWords) -> None:
        self._settings, self._active, self._boot, self._words = settings, active, boot, words
        lock = original.attribute("_thread", "allocate_lock")
        self._bell = lock()
        self._bell.acquire()
        self.loading = lock()
        """Held while modules are loaded: see `Watchdog.before_fork`."""
        self._known_voice: Optional[Voice] = None
        self._queue: deque[Callable[[], Batch]] = deque(maxlen=QUEUE_MAX)
        self.thread: Optional[int] = None
        self.speaker: dict[str, Any] = {}
        """What is said of the process before its last words."""
        self.beat: Optional[Heartbeat] = None
        self._wakes_at = self._asked_for = NEVER
        self._sending = self._opening = False
        self._opens_again_at = 0.0

    # ---- called by others

    def start(self) -> None:
        """Starts the thread, unless it runs."""
        if self.thread is not None:
            return
        try:
            self.thread = original.attribute("_thread", "start_new_thread")(self._run, ())
        except RuntimeError as error:
            say.once(f"no thread can be started, nothing is watched: {error}")

    def look_at(self, due: float) -> None:
        """Has it look at that moment, if it would not by itself."""
        if due < self._wakes_at:
            # Whoever begins before that moment need not ring.
            self._asked_for = self._wakes_at = due
            self._ring()

    def tell(self, events: Callable[[], Batch]) -> None:
        """Has events sent; they are written by the watcher."""
        self._queue.append(events)
        self._ring()

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be sent."""
        return self.thread is not None and (self._sending or bool(self._queue))

    def voice(self) -> Voice:
        """What it speaks with, loaded at first use."""
        if self._known_voice is None:
            with self.loading:
                from .voice import Voice

                self._known_voice = self._known_voice or Voice(self._settings)
        return self._known_voice

    def let_go(self) -> None:
        """In a child process: its connections are the parent's."""
        if self._known_voice is not None:
            self._known_voice.sender.forget()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # It rings already.

    # ---- the thread

    def _run(self) -> None:
        """Whatever goes wrong in here must stay in here."""
        while True:
            try:
                wakes_at = self._look()
            except Exception as error:
                say.once(f"the watcher met an error of its own: {error!r}")
                wakes_at = time.monotonic() + BEAT_S_MAX
            self._bell.acquire(True, min(max(wakes_at - time.monotonic(), 0.0), SLEEP_S_MAX))

    def _look(self) -> float:
        """Does what is due; returns when to look again."""
        # Until this is set again, whoever begins rings.
        self._wakes_at = NEVER
        self._send_queued()
        now = time.monotonic()
        watches = list(self._active.values())
        due = [(watch, watch.take(now)) for watch in watches if watch.due() <= now]
        events = [event for watch, kind in due for event in self._act(watch, kind)]
        if events:
            # Who speaks needs no last word: it reads stacks that run on, which is only safe where they stand.
            self._plan(watches)
            self._send(events, due)
        self._open()
        if self._asked_for <= now:
            self._asked_for = NEVER
        wakes_at = min((watch.due() for watch in watches if not watch.ended), default=NEVER)
        wakes_at = min(wakes_at, self._asked_for)
        if self.beat is not None:
            wakes_at = min(wakes_at, time.monotonic() + min(BEAT_S_MAX, self.beat.limit_s / 8))
        self._plan(watches)
        self._wakes_at = wakes_at
        return wakes_at

    def _act(self, watch: Watch, kind: Optional[str]) -> Batch:
        if watch.ended or kind is None:
            return []
        writer = self.voice().writer
        if kind == LOOK:
            writer.note_calls(watch)
            return []
        # Negative: the process was frozen or starved beyond the deadline, and what is left to tell is no timeout.
        if kind == FIRED and (watch.spoken or watch.left_s(time.monotonic()) < 0):
            return []
        event = writer.alarm(kind, watch)
        if watch.ended:
            return []
        watch.told, watch.spoken = True, kind == FIRED
        return [event, *writer.tracepoints(watch, [*self._boot, *watch.sections])]

    def _send(self, events: Batch, due: list[tuple[Watch, Optional[str]]]) -> None:
        now = time.monotonic()
        # Half of what is left until the next word or the end: the other half is for standard output, should this be in vain.
        left = min(watch.left_s(now) - (0.0 if kind == FIRED else watch.margin_s) for watch, kind in due)
        self.voice().sender.send(events, min(SEND_S_MAX, max(left / 2, SEND_S_MIN)))

    def _send_queued(self) -> None:
        while self._queue:
            self._sending = True
            try:
                self.voice().sender.send(self._queue.popleft()(), SEND_S_MAX)
            finally:
                self._sending = False

    def _open(self) -> None:
        """Opens connections ahead of need, in a thread of its own: a collector that hangs must not hold up the watcher."""
        now = time.monotonic()
        if self._opening or not (self._words.wants_signal or (now >= self._opens_again_at and self._lacks_connection())):
            return
        self._opening, self._opens_again_at = True, now + OPEN_AGAIN_S

        def opener() -> None:
            try:
                self._words.keep_open(self.speaker, OPEN_S)
                self.voice().sender.open(OPEN_S)
                if self._words.wants_signal:
                    with self.loading:
                        self._words.take_signal()
            finally:
                self._opening = False
                self._ring()

        original.attribute("_thread", "start_new_thread")(opener, ())

    def _lacks_connection(self) -> bool:
        return not (self._words.is_open() and self.voice().sender.is_open())

    def _plan(self, watches: list[Watch]) -> None:
        """Plans the last word for the request whose time is up first."""
        if self.beat is not None:
            self._follow(self.beat, watches)
            return
        self._words.plan(min((watch.last_word_at() for watch in watches if not (watch.ended or watch.spoken)), default=None))

    def _follow(self, beat: Heartbeat, watches: list[Watch]) -> None:
        """Plans the last word for shortly before the heartbeat is too old."""
        at = beat.window()[1] - min(self._settings.margin_ms / 1000, beat.limit_s / 2) / 3
        all_told = bool(watches) and all(watch.spoken for watch in watches)
        self._words.plan(None if at == NEVER or all_told else at)
