"""Primitives of the operating system's threads, also where gevent or eventlet has replaced them.

A thread that is a greenlet dies with the loop that it is to watch (seen with gevent under gunicorn, November 2026), so
whatever the watchdog waits with must be the real thing.
"""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attribute(module: str, name: str) -> Any:
    """`name` of `module` as it was before anybody patched it."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original(module, name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None:
        return getattr(eventlet.original(module), name)
    return getattr(importlib.import_module(module), name)
