"""uWSGI: `app = watched(app)`, where `--harakiri` is set; `--enable-threads` lets the watcher run.

uWSGI's own module says what the limit is; it is only there inside of uWSGI. Read off uWSGI 2.0.31 (November 2026).
"""

from __future__ import annotations

import sys

from . import say
from .wsgi import Middleware

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .wsgi import App

PLATFORM = "uwsgi"


def watched(app: App) -> App:
    """The application, watched if there is a limit."""
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    limit_s = _number(options.get("harakiri"))
    if not limit_s:
        say.once("uWSGI has no `--harakiri`, so there is no limit to watch")
        return app
    if not options.get("enable-threads") and not options.get("threads"):
        say.once("uWSGI runs without `--enable-threads`: only the last word can be spoken")
    return Middleware(app, limit_s * 1000, platform=PLATFORM)


def _number(value: Any) -> float:
    """uWSGI gives options as bytes."""
    text = value.decode() if isinstance(value, bytes) else str(value or "")
    return float(text) if text.replace(".", "", 1).isdigit() else 0.0
