"""The watchdog of a process: which requests run. Beginning and ending one touches a dictionary; the rest is the watcher's."""

from __future__ import annotations

import time

from . import original, say
from .last_words import LastWords
from .watch import FIRED
from .watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .deadline import Heartbeat
    from .settings import Settings
    from .tracepoints import Section
    from .watch import Watch

ACTIVE_MAX = 10_000
"""Requests watched at once; further ones run unwatched."""
PREPARE_S = 0.02
"""What the start of a process may wait for a collector that does not answer; the watcher tries again."""
LAST_S = 0.5
"""What gunicorn's `worker_abort` may take: SIGKILL follows after one second."""
FLUSH_S = 0.3
"""How long the end of the process waits for what is still to be sent."""
LOADING_S_MAX = 1.0
"""What a fork waits for the watcher to have its modules loaded: some milliseconds, once in the life of a process."""


class Watchdog:
    """Watches the requests of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.boot: list[Section] = []
        """Sections from before the first request."""
        self._active: dict[int, Watch] = {}
        self._words = LastWords(settings)
        self._watcher = Watcher(settings, self._active, self.boot, self._words)

    def prepare(self, beat: Optional[Heartbeat] = None, **speaker: Any) -> None:
        """Before the first request: it may be the one that holds the interpreter lock from its beginning.

        `speaker` is said of the process: `platform`, `limit_ms`.
        """
        self._watcher.beat = beat or self._watcher.beat
        self._watcher.speaker.update(speaker)
        if self._watcher.thread is None:
            self._words.keep_open(self._watcher.speaker, PREPARE_S)
        self._watcher.start()

    def begin(self, watch: Watch, budget_s: Optional[float]) -> bool:
        """Watches a request; false when there is nothing to be gained: too little time, or too many requests."""
        if budget_s is not None and budget_s < 2 * watch.margin_s:
            say.once(f"requests with {budget_s:.3g} s are not watched: expected at least twice the margin of {watch.margin_s:.3g} s")
            return False
        if len(self._active) >= ACTIVE_MAX:
            return False
        self._active[id(watch)] = watch
        if self._watcher.thread is None:
            self._watcher.start()
        if not watch.deadline.moves:
            self._words.want(watch.last_word_at())
        self._watcher.look_at(0.0 if self._words.wants_signal else watch.due())
        return True

    def end(self, watch: Watch, failed: bool) -> None:
        """The request has ended. If something had been told of it, this is told too, by the watcher."""
        watch.ended = True
        self._active.pop(id(watch), None)
        told = watch.told or self._words.spoke_since(watch.started)
        if not self._active and self._watcher.beat is None:
            # At once, and not when the watcher looks: the process may be frozen now, and thaw into another request.
            self._words.plan(None)
        if told:
            now, wall = time.monotonic(), time.time()
            voice = self._watcher.voice
            self._watcher.tell(lambda: [voice().writer.closed(watch, failed, now, wall)])

    def sections(self, current: Optional[Watch]) -> list[Section]:
        """Where a tracepoint belongs: the request of the code at hand, the only request, or the time before any."""
        if current is None and len(self._active) == 1:
            current = next(iter(self._active.values()), None)
        return self.boot if current is None or current.ended else current.sections

    def speak_last(self) -> None:
        """Tells at once of every request that has not been told of as `fired`: its process is being ended."""
        voice = self._watcher.voice()
        events = [voice.writer.alarm(FIRED, watch) for watch in list(self._active.values()) if not watch.spoken]
        if events:
            voice.sender.send(events, LAST_S)

    def finish(self) -> None:
        """At the end of the process: waits a moment for what is still to be sent, and takes the last word back.

        faulthandler must not read stacks that are being taken apart.
        """
        sleep, until = original.attribute("time", "sleep"), time.monotonic() + FLUSH_S
        while self._watcher.is_busy and time.monotonic() < until:
            sleep(0.005)
        self._words.stop()

    def before_fork(self) -> None:
        """A module that another thread is loading at that moment could never be loaded in the child."""
        self._watcher.loading.acquire(True, LOADING_S_MAX)
        self._words.pause()

    def after_fork_in_parent(self) -> None:
        """All goes on."""
        self._words.resume()
        if self._watcher.loading.locked():
            self._watcher.loading.release()

    def after_fork_in_child(self) -> None:
        """Threads and timers stayed behind, connections and requests are the parent's."""
        self._active.clear()
        self._words.forget()
        self._watcher.let_go()
        self._watcher = Watcher(self.settings, self._active, self.boot, self._words)
