"""The last word, by a thread for each request and by a signal: that it is spoken, and that nobody else notices."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from child import Ended, run
from stand_in import Collector

BEFORE = """
import ctypes, signal, threading
from overrun_watchdog.process import watchdog
HELD_US = 700_000
@watch
def handler(event, context): return event
def stuck_gil():
    "Holds the interpreter lock in C; -1 if a signal cuts it short."
    return ctypes.PyDLL(None).usleep(HELD_US)
def timer(): return type(watchdog()._words._timer).__name__
def warm():
    "As many requests as it takes until a signal is worth its while; one is taken then, if it is free."
    for _ in range(50): handler(0, Context(9))
    until = time.monotonic() + 5
    while watchdog()._words._timer is None or watchdog()._words._wanted < 40 or watchdog()._words.wants_signal:
        assert time.monotonic() < until
        handler(0, Context(9)), time.sleep(0.001)
    time.sleep(0.05)
@watch
def stuck(event, context): return stuck_gil()
def ours():
    "The signal that is taken, or 0: all that have a handler are said by the kernel."
    with open("/proc/self/status") as status:
        caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    return next((n for n in range(signal.SIGRTMAX, signal.SIGRTMIN - 1, -1) if caught >> n - 1 & 1), 0)
"""


@unittest.skipUnless(sys.platform == "linux", "timers that signal a thread are Linux's")
class LastWords(unittest.TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        self.addCleanup(self.collector.close)

    def run_(self, program: str, **settings: str) -> Ended:
        import textwrap

        ended = run(BEFORE + textwrap.dedent(program), self.collector.url, **settings)
        self.assertEqual((ended.code, ended.errors), (0, ""))
        return ended

    def test_a_signal_to_a_thread_of_its_own_has_the_stack_written_and_interrupts_nothing(self) -> None:
        ended = self.run_(
            """
            warm()
            say(timer())
            say(stuck({}, Context(0.6)))
            """
        )
        self.assertEqual(ended.said, ["SignalTimer", 0])
        words = self.collector.last_words()
        current = words.partition("Current thread ")[2].partition("\n\n")[0]
        self.assertRegex(current, r"signal_timer\.py\", line \d+ in _wait")
        self.assertRegex(words, r"in stuck_gil\n(.*\n){1,2}.* in overrun order-7 \d+ \d+ -\n")
        # It had been told of, so its end is told as well.
        self.assertEqual(self.collector.of("closed")["request_id"], "order-7")

    def test_without_a_free_signal_a_thread_speaks(self) -> None:
        ended = self.run_(
            """
            def mine(number, frame): pass
            numbers = range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
            for number in numbers: signal.signal(number, mine)
            warm()
            stuck({}, Context(0.6))
            say([timer(), all(signal.getsignal(number) is mine for number in numbers)])
            """
        )
        self.assertEqual(ended.said, [["ThreadTimer", True]])
        self.assertIn("Timeout (", self.collector.last_words())

    def test_a_signal_that_is_anothers_is_not_touched(self) -> None:
        ended = self.run_(
            """
            heard = []
            signal.signal(signal.SIGRTMAX, lambda number, frame: heard.append(number))
            # One that is waited for is blocked.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMAX - 1})
            warm()
            say([timer(), ours()])
            signal.raise_signal(signal.SIGRTMAX)
            signal.raise_signal(signal.SIGRTMAX - 1)
            say([heard, signal.sigwait({signal.SIGRTMAX - 1})])
            """
        )
        top = self._top()
        self.assertEqual(ended.said, [["SignalTimer", top], [[top], top - 1]])

    def test_a_signal_that_becomes_anothers_is_left_to_it(self) -> None:
        ended = self.run_(
            """
            warm()
            heard, number = [], ours()
            signal.signal(number, lambda number, frame: heard.append(number))
            stuck({}, Context(0.6))
            stuck({}, Context(0.6))
            say([timer(), heard, ours() == number])
            signal.raise_signal(number)
            say(len(heard))
            """
        )
        self.assertEqual(ended.said, [["ThreadTimer", [], True], 1])
        self.assertIn("Timeout (", self.collector.last_words())

    def test_a_child_has_neither_timer_nor_signal_until_it_takes_its_own(self) -> None:
        ended = self.run_(
            """
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            warm()
            say(ours())
            with watching(5000):
                child = os.fork()
            if child == 0:
                say([timer(), ours()])
                warm()
                say([timer(), ours()])
                stuck({}, Context(0.6))
                sys.exit(0)
            say(os.waitpid(child, 0)[1])
            say([timer(), ours()])
            """
        )
        top = self._top()
        self.assertEqual(ended.said, [top, ["NoneType", 0], ["SignalTimer", top], 0, ["SignalTimer", top]])
        self.assertIn("in stuck_gil\n", self.collector.last_words())

    def test_a_hundred_thousand_requests_leave_nothing_behind(self) -> None:
        ended = self.run_(
            """
            def held(): return [len(os.listdir("/proc/self/" + what)) for what in ("task", "fd")] + [timers()]
            def timers():
                with open("/proc/self/timers") as timers: return sum(line.startswith("ID:") for line in timers)
            warm()
            before = held()
            for number in range(100_000): handler(number, Context(9))
            say([before, held()])
            """
        )
        before, after = ended.said[0]
        self.assertEqual((before, before[2]), (after, 1))
        self.assertNotIn("most recent call first", "".join(word["text"] for word in self.collector.words))

    def test_a_connection_that_is_lost_is_opened_again_and_spoken_to(self) -> None:
        ended = self.run_(
            """
            import overrun_watchdog.watcher as watcher
            watcher.OPEN_AGAIN_S = 0.0
            warm()
            first = watchdog()._words._connection
            first.socket.shutdown(2)
            while watchdog()._words._connection in (first, None): handler(0, Context(0.5)), time.sleep(0.01)
            warm()
            stuck({}, Context(0.6))
            say([timer(), ours()])
            """
        )
        self.assertEqual(ended.said, [["SignalTimer", self._top()]])
        self.assertIn("in stuck_gil\n", self.collector.last_words())

    def test_the_end_of_the_process_is_no_matter_of_the_signal(self) -> None:
        """What a timer has sent before it was deleted must find a handler, or it ends the process."""
        ended = self.run_(
            """
            import faulthandler
            from overrun_watchdog.signal_timer import SignalTimer
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            with open(os.devnull, "wb") as nowhere:
                for round in range(200):
                    one = SignalTimer(nowhere.fileno())
                    # It is long in coming to its signal.
                    os.sched_setscheduler(one._thread, os.SCHED_IDLE, os.sched_param(0))
                    # The stacks of threads that run meanwhile are not for reading.
                    faulthandler.register(one._number, file=nowhere, all_threads=False)
                    one.arm(time.monotonic() + round % 50 / 1e6)
                    one.drop()
                    assert ours() == 0
            warm()
            # A request that is still running when the process ends.
            threading.Thread(target=stuck, args=({}, Context(0.6)), daemon=True).start()
            say(timer())
            """
        )
        self.assertEqual(ended.said, ["SignalTimer"])

    def test_a_collector_that_is_gone_does_not_end_a_process_that_wants_to_die_of_closed_pipes(self) -> None:
        self.run_(
            """
            from overrun_watchdog.connection import Connection, Failed
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            connection = Connection(watchdog().settings, time.monotonic() + 5)
            connection.socket.shutdown(2)
            try: connection.send(b"x", time.monotonic() + 5)
            except Failed: connection.close()
            warm()
            watchdog()._words._connection.socket.shutdown(2)
            stuck({}, Context(0.6))
            """
        )

    def _top(self) -> int:
        import signal

        return int(signal.SIGRTMAX)


if __name__ == "__main__":
    unittest.main()
