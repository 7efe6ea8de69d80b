"""A collector for tests: takes what the real one takes and notes when it came. `answer` makes it misbehave."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any, Callable, Optional


class Collector:
    """Listens on a port of its own. `answer`: a status, or `hang`."""

    def __init__(self, answer: Any = 202) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.words: list[dict[str, Any]] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def wait(self, wanted: Callable[[list[dict[str, Any]]], Any], seconds: float = 10.0) -> list[dict[str, Any]]:
        """The events, once they are as wanted."""
        return self._wait(lambda: wanted(self.events), seconds) and self.events or self.events

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]

    def of(self, kind: str, seconds: float = 10.0) -> dict[str, Any]:
        """The first event of a kind, once it is there."""
        self._wait(lambda: kind in self.kinds(), seconds)
        return next((event for event in self.events if event["kind"] == kind), {})

    def last_words(self, seconds: float = 10.0) -> str:
        """What came on connections for last words, once there is a dump."""
        self._wait(lambda: any("most recent call first" in word["text"] for word in self.words), seconds)
        return "".join(word["text"] for word in self.words)

    def settled(self, wanted: Callable[[], Any], seconds: float = 10.0) -> bool:
        return self._wait(wanted, seconds)

    def _wait(self, wanted: Callable[[], Any], seconds: float) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(wanted, seconds))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with connection:
            self._talk(connection, data)

    def _talk(self, connection: socket.socket, data: bytes) -> None:
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                if b"/last_words " in head:
                    self._listen(connection, data)
                    return
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                self._note(json.loads(body), head.decode())
                if self.answer == "hang":
                    continue
                told = b'{"accepted":1}'
                connection.sendall(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (self.answer, len(told), told))
        except OSError:
            return

    def _note(self, read: Any, head: str) -> None:
        with self._changed:
            for event in read if isinstance(read, list) else [read]:
                self.events.append({**event, "_at": time.time(), "_head": head})
            self._changed.notify_all()

    def _listen(self, connection: socket.socket, data: bytes) -> None:
        while True:
            with self._changed:
                if data:
                    self.words.append({"at": time.time(), "text": data.decode()})
                self._changed.notify_all()
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return


def frames_of(event: dict[str, Any], serving: Optional[bool] = True) -> list[str]:
    """`file:function` of the stack that serves the request, innermost last."""
    for stack in event.get("stacks", []):
        if stack["serving"] == serving:
            return [f"{frame['file'].rpartition('/')[2]}:{frame['function']}" for frame in stack["frames"]]
    return []
