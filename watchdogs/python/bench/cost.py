"""What a request costs with the watchdog, paired with the bare handler in the same process.

    python bench/cost.py [--check]

Prints the medians of pairs of runs in µs: on one core, which is what a small function has, and on all that there are, where a thread that begins
and ends with each request wakes another core. `--check` fails when a bound of `BOUNDS_US` is passed on one core.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE.parent / "tests")]

BOUNDS_US = {"without the last word": 20.0, "with the last word": 80.0}
COLD_MS_MAX = 10.0
ROUNDS, CALLS = 40, 500
COLD_ROUNDS = 25


class Context:
    """What a Lambda handler is given."""

    aws_request_id = "6f747a63-ce41-11e7-8cfe-3d61dad3d219"
    function_name, function_version, log_stream_name = "checkout", "$LATEST", "2026/11/27/[$LATEST]1"

    def get_remaining_time_in_millis(self) -> int:
        return 3000


def handler(event: Any, context: Any) -> Any:
    return {"ok": True}


def one_run(call: Callable[[Any, Any], Any]) -> tuple[float, float]:
    """µs a call, by the clock and of processor time; on a machine that others use as well, only the latter means much."""
    event, context = {"order": 7}, Context()
    began, used = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        call(event, context)
    return (time.perf_counter() - began) / CALLS * 1e6, (time.process_time() - used) / CALLS * 1e6


def warm(name: str) -> float:
    from overrun_watchdog import watch

    watched = watch(handler)
    one_run(watched)
    # The watcher opens its connections.
    time.sleep(0.3)
    pairs = [(one_run(handler), one_run(watched)) for _ in range(ROUNDS)]
    bare = statistics.median(bare[0] for bare, _ in pairs)
    cpu = statistics.median(watched[1] - bare[1] for bare, watched in pairs)
    added = statistics.median(watched[0] - bare[0] for bare, watched in pairs)
    print(f"{name}: bare {bare:.2f} µs, processor time {cpu:.1f} µs, watched adds {added:.1f} µs")
    return added


COLD = {
    "bare": "def handler(event, context): return 1",
    "watched": "from overrun_watchdog import watch\n@watch\ndef handler(event, context): return 1",
}
# What awslambdaric has loaded before it loads the handler.
BEFORE = "import json, logging, time, sys, os, socket, http.client, urllib.request, threading, traceback, re"


def cold(which: str, url: str) -> float:
    """ms from the first line of the module to the first answer."""
    program = f"{BEFORE}\nbegan = time.perf_counter()\n{COLD[which]}\n"
    program += "class Context:\n    def get_remaining_time_in_millis(self): return 3000\n"
    program += "handler({}, Context())\nprint((time.perf_counter() - began) * 1000)"
    # Bytecode is written by the first round, as an installer writes it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.update(PYTHONPATH=str(HERE.parent / "src"), OVERRUN_ENDPOINT=url, AWS_LAMBDA_FUNCTION_NAME="f")
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return float(told.stdout)


def child(url: str, last_words: bool, cores: set[int]) -> float:
    """Each case in a process of its own: the settings are read once."""
    environment = {**os.environ, "OVERRUN_ENDPOINT": url, "OVERRUN_LAST_WORDS": str(int(last_words)), "AWS_LAMBDA_FUNCTION_NAME": "f"}
    name = "with the last word" if last_words else "without the last word"
    all_cores = os.sched_getaffinity(0)
    # A child inherits it; the collector's threads of this process keep what they have.
    os.sched_setaffinity(0, cores)
    try:
        told = subprocess.run([sys.executable, __file__, "--warm", name], env=environment, capture_output=True, text=True, check=True)
    finally:
        os.sched_setaffinity(0, all_cores)
    print(f"{len(cores)} {'core' if len(cores) == 1 else 'cores'}, {told.stdout}", end="")
    return float(told.stdout.rsplit("adds ", 1)[1].split(" ")[0])


def main() -> int:
    if "--warm" in sys.argv:
        warm(sys.argv[-1])
        return 0
    from stand_in import Collector

    collector = Collector()
    cores = os.sched_getaffinity(0)
    one = {max(cores)}
    added = {"without the last word": child(collector.url, False, one), "with the last word": child(collector.url, True, one)}
    if len(cores) > 1:
        child(collector.url, True, cores)
    pairs = [(cold("bare", collector.url), cold("watched", collector.url)) for _ in range(COLD_ROUNDS)]
    cold_ms = statistics.median(watched - bare for bare, watched in pairs)
    print(f"cold start: watched adds {cold_ms:.1f} ms")
    if "--check" not in sys.argv:
        return 0
    late = [name for name, bound in BOUNDS_US.items() if added[name] > bound] + ["cold start"] * (cold_ms > COLD_MS_MAX)
    print(f"over the bound: {', '.join(late)}" if late else "within the bounds")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
