"""Celery: `watch_tasks(app)` watches tasks that have a time limit.

Signals `task_prerun` and `task_postrun` bracket a task; its request holds both limits, hard and soft, in seconds. Read off Celery
5.7.0 (November 2026).
"""

from __future__ import annotations

from . import say
from .watching import watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLATFORM = "celery"
TASKS_MAX = 1_000
"""Tasks that run at once in one process; a pool of processes has one each."""


class Tasks:
    """Which tasks are being watched."""

    def __init__(self) -> None:
        self._running: dict[str, watching] = {}

    def begin(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        """A task begins."""
        try:
            request, app = task.request, task.app
            hard, soft = request.timelimit or (None, None)
            hard = hard or task.time_limit or app.conf.task_time_limit
            soft = soft or task.soft_time_limit or app.conf.task_soft_time_limit
            limit_s = min((float(limit) for limit in (hard, soft) if limit), default=0.0)
            if not limit_s or len(self._running) >= TASKS_MAX:
                return
            facts = {"platform": PLATFORM, "function": task.name, "limit_ms": limit_s * 1000}
            facts["attempt"] = int(request.retries or 0) + 1
            event = {"args": request.args, "kwargs": request.kwargs}
            watched = watching(limit_s * 1000, request_id=task_id, facts=facts, original_event=event)
            self._running[task_id] = watched
            watched.__enter__()
        except Exception as error:
            say.once(f"a task could not be watched: {error!r}")

    def end(self, task_id: str = "", state: str = "", **_: Any) -> None:
        """A task has ended."""
        watched = self._running.pop(task_id, None)
        if watched is not None:
            watched.end(state not in ("SUCCESS", ""))


def watch_tasks(app: Any = None) -> Tasks:
    """Watches the tasks of all workers that are started from here; the application itself is not needed."""
    from celery.signals import task_postrun, task_prerun  # type: ignore[import-untyped, unused-ignore]

    tasks = Tasks()
    task_prerun.connect(tasks.begin, weak=False)
    task_postrun.connect(tasks.end, weak=False)
    return tasks
