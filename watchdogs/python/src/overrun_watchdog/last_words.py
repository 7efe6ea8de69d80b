"""The last word: a C thread of CPython's writes the stacks when nothing else in the process can run any more.

`faulthandler.dump_traceback_later` needs neither the interpreter lock nor the main thread. It writes text to a file
descriptor, here that of a connection on which a `POST /v1/watchdog/last_words` has been begun: its head and one line that
says who speaks have been sent, its body is never finished. Which request it was stands in the stack itself (`marker.py`).

There is one such timer per process. With several requests it is planned for the one whose time is up first; when that one ends, it
stays until the watcher, who looks before it can go off, plans it anew, or the last request has ended.
"""

from __future__ import annotations

import faulthandler
import json
import os
import time

from . import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .connection import Connection
    from .settings import Settings

PATH = "/v1/watchdog/last_words"
BODY_BYTES = 1 << 20
"""What the body is announced to have. Whoever has written that much begins anew."""
ARMED_S_MIN = 0.001


class LastWords:
    """Keeps the connection and the timer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Optional[Connection] = None
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
            # The C thread's writes give up at once rather than wait for a collector that hangs.
            connection.socket.settimeout(0.0)
            self._connection = connection
        except Failed:
            pass

    def want(self, at: float) -> None:
        """Has the stacks written at that moment of `time.monotonic`, or before it if that is planned already."""
        if self._connection is not None and (self._at == 0.0 or at < self._at):
            self.plan(at)

    def plan(self, at: Optional[float]) -> None:
        """Has the stacks written at that moment and no other; at none without one."""
        connection = self._connection
        if connection is None or at == (self._at or None):
            return
        with self._lock:
            now = time.monotonic()
            if 0.0 < self._at <= now:
                self._spoke_at = self._at
            self._at = 0.0
            if at is None or at <= now:
                faulthandler.cancel_dump_traceback_later()
                return
            try:
                faulthandler.dump_traceback_later(max(at - now, ARMED_S_MIN), file=connection.socket.fileno())
                self._at = at
            except (OSError, RuntimeError, ValueError):
                pass

    def spoke_since(self, moment: float) -> bool:
        """Whether stacks have been written since then."""
        return self._spoke_at >= moment or moment < self._at <= time.monotonic()

    def stop(self) -> None:
        """Says nothing from here on."""
        self.possible = False
        self._close()

    def pause(self) -> None:
        """Before a fork: in the child, the timer could never be taken back, since its thread is not there."""
        self._lock.acquire()
        if self._at:
            faulthandler.cancel_dump_traceback_later()

    def resume(self) -> None:
        """After a fork, in the parent."""
        at, self._at = self._at, 0.0
        self._lock.release()
        if at:
            self.plan(at)

    def forget(self) -> None:
        """Lets go of everything, for a child process."""
        self._lock = original.attribute("_thread", "allocate_lock")()
        if self._connection is not None:
            # As long as a child holds it as well, nobody would notice the parent's end.
            self._connection.close()
        self._connection, self._at = None, 0.0

    def _close(self) -> None:
        if self._connection is None:
            return
        with self._lock:
            # Not the descriptor of whatever is opened next.
            faulthandler.cancel_dump_traceback_later()
            self._connection.close()
            self._connection, self._at = None, 0.0
