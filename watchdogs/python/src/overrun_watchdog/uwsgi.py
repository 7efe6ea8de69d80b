"""uWSGI: `app = watched(app)`, where `--harakiri` is set.

uWSGI's own module says what the limit is; it is only there inside of uWSGI. Read off uWSGI 2.0.21 to 2.0.31 (November 2026).
"""

from __future__ import annotations

import sys
import time

from . import say
from .process import watchdog
from .wsgi import Middleware

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .wsgi import App

PLATFORM = "uwsgi"
ENTRY_S = 0.05
"""What uWSGI takes from noting when a request has begun to calling the application."""


def watched(app: App) -> App:
    """The application, watched if there is a limit."""
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", {})
    limit_s = _number(options.get("harakiri"))
    if not limit_s:
        say.once("uWSGI has no `--harakiri`, so there is no limit to watch")
        return app
    _prepare_workers(uwsgi, limit_s)
    return _UntilHarakiri(app, limit_s * 1000, platform=PLATFORM)


class _UntilHarakiri(Middleware):
    """The master counts in whole seconds of the wall clock: 3 s from 12:00:00.9 are over at 12:00:03.0."""

    def budget_ms(self) -> float:
        return self._limit_ms - ((time.time() - ENTRY_S) % 1 + ENTRY_S) * 1000


def _prepare_workers(uwsgi: Any, limit_s: float) -> None:
    """Each worker is made ready before its first request, which may be the one that holds the interpreter lock."""

    def prepare() -> None:
        # 0: the master, a mule, a spooler.
        if uwsgi.worker_id() and not watchdog().settings.disabled:
            watchdog().prepare(platform=PLATFORM, limit_ms=limit_s * 1000)

    before = getattr(uwsgi, "post_fork_hook", None)

    def after_fork() -> None:
        if before is not None:
            before()
        try:
            prepare()
        except Exception as error:
            say.once(f"the worker is watched from its first request on: {error!r}")

    # With `--lazy-apps` this runs in the worker; else there is none yet.
    if uwsgi.worker_id():
        prepare()
    else:
        uwsgi.post_fork_hook = after_fork


def _number(value: Any) -> float:
    """uWSGI gives options as bytes."""
    text = value.decode() if isinstance(value, bytes) else str(value or "")
    return float(text) if text.replace(".", "", 1).isdigit() else 0.0
