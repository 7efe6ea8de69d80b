"""Apache OpenWhisk: `main = watch_main(main)`.

The platform says in the environment, anew for each activation, which it is and when it ends: `__OW_ACTIVATION_ID`,
`__OW_ACTION_NAME` (`/namespace/package/name`), `__OW_DEADLINE` (ms since 1970).
"""

from __future__ import annotations

import functools
import os
import time

from .process import watchdog
from .watching import watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PLATFORM = "openwhisk"


def watch_main(main: Callable[..., Any]) -> Callable[..., Any]:
    """The action, watched; `args` is its input."""

    dog = watchdog()
    if "__OW_API_HOST" in os.environ and not dog.settings.disabled:
        dog.prepare(platform=PLATFORM)

    @functools.wraps(main)
    def watched_main(*arguments: Any) -> Any:
        deadline = os.environ.get("__OW_DEADLINE", "")
        if not deadline.isdigit():
            return main(*arguments)
        left_ms = float(deadline) - time.time() * 1000
        facts = {"platform": PLATFORM, "budget_at_entry_ms": round(left_ms, 3)}
        action = os.environ.get("__OW_ACTION_NAME")
        if action:
            facts["function"] = action
        event = arguments[0] if arguments else None
        with watching(left_ms, request_id=os.environ.get("__OW_ACTIVATION_ID"), facts=facts, original_event=event) as watched:
            return watched.call(main, arguments, {})

    return watched_main
