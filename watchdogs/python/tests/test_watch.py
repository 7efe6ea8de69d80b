"""One request after the other: what is told, what is not, and that nothing of it is the user's trouble."""

from __future__ import annotations

import socket
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from child import run
from stand_in import Collector, frames_of


class Telling(unittest.TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        self.addCleanup(self.collector.close)

    def test_a_slow_request_is_told_of_and_how_it_ended(self) -> None:
        ended = run(
            """
            @watch
            def handler(event, context):
                with section("charge"):
                    time.sleep(0.58)
                return "fine"
            say(handler({"order": 7, "password": "hunter2"}, Context(0.6)))
            """,
            self.collector.url,
        )
        self.assertEqual((ended.said, ended.errors), (["fine"], ""))
        self.collector.of("closed")
        kinds = self.collector.kinds()
        self.assertEqual(kinds, ["near_miss", "tracepoint", "fired", "closed"])
        fired = self.collector.of("fired")
        self.assertEqual((fired["request_id"], fired["version"], fired["platform"]), ("order-7", "3", "aws_lambda"))
        self.assertTrue(100 < fired["left_ms"] <= 150 and 450 <= fired["elapsed_ms"] < 500, fired)
        self.assertEqual(fired["original_event"], {"order": 7, "password": "[redacted]"})
        self.assertEqual(frames_of(fired)[-1], "<string>:handler")
        self.assertEqual(self.collector.of("closed")["outcome"], "ok")

    def test_fast_requests_say_nothing(self) -> None:
        run(
            """
            @watch
            def handler(event, context): return event
            for number in range(100_000): handler(number, Context(0.5))
            time.sleep(0.6)
            """,
            self.collector.url,
        )
        self.assertEqual((self.collector.kinds(), any("most recent call first" in word["text"] for word in self.collector.words)), ([], False))

    def test_the_share_of_the_first_event_can_be_set(self) -> None:
        for share, told in (("0", ["near_miss", "closed"]), ("0.9", ["fired", "closed"]), ("1", ["fired", "closed"])):
            collector = Collector()
            self.addCleanup(collector.close)
            seconds = 0.1 if share == "0" else 0.78
            run(f"with watching(800): time.sleep({seconds})", collector.url, OVERRUN_NEAR_MISS_SHARE=share)
            collector.of("closed")
            self.assertEqual(collector.kinds(), told, share)

    def test_an_error_is_the_users_and_is_told_as_one(self) -> None:
        ended = run(
            """
            @watch(limit_ms=600)
            def job():
                time.sleep(0.58)
                raise KeyError("order")
            try: job()
            except KeyError as error: say(str(error))
            """,
            self.collector.url,
        )
        self.assertEqual(ended.said, ["'order'"])
        self.assertEqual(self.collector.of("closed")["outcome"], "error")

    def test_requests_at_once_are_told_apart(self) -> None:
        run(
            """
            import threading
            @watch
            def handler(event, context): time.sleep(event)
            class Named(Context):
                def __init__(self, seconds, name): super().__init__(seconds); self.aws_request_id = name
            threads = [threading.Thread(target=handler, args=(0.05 if n % 2 else 0.58, Named(0.6, f"r{n}"))) for n in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            """,
            self.collector.url,
        )
        self.assertTrue(self.collector.settled(lambda: self.collector.kinds().count("closed") == 4))
        told = {event["request_id"] for event in self.collector.events}
        self.assertEqual(told, {"r0", "r2", "r4", "r6"})
        for event in self.collector.events:
            self.assertEqual(sum(stack["serving"] for stack in event.get("stacks", [])), 1 if "stacks" in event else 0)

    def test_a_coroutine_is_told_of_where_it_waits_and_where_it_blocks(self) -> None:
        run(
            """
            import asyncio
            async def waits(): await asyncio.sleep(0.58)
            async def blocks(): time.sleep(0.58)
            @watch(limit_ms=600)
            async def handler(how): await how()
            async def main():
                await handler(waits)
                await handler(blocks)
            asyncio.run(main())
            """,
            self.collector.url,
        )
        self.assertTrue(self.collector.settled(lambda: self.collector.kinds().count("closed") == 2))
        waits, blocks = (event for event in self.collector.events if event["kind"] == "fired")
        self.assertEqual(frames_of(waits)[-1].partition(":")[2], "sleep")
        self.assertEqual([stack.get("blocked") for stack in (waits["stacks"][0], blocks["stacks"][0])], [False, True])
        self.assertEqual(frames_of(blocks)[-1], "<string>:blocks")

    def test_a_coroutine_that_a_function_runs_in_a_loop_of_its_own_is_told_of_where_it_waits(self) -> None:
        run(
            """
            import asyncio
            async def pay(): await charge()
            async def charge(): await asyncio.sleep(0.58)
            @watch
            def handler(event, context): asyncio.run(pay())
            handler({}, Context(0.6))
            """,
            self.collector.url,
        )
        frames = frames_of(self.collector.of("fired"))
        self.assertIn("<string>:handler", frames)
        self.assertEqual(frames[-4:], ["base_events.py:run_until_complete", "<string>:pay", "<string>:charge", "tasks.py:sleep"])

    def test_sections_and_imports_go_out_with_the_first_event_once(self) -> None:
        run(
            """
            import overrun_watchdog.imports
            sys.path.insert(0, os.environ["SLOW"])
            import slow_module
            topen("boot"); tclose("boot"); tclose("never opened")
            @watch(limit_ms=600)
            def job():
                with section("outer"):
                    topen("flask")
                    time.sleep(0.58)
                    tclose("flask")
            job()
            """,
            self.collector.url,
            SLOW=str(Path(__file__).resolve().parent / "slow"),
        )
        self.collector.of("closed")
        told = [(event["section"], event["phase"]) for event in self.collector.events if event["kind"] == "tracepoint"]
        mine = [(name, phase) for name, phase in told if name in ("import slow_module", "boot", "outer", "flask", "never opened")]
        boot = [(name, phase) for name in ("import slow_module", "boot") for phase in ("opened", "closed")]
        self.assertEqual(mine, [*boot, ("outer", "opened"), ("flask", "opened")])

    def test_a_context_manager_watches_what_is_inside(self) -> None:
        run(
            """
            with watching(600, request_id="a1", facts={"function": "nightly"}): time.sleep(0.58)
            with watching(600): pass
            """,
            self.collector.url,
        )
        self.assertEqual((self.collector.of("closed")["request_id"], self.collector.of("fired")["function"]), ("a1", "nightly"))

    def test_a_child_process_is_watched_for_itself(self) -> None:
        ended = run(
            """
            @watch(limit_ms=600)
            def job(seconds): time.sleep(seconds)
            job(0)
            time.sleep(0.1)
            with watching(5000):
                child = os.fork()
            if child == 0:
                job(0.58)
                sys.exit(0)
            say(os.waitpid(child, 0)[1])
            """,
            self.collector.url,
        )
        self.assertEqual(ended.said, [0], ended.errors)
        self.assertEqual(self.collector.of("closed")["elapsed_ms"] // 100, 5)

    def test_what_does_not_fit_is_cut(self) -> None:
        run(
            """
            @watch
            def handler(event, context): time.sleep(0.78)
            handler({"rows": ["x" * 100] * 1000}, Context(0.8))
            """,
            self.collector.url,
        )
        original = self.collector.of("fired")["original_event"]
        self.assertTrue(original["digest"].startswith("sha256:") and original["bytes"] > 64 * 1024)


SLOW_REQUEST = """
@watch
def handler(event, context):
    time.sleep(event)
    return "fine"
handler(0, Context(9))
began = time.perf_counter()
answer = handler(0.5, Context(0.6))
say([answer, round((time.perf_counter() - began) * 1000)])
"""


class Unhappy(unittest.TestCase):
    """The collector is away, hangs, refuses; settings are wrong: the user's result and its time are the same."""

    def unchanged(self, url: str, **settings: str) -> tuple[list[str], str]:
        ended = run(SLOW_REQUEST, url, **settings)
        self.assertEqual((ended.code, ended.said[0][0]), (0, "fine"), ended.errors)
        self.assertLess(ended.said[0][1], 530)
        return [event["kind"] for event in ended.printed], ended.errors

    def test_a_collector_that_is_away(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        printed, errors = self.unchanged(f"http://127.0.0.1:{port}")
        self.assertEqual(printed, ["near_miss", "fired", "closed"])
        self.assertEqual(errors.count("overrun-watchdog"), 1, errors)

    def test_a_collector_that_hangs(self) -> None:
        collector = Collector("hang")
        self.addCleanup(collector.close)
        self.assertIn("fired", self.unchanged(collector.url)[0])

    def test_a_collector_that_never_accepts(self) -> None:
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        self.assertIn("fired", self.unchanged(f"http://127.0.0.1:{listener.getsockname()[1]}")[0])

    def test_a_collector_that_answers_500_for_ever(self) -> None:
        collector = Collector(500)
        self.addCleanup(collector.close)
        printed, errors = self.unchanged(collector.url)
        self.assertEqual((printed, errors.count("answers 500")), (["near_miss", "fired", "closed"], 1))

    def test_wrong_settings_are_said_once_and_cost_nothing(self) -> None:
        wrong = {"OVERRUN_MARGIN_MS": "soon", "OVERRUN_NEAR_MISS_SHARE": "7", "OVERRUN_TOKEN": "two words", "OVERRUN_DISABLED": "maybe"}
        printed, errors = self.unchanged("collector.internal", **wrong)
        # The default margin leaves too little of so short a budget.
        self.assertEqual((printed, errors.count("overrun-watchdog")), ([], 6), errors)

    def test_an_older_interpreter_that_gets_no_last_word_says_so_once(self) -> None:
        program = "sys.version_info = (3, 10, 13)\n@watch\ndef handler(event, context): return 1\nfor n in range(3): handler(n, Context(9))"
        for wanted, times in (("", 1), ("0", 0), ("1", 0)):
            ended = run(program, "http://127.0.0.1:9", OVERRUN_LAST_WORDS=wanted)
            self.assertEqual((ended.code, ended.errors.count("found 3.10")), (0, times), ended.errors)

    def test_switched_off_it_does_nothing(self) -> None:
        collector = Collector()
        self.addCleanup(collector.close)
        self.assertEqual(self.unchanged(collector.url, OVERRUN_DISABLED="1"), ([], ""))
        self.assertEqual(collector.connections, 0)

    def test_a_token_goes_with_every_event(self) -> None:
        collector = Collector()
        self.addCleanup(collector.close)
        self.unchanged(collector.url, OVERRUN_TOKEN="ovr_abc")
        self.assertIn("Authorization: Bearer ovr_abc", collector.of("fired")["_head"])

    def test_a_request_without_enough_time_is_not_watched_which_is_said_once(self) -> None:
        collector = Collector()
        self.addCleanup(collector.close)
        program = "for _ in range(3):\n    with watching(250): time.sleep(0.2)\n"
        ended = run(program, collector.url)
        self.assertEqual((collector.kinds(), ended.errors.count("are not watched")), ([], 1))


class Stopped(unittest.TestCase):
    def test_a_process_that_was_frozen_beyond_the_deadline_raises_no_alarm(self) -> None:
        import os
        import signal
        import subprocess

        from child import BEFORE, SOURCE

        collector = Collector()
        self.addCleanup(collector.close)
        program = BEFORE + "print('ready', flush=True)\nwith watching(600): time.sleep(0.58)\nsay('done')"
        settings = {**os.environ, "PYTHONPATH": str(SOURCE), "OVERRUN_ENDPOINT": collector.url, "OVERRUN_MARGIN_MS": "150"}
        process = subprocess.Popen([sys.executable, "-c", program], env=settings, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        process.send_signal(signal.SIGCONT)
        process.communicate()
        self.assertNotIn("fired", collector.kinds())


if __name__ == "__main__":
    unittest.main()
