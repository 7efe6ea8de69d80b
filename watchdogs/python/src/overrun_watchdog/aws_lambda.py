"""AWS Lambda: the context knows the request and how much of its time is left.

Read off awslambdaric 4.2.2 (November 2026): `get_remaining_time_in_millis`, `aws_request_id`, `function_version`; the
trace is in the environment, anew for each invocation.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .watchdog import Watchdog

PLATFORM = "aws_lambda"


def prepare(dog: Watchdog) -> None:
    """Pays the cost of the first request ahead: the watcher runs and its connections are open when it comes."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and not dog.settings.disabled:
        dog.prepare(platform=PLATFORM)


def facts_of(context: Any, left_ms: float) -> dict[str, Any]:
    """What the context of an invocation tells, beside its ID."""
    facts: dict[str, Any] = {"platform": PLATFORM, "budget_at_entry_ms": left_ms}
    version = getattr(context, "function_version", None)
    if version:
        facts["version"] = version
    return facts


def trace_id() -> Optional[str]:
    """The trace of the invocation that runs: `Root=1-5759e988-…;Parent=…;Sampled=1` → `1-5759e988-…`."""
    for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "Root":
            return value.strip()
    return None


