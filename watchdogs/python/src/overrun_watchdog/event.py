"""Events as they are on the wire; the fields are those of `docs/wire/watchdog.md`. What is not known is left out."""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256

from . import aws_lambda, calls, stacks
from .event_time import stamp
from .watch import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .redact import Redactor
    from .settings import Settings
    from .tracepoints import Section
    from .watch import Watch

ORIGINAL_EVENT_BYTES_MAX = 64 * 1024
"""Of a larger event only size and digest are sent."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Writer:
    """Turns what is known about a request into events."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._settings, self._redactor = settings, redactor

    def identity(self, watch: Watch) -> dict[str, Any]:
        """What all events of a request begin with: if the rest is cut off, it is still known whose it was."""
        event: dict[str, Any] = {"request_id": watch.request_id, "pid": os.getpid(), "instance": self._settings.instance}
        if self._settings.stack:
            event["stack"] = self._settings.stack
        if self._settings.function:
            event["function"] = self._settings.function
        event.update({name: round(fact, 3) if isinstance(fact, float) else fact for name, fact in watch.facts.items()})
        if event.get("platform") == aws_lambda.PLATFORM:
            # Read only here: the environment holds it for as long as the invocation runs, and reading it takes its time.
            trace = aws_lambda.trace_id()
            event.update({"trace_id": trace} if trace else {})
        if "path" in event:
            event["path"] = self._redactor.address(event["path"])
        return event

    def alarm(self, kind: str, watch: Watch) -> dict[str, Any]:
        """`near_miss` or `fired`, with everything that tells what the request is doing."""
        now, wall = time.monotonic(), time.time()
        found = stacks.capture(watch)
        event = {"kind": kind, **self.identity(watch)}
        event["observed_at"] = stamp(wall)
        event["deadline_at"] = stamp(watch.deadline_at(now))
        event["left_ms"] = _ms(watch.left_s(now))
        event["elapsed_ms"] = _ms(now - watch.started)
        event["margin_ms"] = _ms(watch.margin_s)
        event["cpu_ms"] = _ms(time.process_time() - watch.cpu)
        memory = _memory_bytes()
        if memory is not None:
            event["memory_bytes"] = memory
        event["in_flight"] = calls.open_calls(watch, found, wall)
        if kind == "fired" and watch.original_event is not ABSENT and self._settings.original_event:
            event["original_event"] = self._original(watch.original_event)
        event["stacks"] = [stack.as_json() for stack in found]
        return event

    def note_calls(self, watch: Watch) -> None:
        """Remembers which calls are open now, so that it is known later how long they have been."""
        calls.open_calls(watch, stacks.capture(watch), time.time())

    def closed(self, watch: Watch, failed: bool, now: float, wall: float) -> dict[str, Any]:
        """The request ended at this moment of both clocks."""
        event = {"kind": "closed", **self.identity(watch)}
        event["outcome"] = "error" if failed else "ok"
        event["observed_at"] = stamp(wall)
        event["elapsed_ms"] = _ms(now - watch.started)
        return event

    def tracepoints(self, watch: Watch, sections: list[Section]) -> list[dict[str, Any]]:
        """The ends of sections, each told once, as far as they have been reached."""
        identity, events = self.identity(watch), []
        for section in sections:
            named = {"kind": "tracepoint", **identity, "section": section.name}
            if section.ends_told == 0:
                section.ends_told = 1
                events.append({**named, "phase": "opened", "observed_at": stamp(section.opened_at)})
            if section.ends_told == 1 and section.closed_at is not None:
                section.ends_told = 2
                took = {"elapsed_ms": _ms(section.closed_at - section.opened_at)}
                events.append({**named, "phase": "closed", "observed_at": stamp(section.closed_at), **took})
        return events

    def _original(self, value: Any) -> Any:
        redacted = self._redactor.event(value)
        text = json.dumps(redacted, separators=(",", ":")).encode()
        if len(text) <= ORIGINAL_EVENT_BYTES_MAX:
            return redacted
        return {"bytes": len(text), "digest": "sha256:" + sha256(text).hexdigest()}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _memory_bytes() -> Optional[int]:
    """What is resident now; Linux only."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None
