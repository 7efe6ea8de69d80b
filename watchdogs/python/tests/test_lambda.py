"""awslambdaric, as AWS runs functions with it, against a stand-in Runtime API that kills at the deadline."""

from __future__ import annotations

import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from runtime_api import Function
from stand_in import Collector
from timeouts import CASES, Run


class Lambda(unittest.TestCase):
    def test_every_way_to_be_stuck_is_told_of_before_the_kill(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            # The last request of these has its last word written by a signal.
            cases = [*((case, 0) for case in CASES), ("gil", 60), ("regex", 60)]
            for case, run in zip(cases, pool.map(lambda case: Run(*case), cases)):
                with self.subTest(case=case):
                    self.assertTrue(run.killed)
                    self.assertIn(run.by, ["signal"] if case[1] else ["watcher", "thread"])
                    self.assertTrue(run.names_line, "the stack names the function that is stuck")

    def test_a_warm_process_tells_of_the_request_that_was_slow_and_no_other(self) -> None:
        collector = Collector()
        self.addCleanup(collector.close)
        function = Function(collector.url)
        fast = [function.invoke({"n": n}) for n in range(5)]
        slow = function.invoke({"seconds": 0.8})
        failed = function.invoke({"raise": True})
        out, errors = function.stop()
        self.assertEqual({one.answer["path"] for one in [*fast, slow]}, {"response"}, errors)
        self.assertEqual((failed.answer["path"], failed.answer["body"]["errorType"]), ("error", "ValueError"))
        self.assertEqual({event["request_id"] for event in collector.events}, {slow.request_id})
        self.assertEqual(collector.kinds(), ["near_miss", "fired", "closed"])
        fired = collector.of("fired")
        self.assertEqual((fired["function"], fired["instance"]), ("checkout", "2026/11/27/[$LATEST]1f"))
        self.assertEqual(fired["trace_id"], "1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b")

    def test_what_was_frozen_after_its_answer_says_nothing_when_it_thaws(self) -> None:
        collector = Collector()
        self.addCleanup(collector.close)
        function = Function(collector.url)
        # So many that a signal is taken.
        for _ in range(60):
            first = function.invoke({})
        function.freeze()
        time.sleep(1.2)
        function.thaw()
        second = function.invoke({"seconds": 0.3})
        function.stop()
        self.assertEqual((first.answer["path"], second.answer["path"]), ("response", "response"))
        self.assertEqual(collector.kinds(), [])
        self.assertFalse(any("most recent call first" in word["text"] for word in collector.words))


if __name__ == "__main__":
    unittest.main()
