"""gunicorn's hooks, ready-made. In `gunicorn.conf.py`:

    from overrun_watchdog.gunicorn import *

A configuration with hooks of its own calls these from them. Works with the workers `sync`, `gthread`, `gevent`, `eventlet` and
uvicorn's; read off gunicorn 19.9.0 to 27.0.1 running for real (November 2026).

- `post_worker_init` wraps the application. A sync worker's request has `--timeout` from its beginning. Of other workers the
  arbiter looks at the heartbeat, and so does the watchdog: a long request of a thread or a greenlet is none of its business.
- `child_exit` runs in the arbiter and is the one exact word in every version that a worker died of `--timeout`, also when it
  had to be killed.
- `worker_abort` is a sync worker's last chance to speak, if nothing was said before.
"""

from __future__ import annotations

import time

from . import original, say
from .deadline import Heartbeat
from .event_time import stamp
from .process import watchdog
from .voice import Voice
from .watcher import SEND_S_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["child_exit", "post_worker_init", "worker_abort"]

PLATFORM = "gunicorn"


def post_worker_init(worker: Any) -> None:
    """Watches what the worker serves."""
    try:
        _watch(worker)
    except Exception as error:
        say.once(f"the worker is not watched: {error!r}")


def _watch(worker: Any) -> None:
    dog, limit_s = watchdog(), float(worker.cfg.timeout)
    # 0 switches the limit off.
    if dog.settings.disabled or limit_s <= 0:
        return
    deadline = None if _is_sync(worker) else Heartbeat(worker.tmp.last_update, limit_s)
    dog.prepare(deadline, platform=PLATFORM, limit_ms=limit_s * 1000)
    if any(base.__module__.startswith("uvicorn") for base in type(worker).__mro__):
        from .asgi import Middleware as Asgi

        worker.wsgi = Asgi(worker.wsgi, limit_s * 1000, platform=PLATFORM, deadline=deadline)
    else:
        from .wsgi import Middleware as Wsgi

        worker.wsgi = Wsgi(worker.wsgi, limit_s * 1000, platform=PLATFORM, deadline=deadline)


def _is_sync(worker: Any) -> bool:
    return any(base.__module__ == "gunicorn.workers.sync" for base in type(worker).__mro__)


def worker_abort(worker: Any) -> None:
    """The arbiter has sent SIGABRT: what has not been told yet is told now."""
    try:
        watchdog().speak_last()
    except Exception as error:
        say.once(f"the last word failed: {error!r}")


def child_exit(server: Any, worker: Any) -> None:
    """A worker has ended. If the arbiter ended it, it says so; from a thread, since it must not wait."""
    try:
        if getattr(worker, "aborted", False):
            _tell(worker)
    except Exception as error:
        say.once(f"the end of a worker could not be told: {error!r}")


def _tell(worker: Any) -> None:
    dog = watchdog()
    if dog.settings.disabled:
        return
    event = {
        "kind": "closed",
        "instance": dog.settings.instance,
        "pid": worker.pid,
        "outcome": "timed_out",
        "platform": PLATFORM,
        "limit_ms": float(worker.cfg.timeout) * 1000,
        "observed_at": stamp(time.time()),
    }
    if dog.settings.stack:
        event["stack"] = dog.settings.stack
    # A thread for this one message: the arbiter forks, and is better off without any.
    original.attribute("_thread", "start_new_thread")(Voice(dog.settings).sender.send, ([event], SEND_S_MAX))
