"""Overrun's watchdog for Python: says what a request was doing when its time ran out.

    from overrun_watchdog import watch

    @watch
    def handler(event, context): ...

Parts for servers are modules of their own: `wsgi`, `asgi`, `gunicorn`, `uwsgi`, `celery`, `openwhisk`, `openfaas`, `imports`.
"""

from __future__ import annotations

from .tracepoints import section, tclose, topen
from .watching import watch, watching

__version__ = "0.1.0"
__all__ = ["__version__", "section", "tclose", "topen", "watch", "watching"]
