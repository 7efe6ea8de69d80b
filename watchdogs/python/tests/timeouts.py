"""Whether every timeout is told of before the kill: awslambdaric, a stand-in Runtime API that kills at the deadline.

    python tests/timeouts.py [--runs 200] [--jobs 3] [--warm 60] [--case sleep]…

`--warm` is how many requests come before: a first one has its last word written by a thread, a later one by a signal.
Prints, per way to be stuck: in how many runs an event was at the collector before the kill, by whom it was told, in how many the
stack names the stuck function, and how long before the kill it came. The exit status is 0 if none was missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

CASES = ("sleep", "io", "cpu", "regex", "gil", "native", "deadlock", "dns", "connect")


class Run:
    """What became of one run."""

    def __init__(self, case: str, warm: int = 0) -> None:
        from runtime_api import Function
        from stand_in import Collector, frames_of

        collector = Collector()
        function = Function(collector.url)
        for _ in range(warm):
            function.invoke({}, 9.0)
        killed = function.invoke({"stuck": case, "order": 7})
        function.stop()
        collector.close()
        self.killed = killed.killed
        self.by, self.before_ms, self.names_line = "nobody", 0.0, False
        fired = [event for event in collector.events if event["kind"] == "fired" and event["_at"] < killed.ended_at]
        fired = [event for event in fired if event["request_id"] == killed.request_id]
        words = [word for word in collector.words if word["at"] < killed.ended_at]
        text = "".join(word["text"] for word in words)
        if fired:
            self.by, self.before_ms = "watcher", (killed.ended_at - fired[0]["_at"]) * 1000
            self.names_line = any(f"stuck_{case}" in frame for frame in frames_of(fired[0]))
        elif f"overrun {killed.request_id}" in text:
            self.by = "thread" if "Timeout (" in text else "signal"
            self.before_ms = (killed.ended_at - words[-1]["at"]) * 1000
            self.names_line = f"stuck_{case}" in text


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--warm", type=int, default=0)
    parser.add_argument("--case", action="append", choices=CASES)
    arguments = parser.parse_args()
    missed = 0
    print(f"{'stuck in':10} {'told':>9} {'by watcher':>11} {'by thread':>10} {'by signal':>10} {'line named':>11} {'ms before the kill, p50 / least':>33}")
    for case in arguments.case or CASES:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            runs = list(pool.map(lambda _: Run(case, arguments.warm), range(arguments.runs)))
        told = [run for run in runs if run.by != "nobody"]
        by = [sum(run.by == who for run in runs) for who in ("watcher", "thread", "signal")]
        before = [run.before_ms for run in told] or [0.0]
        shown = f"{statistics.median(before):.0f} / {min(before):.0f}"
        named = sum(run.names_line for run in runs)
        print(f"{case:10} {len(told):>5}/{len(runs):<3} {by[0]:>11} {by[1]:>10} {by[2]:>10} {named:>11} {shown:>33}", flush=True)
        missed += len(runs) - len(told)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
