"""What gunicorn serves in the tests: a Flask application and an ASGI application that get stuck."""

from __future__ import annotations

import asyncio
import ctypes
import time
from typing import Any

from flask import Flask

wsgi = Flask(__name__)


def stuck_sleep() -> None:
    time.sleep(60)


def stuck_gil() -> None:
    """Waits in C for a lock that never comes, holds the interpreter lock, and is not interrupted by a signal."""
    mutex = ctypes.create_string_buffer(64)
    library = ctypes.PyDLL(None)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def stuck_until_signal() -> None:
    """Waits in C, holds the interpreter lock, and ends when a signal comes."""
    ctypes.PyDLL(None).sleep(60)


def stuck_native() -> None:
    """Waits in C without the interpreter lock, where gevent cannot switch."""
    ctypes.CDLL(None).sleep(60)


@wsgi.route("/<stuck>")
def serve(stuck: str) -> str:
    if stuck != "fast":
        globals()[f"stuck_{stuck}"]()
    return "done"


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/long":
        await asyncio.sleep(2.6)
    elif scope["path"] != "/fast":
        globals()["stuck_" + scope["path"][1:]]()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
