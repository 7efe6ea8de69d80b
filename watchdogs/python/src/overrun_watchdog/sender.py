"""From events to the collector, or, where it cannot be reached, to standard output. Never takes longer than it is given."""

from __future__ import annotations

import json
import os
import time

from . import original, say
from .connection import Connection, Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .settings import Settings

PATH = "/v1/watchdog"


class Sender:
    """Keeps one connection open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Optional[Connection] = None
        self._busy = original.attribute("_thread", "allocate_lock")()

    def open(self, seconds: float) -> None:
        """Opens the connection ahead of need, so that the last moment does not pay for it."""
        try:
            with self._busy:
                if self._connection is None or not self._connection.is_open():
                    self._drop()
                    self._connection = Connection(self._settings, time.monotonic() + seconds)
        except Failed:
            pass

    def is_open(self) -> bool:
        """Whether nothing is to be opened. A connection that is in use counts as open."""
        connection = self._connection
        return self._settings.endpoint is None or self._busy.locked() or (connection is not None and connection.is_open())

    def send(self, events: list[dict[str, Any]], seconds: float) -> None:
        """Sends events in one request, or prints those that the collector did not take."""
        body = json.dumps(events if len(events) > 1 else events[0], separators=(",", ":")).encode()
        until = time.monotonic() + seconds
        taken = False
        # gunicorn's `worker_abort` speaks while the watcher may be speaking.
        if self._busy.acquire(True, seconds):
            try:
                taken = self._post(body, until)
            finally:
                self._busy.release()
        if not taken:
            for event in events:
                show(event)

    def forget(self) -> None:
        """Lets go of the connection, in a child process that must not share it."""
        self._drop()

    def _post(self, body: bytes, until: float) -> bool:
        if self._settings.endpoint is None:
            return False
        try:
            status = self._on_kept(body, until)
            if status is None:
                self._connection = Connection(self._settings, until)
                status = self._connection.post(PATH, body, until)
        except Failed as failed:
            self._drop()
            say.once(f"the collector cannot be reached, events go to standard output: {failed}")
            return False
        if not 200 <= status < 300:
            say.once(f"the collector answers {status}, such events go to standard output")
        return 200 <= status < 300

    def _on_kept(self, body: bytes, until: float) -> Optional[int]:
        """Tries the kept connection; `None` when a new one is needed, as after a long freeze."""
        connection = self._connection
        if connection is None or not connection.is_open():
            self._drop()
            return None
        halfway = time.monotonic() + (until - time.monotonic()) / 2
        try:
            return connection.post(PATH, body, halfway)
        except Failed:
            self._drop()
            return None

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def show(event: dict[str, Any]) -> None:
    """Prints an event as one line, which any log transport brings to the collector."""
    try:
        os.write(1, json.dumps(event, separators=(",", ":")).encode() + b"\n")
    except OSError:
        pass
