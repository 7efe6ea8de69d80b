"""Calls that are open, read off the stacks: no library is patched, and a request that is fast pays nothing.

The frames of `urllib3` (so `requests` and `botocore`), `http.client`, `httpx`, `httpcore`, `psycopg`, `socket` and `ssl` hold
what they talk to and their timeouts. When a call began is exact where the library keeps it, else it is when the watchdog
first saw it. Read off urllib3 2.x, httpx 0.28, httpcore 1.0, botocore 1.4x, psycopg 3.x in November 2026; a library that looks
different is not recognised, which costs the call's name and nothing else.
"""

from __future__ import annotations

import _socket
import time

from .event_time import stamp
from .marker import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, Optional

    from .stacks import Stack
    from .watch import Watch

CALLS_MAX = 64
_UNKNOWN: Any = object()


class Call:
    """An open call. Times in seconds since 1970, the timeout in seconds, `None` where none is set."""

    __slots__ = ("operation", "started_at", "target", "timeout")

    def __init__(self, operation: str, target: Optional[str], timeout: Any = _UNKNOWN, started_at: Optional[float] = None) -> None:
        self.operation, self.target, self.timeout, self.started_at = operation, target, timeout, started_at

    def as_json(self) -> dict[str, Any]:
        """As it is on the wire: an absent timeout is not known, `null` is none."""
        told: dict[str, Any] = {"operation": self.operation[:200]}
        if self.target:
            told["target"] = self.target[:500]
        if self.started_at is not None:
            told["started_at"] = stamp(self.started_at)
        if self.timeout is None:
            told["client_timeout_ms"] = None
        elif isinstance(self.timeout, (int, float)) and not isinstance(self.timeout, bool):
            told["client_timeout_ms"] = round(self.timeout * 1000, 3)
        return told


def open_calls(watch: Watch, stacks: list[Stack], wall: float) -> list[dict[str, Any]]:
    """What the request has open. Threads that serve no other request may be working for it."""
    found: list[Call] = []
    for stack in stacks:
        if stack.serving or not _serves_another(stack, watch):
            found.extend(_of(stack.frames, watch, wall))
    return [call.as_json() for call in found[:CALLS_MAX]]


def _serves_another(stack: Stack, watch: Watch) -> bool:
    return watch.coroutine is not None or any(frame.f_code.co_name.startswith(PREFIX) for frame in stack.frames)


def _of(frames: list[FrameType], watch: Watch, wall: float) -> list[Call]:
    """The outermost call of a stack, which is what the user's code asked for, and whether it is still connecting."""
    outer: Optional[Call] = None
    connecting: Optional[Call] = None
    for frame in frames:
        read = _READERS.get((frame.f_globals.get("__name__", ""), frame.f_code.co_name))
        if read is None:
            continue
        try:
            call = read(frame)
        except Exception:
            continue  # Not as this library is known to look.
        seen = watch.since(id(frame), call.operation, wall)
        call.started_at = seen if call.started_at is None else min(seen, call.started_at)
        if call.operation in _CONNECTING:
            connecting = call
        elif outer is None:
            outer = call
        else:
            outer.started_at = min(outer.started_at or wall, call.started_at)
            outer.timeout = call.timeout if outer.timeout is _UNKNOWN else outer.timeout
    return [call for call in (outer, connecting) if call is not None]


_CONNECTING = ("connect", "resolve", "TLS handshake")


def _wall(monotonic: Any) -> Optional[float]:
    """A moment of `time.monotonic` in seconds since 1970."""
    return time.time() - (time.monotonic() - monotonic) if isinstance(monotonic, (int, float)) else None


def _seconds(timeout: Any) -> Any:
    """A timeout as libraries keep it; their own "default" is the socket module's."""
    return timeout if timeout is None or isinstance(timeout, (int, float)) else _socket.getdefaulttimeout()


def _target(host: Any, port: Any, path: Any = "") -> str:
    shown = "" if port in (None, 80, 443) else f":{port}"
    return f"{host}{shown}{str(path).partition('?')[0]}"


