"""Celery: `watch_tasks(app)` watches tasks that have a time limit.

Signals `task_prerun` and `task_postrun` bracket a task; its request holds both limits, hard and soft, in seconds. Which of them are
more than words depends on the pool. Read off Celery 5.3.6 and 5.7.0, and tried with 5.7.0 (November 2026).
"""

from __future__ import annotations

from . import say
from .watching import watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLATFORM = "celery"
ENFORCED = {
    "celery.concurrency.prefork": ("hard", "soft"),
    "celery.concurrency.gevent": ("hard",),
    "celery.concurrency.eventlet": (),
    "celery.concurrency.solo": (),
    "celery.concurrency.thread": (),
}
"""The limits at which a pool ends a task. Nothing happens at the others, so to tell of them would be a false alarm."""
TASKS_MAX = 1_000
"""Tasks that run at once in one process; a pool of processes has one each."""


class Tasks:
    """Which tasks are being watched."""

    def __init__(self) -> None:
        self._running: dict[str, watching] = {}
        self._enforced: tuple[str, ...] = ("hard", "soft")

    def start(self, sender: Any = None, **_: Any) -> None:
        """A worker is about to start its pool."""
        try:
            from celery.concurrency import get_implementation  # type: ignore[import-untyped, unused-ignore]

            pool = get_implementation(sender.pool_cls).__module__
            self._enforced = ENFORCED.get(pool, self._enforced)
        except Exception as error:
            say.once(f"the kind of Celery's pool is not known: {error!r}")

    def begin(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        """A task begins."""
        try:
            request, app = task.request, task.app
            hard, soft = request.timelimit or (None, None)
            hard = hard or task.time_limit or app.conf.task_time_limit
            soft = soft or task.soft_time_limit or app.conf.task_soft_time_limit
            limits = {name: float(limit) for name, limit in (("hard", hard), ("soft", soft)) if limit}
            limit_s = min((limit for name, limit in limits.items() if name in self._enforced), default=0.0)
            if not limit_s and limits:
                say.once(f"Celery's pool does not enforce a {' or '.join(limits)} time limit, so such tasks are not watched")
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
    from celery.signals import task_postrun, task_prerun, worker_init  # type: ignore[import-untyped, unused-ignore]

    tasks = Tasks()
    worker_init.connect(tasks.start, weak=False)
    task_prerun.connect(tasks.begin, weak=False)
    task_postrun.connect(tasks.end, weak=False)
    return tasks
