"""Runs a program in a process of its own, with the watchdog and a stand-in collector: settings are read once per process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
BEFORE = """
import json, os, sys, time
def say(value): print("said", json.dumps(value), flush=True)
class Context:
    aws_request_id, function_version = "order-7", "3"
    def __init__(self, seconds): self._deadline = time.time() + seconds
    def get_remaining_time_in_millis(self): return (self._deadline - time.time()) * 1000
from overrun_watchdog import watch, watching, section, topen, tclose
"""


class Ended:
    """What a program left behind."""

    def __init__(self, code: int, out: str, errors: str) -> None:
        self.code, self.out, self.errors = code, out, errors
        self.said: list[Any] = [json.loads(line[5:]) for line in out.splitlines() if line.startswith("said ")]
        self.printed: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def run(program: str, collector_url: Optional[str], **settings: str) -> Ended:
    """Runs a program; a margin of 150 ms unless set otherwise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERRUN_", "AWS_", "PYTHON"))}
    given = {"OVERRUN_MARGIN_MS": "150", "OVERRUN_LAST_WORDS": "1", "PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE}"}
    if collector_url is not None:
        given["OVERRUN_ENDPOINT"] = collector_url
    command = [sys.executable, "-X", "dev", "-c", BEFORE + textwrap.dedent(program)]
    told = subprocess.run(command, env={**kept, **given, **settings}, capture_output=True, text=True, timeout=60, check=False)
    return Ended(told.returncode, told.stdout, told.stderr)
