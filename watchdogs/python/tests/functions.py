"""Handlers that never come back, each in a way of its own. The line that is stuck is in a function named after it."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
import threading
import time
from typing import Any

from overrun_watchdog import watch

LONG_S = 3600


def stuck_sleep() -> None:
    time.sleep(LONG_S)


def stuck_io() -> None:
    ours, _theirs = socket.socketpair()
    ours.recv(1)


def stuck_cpu() -> None:
    number = 0
    while True:
        number += 1


def stuck_regex() -> None:
    """Backtracks for ever, and holds the interpreter lock meanwhile."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def stuck_gil() -> None:
    """Waits in C for a lock that never comes, and holds the interpreter lock meanwhile."""
    _lock_twice(ctypes.PyDLL(None))


def stuck_native() -> None:
    """The same without the interpreter lock; no signal interrupts it."""
    _lock_twice(ctypes.CDLL(None))


def stuck_deadlock() -> None:
    lock = threading.Lock()
    with lock:
        lock.acquire()


def stuck_dns() -> None:
    """A name server that does not answer."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    _ask_only(silent.getsockname()[1])
    socket.getaddrinfo("orders.internal.example", 443)


def stuck_connect() -> None:
    """A server whose queue is full drops what would open a connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(address)
    time.sleep(0.02)
    socket.create_connection(address)


def _lock_twice(library: Any) -> None:
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def _ask_only(port: int) -> None:
    """Points this thread's resolver at one server. `struct __res_state` of glibc: retrans, retry, options, nscount, servers."""
    libc = ctypes.CDLL(None)
    libc.__res_init()
    libc.__res_state.restype = ctypes.c_void_p
    state = libc.__res_state()
    ctypes.memmove(state, struct.pack("=ii", 60, 10), 8)
    ctypes.memmove(state + 16, struct.pack("=i", 1), 4)
    server = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton("127.0.0.1"))
    ctypes.memmove(state + 20, server, 16)


CASES = ("sleep", "io", "cpu", "regex", "gil", "native", "deadlock", "dns", "connect")
"""Every way to be stuck."""


@watch
def handler(event: Any, context: Any) -> Any:
    """A Lambda handler; the event says what it is to do."""
    stuck = event.get("stuck")
    if stuck is not None:
        globals()[f"stuck_{stuck}"]()
    time.sleep(event.get("seconds", 0))
    if event.get("raise"):
        raise ValueError("bad order")
    return {"ok": True, "pid": os.getpid()}
