"""The last word: CPython's `faulthandler` writes the stacks, in C, when nothing else in the process can run any more.

It needs neither the interpreter lock nor the main thread. It writes text to a file descriptor, here that of a connection on
which a `POST /v1/watchdog/last_words` has been begun: its head and one line that says who speaks have been sent, its body is never
finished. Which request it was stands in the stack itself (`marker.py`).

There is one timer per process. With several requests it is planned for the one whose time is up first; when that one ends, it
stays until the watcher, who looks before it can go off, plans it anew, or the last request has ended. It is a thread for each time at
first, and one that sends a signal (`signal_timer.py`) once that pays and where a signal is free.
"""

from __future__ import annotations

import faulthandler
import json
import os
import time

from . import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from .connection import Connection
    from .settings import Settings
    from .signal_timer import SignalTimer

PATH = "/v1/watchdog/last_words"
BODY_BYTES = 1 << 20
"""What the body is announced to have. Whoever has written that much begins anew."""
ARMED_S_MIN = 0.001
LOADING_PAYS_AFTER = 40
"""Requests. A thread for each has cost them as much by then as loading `ctypes` does: some 60 µs each, 2 to 3 ms."""


class ThreadTimer:
    """Writes the stacks to a descriptor by `faulthandler.dump_traceback_later`, of which a process has one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def arm(self, at: float) -> None:
        """Has the stacks written at that moment of `time.monotonic`. Raises `RuntimeError` when no thread can be started."""
        faulthandler.dump_traceback_later(max(at - time.monotonic(), ARMED_S_MIN), file=self._descriptor)

    def disarm(self) -> None:
        """Has nothing written from here on; waits for what is being written."""
        faulthandler.cancel_dump_traceback_later()

    def drop(self) -> None:
        """The same."""
        self.disarm()

    def forget(self) -> None:
        """Nothing: the thread stayed in the parent."""


class LastWords:
    """Keeps the connection and its timer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Optional[Connection] = None
        self._timer: Optional[Union[ThreadTimer, SignalTimer]] = None
        self._wanted = 0
        self.wants_signal = False
        """Whether `take_signal` is to be called."""
        self._lock = original.attribute("_thread", "allocate_lock")()
        self._at = 0.0
        self._spoke_at = 0.0
        endpoint = settings.endpoint
        # TLS is no matter of writing to a descriptor.
        self.possible = settings.last_words and endpoint is not None and not endpoint.tls

    def is_open(self) -> bool:
        """Whether nothing is to be opened."""
        return not self.possible or (self._connection is not None and self._connection.is_open())

    def keep_open(self, speaker: dict[str, Any], seconds: float) -> None:
        """Opens the connection, or opens it again when the other side has let go of it; `speaker` is told first.

        Only one thread at a time calls this."""
        if self.is_open():
            return
        from .connection import Connection, Failed

        self._close()
        until = time.monotonic() + seconds
        who = {"pid": os.getpid(), "instance": self._settings.instance, **speaker}
        named = {"function": self._settings.function, "stack": self._settings.stack}
        who.update({name: value for name, value in named.items() if value})
        try:
            connection = Connection(self._settings, until)
            connection.send(connection.head(PATH, "text/plain", BODY_BYTES) + json.dumps(who).encode() + b"\n", until)
            # Its writes give up at once rather than wait for a collector that hangs.
            connection.socket.settimeout(0.0)
            with self._lock:
                self._connection, self._timer = connection, ThreadTimer(connection.socket.fileno())
            self._wanted = 0
        except Failed:
            pass

    def take_signal(self) -> None:
        """Has a signal do from here on what a thread for each request did until then. Called by whoever calls `keep_open`."""
        self.wants_signal = False
        connection = self._connection
        if connection is None:
            return
        try:
            from .signal_timer import SignalTimer

            timer = SignalTimer(connection.socket.fileno())
        except Exception:
            return  # A thread for each request goes on.
        with self._lock:
            if self._connection is connection:
                at = self._at
                self._replan(None)
                self._timer = timer
                self._replan(at or None)
                return
        timer.drop()

    def want(self, at: float) -> None:
        """Has the stacks written at that moment of `time.monotonic`, or before it if that is planned already."""
        if self._timer is not None and (self._at == 0.0 or at < self._at):
            self.plan(at)
            self._wanted += 1
            if self._wanted == LOADING_PAYS_AFTER:
                self.wants_signal = True

    def plan(self, at: Optional[float]) -> None:
        """Has the stacks written at that moment and no other; at none without one."""
        if self._timer is None or at == (self._at or None):
            return
        with self._lock:
            self._replan(at)

    def _replan(self, at: Optional[float]) -> None:
        """`plan`, with the lock held."""
        connection, timer, now = self._connection, self._timer, time.monotonic()
        if connection is None or timer is None:
            return
        if 0.0 < self._at <= now:
            self._spoke_at = self._at
        self._at = 0.0
        try:
            if at is None or at <= now:
                timer.disarm()
            else:
                timer.arm(at)
                self._at = at
        except (OSError, RuntimeError, ValueError):
            timer.drop()
            self._timer = ThreadTimer(connection.socket.fileno())

    def spoke_since(self, moment: float) -> bool:
        """Whether stacks have been written since then."""
        return self._spoke_at >= moment or moment < self._at <= time.monotonic()

    def stop(self) -> None:
        """Says nothing from here on."""
        self.possible = False
        self._close()

    def pause(self) -> None:
        """Before a fork: in the child, a thread's timer could never be taken back, since its thread is not there."""
        self._lock.acquire()
        if self._timer is not None and self._at:
            self._timer.disarm()

    def resume(self) -> None:
        """After a fork, in the parent."""
        at, self._at = self._at, 0.0
        if at:
            self._replan(at)
        self._lock.release()

    def forget(self) -> None:
        """Lets go of everything, for a child process."""
        self._lock = original.attribute("_thread", "allocate_lock")()
        if self._timer is not None:
            self._timer.forget()
        if self._connection is not None:
            # As long as a child holds it as well, nobody would notice the parent's end.
            self._connection.close()
        self._connection, self._timer, self._at, self.wants_signal = None, None, 0.0, False

    def _close(self) -> None:
        if self._connection is None:
            return
        with self._lock:
            if self._timer is not None:
                # Nothing is to be written to the descriptor of whatever is opened next.
                self._timer.drop()
            self._connection.close()
            self._connection, self._timer, self._at = None, None, 0.0