def _urllib3(frame: FrameType) -> Call:
    local = frame.f_locals
    pool, timeout = local["self"], local.get("timeout_obj")
    path = local.get("url") or ""
    where = _target(pool.host, pool.port, path if path.startswith("/") else "")
    waits = getattr(timeout, "total", None) or _seconds(getattr(timeout, "_read", None))
    return Call(str(local["method"]), where, waits, _wall(getattr(timeout, "_start_connect", None)))


def _http_client(frame: FrameType) -> Call:
    connection = frame.f_locals["self"]
    return Call(connection._method or "connect", _target(connection.host, connection.port), _seconds(connection.timeout))


def _httpx(frame: FrameType) -> Call:
    request = frame.f_locals["request"]
    limits = request.extensions.get("timeout") or {}
    start = frame.f_locals.get("start")
    started = None if start is None else time.time() - (time.perf_counter() - start)
    where = _target(request.url.host, request.url.port, request.url.path)
    return Call(request.method, where, limits.get("read"), started)


def _httpcore(frame: FrameType) -> Call:
    request = frame.f_locals["request"]
    limits = request.extensions.get("timeout") or {}
    url = request.url
    return Call(_text(request.method), _target(_text(url.host), url.port, _text(url.target)), limits.get("read"))


def _botocore(frame: FrameType) -> Call:
    local = frame.f_locals
    meta = local["self"].meta
    name = f"{meta.service_model.service_name}.{local['operation_name']}"
    host = meta.endpoint_url.partition("://")[2].partition("/")[0]
    return Call(name, host, meta.config.read_timeout)


def _psycopg(frame: FrameType) -> Call:
    local = frame.f_locals
    connection = local["self"]
    connection = getattr(connection, "connection", connection)
    query = local.get("query")
    text = _text(query) if isinstance(query, (str, bytes)) else ""
    verb = text.split(None, 1)[0].upper() if text.strip() else "query"
    connected = connection.pgconn
    # psycopg waits for an answer as long as it takes; `statement_timeout` is the server's.
    return Call(verb, f"{_text(connected.host)}/{_text(connected.db)}", None)


def _psycopg_connect(frame: FrameType) -> Call:
    local = frame.f_locals
    attempt = local.get("attempt") or {}
    return Call("connect", f"{attempt.get('host')}:{attempt.get('port') or 5432}", local.get("timeout"))


def _create_connection(frame: FrameType) -> Call:
    host, port = frame.f_locals["address"][:2]
    return Call("connect", f"{host}:{port}", _seconds(frame.f_locals.get("timeout")))


def _getaddrinfo(frame: FrameType) -> Call:
    # The system's resolver has no timeout that a caller could set.
    return Call("resolve", _text(frame.f_locals["host"]), None)


def _handshake(frame: FrameType) -> Call:
    socket = frame.f_locals["self"]
    return Call("TLS handshake", socket.server_hostname, socket.gettimeout())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_READERS: dict[tuple[str, str], Callable[[FrameType], Call]] = {
    ("urllib3.connectionpool", "_make_request"): _urllib3,
    ("http.client", "getresponse"): _http_client,
    ("http.client", "connect"): _http_client,
    ("http.client", "send"): _http_client,
    ("http.client", "read"): _http_client,
    ("httpx._client", "_send_single_request"): _httpx,
    ("httpcore._sync.connection_pool", "handle_request"): _httpcore,
    ("httpcore._async.connection_pool", "handle_async_request"): _httpcore,
    ("botocore.client", "_make_api_call"): _botocore,
    ("psycopg.cursor", "execute"): _psycopg,
    ("psycopg.cursor", "executemany"): _psycopg,
    ("psycopg.cursor_async", "execute"): _psycopg,
    ("psycopg.cursor_async", "executemany"): _psycopg,
    ("psycopg.connection", "connect"): _psycopg_connect,
    ("psycopg.connection_async", "connect"): _psycopg_connect,
    ("socket", "create_connection"): _create_connection,
    ("urllib3.util.connection", "create_connection"): _create_connection,
    ("socket", "getaddrinfo"): _getaddrinfo,
    ("ssl", "do_handshake"): _handshake,
}
