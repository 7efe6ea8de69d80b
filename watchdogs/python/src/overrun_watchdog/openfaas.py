"""OpenFaaS: `handle = watch_handle(handle)` in `handler.py` of a Python template.

`exec_timeout` (a duration of Go's, `10s` or `1m30s`) is in the environment of the function. The request's ID is the gateway's
`X-Call-Id`: a header of the event in `python3-http` templates, `Http_X_Call_Id` in the environment of the classic ones.
"""

from __future__ import annotations

import functools
import os
import re

from . import say
from .process import watchdog
from .watching import watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

PLATFORM = "of_watchdog"
_UNITS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


def watch_handle(handle: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, watched if `exec_timeout` is set; `0s` means no limit."""
    limit_ms = milliseconds(os.environ.get("exec_timeout", ""))
    if not limit_ms:
        say.once("`exec_timeout` is not set, so there is no limit to watch")
        return handle

    dog = watchdog()
    if not dog.settings.disabled:
        dog.prepare(platform=PLATFORM, limit_ms=limit_ms)

    @functools.wraps(handle)
    def watched_handle(*arguments: Any) -> Any:
        event = arguments[0] if arguments else None
        facts: dict[str, Any] = {"platform": PLATFORM, "limit_ms": limit_ms}
        for name in ("method", "path"):
            if isinstance(getattr(event, name, None), str):
                facts[name] = getattr(event, name)
        body = getattr(event, "body", event)
        with watching(limit_ms, request_id=_call_id(event), facts=facts, original_event=body) as watched:
            return watched.call(handle, arguments, {})

    return watched_handle


def milliseconds(duration: str) -> float:
    """A duration as Go writes it, or whole seconds; 0 for anything else."""
    text = duration.strip()
    if text.isdigit():
        return float(text) * 1000
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    whole = "".join(number + unit for number, unit in parts) == text
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else 0.0


def _call_id(event: Any) -> Optional[str]:
    headers = getattr(event, "headers", None)
    if headers is not None:
        for name, value in dict(headers).items():
            if str(name).lower() == "x-call-id":
                return str(value)
    return os.environ.get("Http_X_Call_Id") or os.environ.get("HTTP_X_CALL_ID")
