"""HTTP/1.1 over one kept connection, as much of it as the watchdog needs.

`http.client` costs 15 ms to import and is what users' calls go through; `_socket` is the real thing also where gevent has
replaced `socket`.
"""

from __future__ import annotations

import _socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .settings import Settings

HEAD_BYTES_MAX = 16 * 1024
ANSWER_BYTES_MAX = 64 * 1024
_NO_SIGNAL: int = getattr(_socket, "MSG_NOSIGNAL", 0)
"""For programs that have closed pipes end them, as those on the command line do: a collector that is gone is none of theirs."""


class Failed(Exception):
    """The collector was not reached, or its answer not understood."""


class Connection:
    """A connection to the collector."""

    def __init__(self, settings: Settings, until: float) -> None:
        endpoint = settings.endpoint
        assert endpoint is not None
        self._settings = settings
        self._host = f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}"
        self._path = endpoint.path
        self._tls: Optional[_Tls] = None
        self.socket = _connect(endpoint.host, endpoint.port, until)
        if endpoint.tls:
            self._tls = _Tls(self.socket, endpoint.host, until)

    def head(self, path: str, content_type: str, length: int) -> bytes:
        """What a request begins with."""
        lines = [
            f"POST {self._path}{path} HTTP/1.1",
            f"Host: {self._host}",
            f"Content-Type: {content_type}",
            f"Content-Length: {length}",
            "User-Agent: overrun-watchdog-python",
        ]
        if self._settings.token:
            lines.append(f"Authorization: Bearer {self._settings.token}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def post(self, path: str, body: bytes, until: float) -> int:
        """Sends a body and reads the answer's status."""
        self.send(self.head(path, "application/json", len(body)) + body, until)
        return self._answer(until)

    def send(self, data: bytes, until: float) -> None:
        """Sends bytes."""
        try:
            self.socket.settimeout(_left(until))
            if self._tls is not None:
                data = self._tls.wrap(data)
            self.socket.sendall(data, _NO_SIGNAL)
        except OSError as error:
            raise Failed(str(error)) from None

    def is_open(self) -> bool:
        """Whether the other side has neither closed the connection nor said anything unasked."""
        try:
            self.socket.settimeout(0.0)
            self.socket.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Closes it."""
        try:
            self.socket.close()
        except OSError:
            pass

    def _receive(self, until: float) -> bytes:
        try:
            self.socket.settimeout(_left(until))
            data = self.socket.recv(16384) if self._tls is None else self._tls.receive()
        except OSError as error:
            raise Failed(str(error)) from None
        if not data:
            raise Failed("the connection was closed")
        return data

    def _answer(self, until: float) -> int:
        data = b""
        while b"\r\n\r\n" not in data:
            if len(data) > HEAD_BYTES_MAX:
                raise Failed("expected an HTTP answer, found something else")
            data += self._receive(until)
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        word = first.split(" ")
        if len(word) < 2 or not word[0].startswith("HTTP/1.") or not word[1].isdigit():
            raise Failed("expected an HTTP answer, found something else")
        length = fields.get("content-length", "")
        whole = length.isdigit() and int(length) <= ANSWER_BYTES_MAX
        if whole:
            while len(rest) < int(length):
                rest += self._receive(until)
        if not whole or fields.get("connection", "").lower() == "close" or word[0] == "HTTP/1.0":
            # The rest of the answer is of no use, so neither is the connection.
            self.close()
        return int(word[1])


class _Tls:
    """TLS over a real socket: `ssl.SSLSocket` is built on what gevent replaces."""

    def __init__(self, socket: _socket.socket, host: str, until: float) -> None:
        import ssl

        self._socket = socket
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._wants_more = ssl.SSLWantReadError
        self._error = ssl.SSLError
        self._tls = ssl.create_default_context().wrap_bio(self._in, self._out, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush()
                self._read(until)
            except OSError as error:
                socket.close()
                raise Failed(str(error)) from None

    def _flush(self) -> None:
        self._socket.sendall(self._out.read(), _NO_SIGNAL)

    def _read(self, until: Optional[float]) -> None:
        try:
            if until is not None:
                self._socket.settimeout(_left(until))
            data = self._socket.recv(16384)
        except OSError as error:
            raise Failed(str(error)) from None
        if not data:
            raise Failed("the connection was closed")
        self._in.write(data)

    def wrap(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._out.read()

    def receive(self) -> bytes:
        while True:
            try:
                return self._tls.read(16384)
            except self._wants_more:
                self._read(None)
            except self._error as error:
                raise Failed(str(error)) from None


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise Failed("it took too long")
    return left


def _connect(host: str, port: int, until: float) -> _socket.socket:
    last = "no address"
    # Text would have the codec of international names loaded, which takes its time.
    name = host.encode("ascii") if host.isascii() else host
    try:
        found: list[Any] = _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)
    except OSError as error:
        raise Failed(str(error)) from None
    for family, kind, protocol, _, address in found:
        socket = _socket.socket(family, kind, protocol)
        try:
            socket.settimeout(_left(until))
            socket.connect(address)
            socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return socket
        except OSError as error:
            socket.close()
            last = str(error)
        except Failed:
            socket.close()
            raise
    raise Failed(last)
