"""Real gunicorn, the oldest and the newest that is supported, with every kind of worker."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from server import Server
from stand_in import frames_of

OLDEST = Path(sys.prefix) / "gunicorn-19.9.0"
"""Installed beside the newest by scripts/test-peers."""
RUN = "import sys; sys.argv[0] = 'gunicorn'; from gunicorn.app.wsgiapp import run; run()"


@contextmanager
def running(version: str, worker: str) -> Iterator[Server]:
    """gunicorn with one worker, `--timeout 2` and nothing but our hooks."""
    app = "apps:asgi" if "uvicorn" in worker else "apps:wsgi"
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "gunicorn.conf.py"
        configuration.write_text("from overrun_watchdog.gunicorn import *\n")
        options = ["--bind=127.0.0.1:0", "--workers=1", "--timeout=2", f"--worker-class={worker}", f"--config={configuration}", "--log-level=info"]
        path = OLDEST if version == "oldest" else None
        server = Server([sys.executable, "-c", RUN, app, *options], r"Listening at: http://127\.0\.0\.1:(\d+)", path)
        try:
            yield server
        finally:
            server.stop()


def told(version: str, worker: str, path: str) -> dict[str, Any]:
    """What is told of a request that gets stuck."""
    with running(version, worker) as server:
        assert server.ask("/fast", "r0") == "200"
        began = time.time()
        server.ask(path, "r1")
        pid = int(server.said(r"WORKER TIMEOUT \(pid:(\d+)\)"))
        of_worker = lambda: [event for event in server.collector.events if event.get("outcome") == "timed_out"]
        server.collector.settled(of_worker)
        words = "".join(word["text"] for word in server.collector.words)
        fired = next((event for event in server.collector.events if event["kind"] == "fired"), {})
        ids = {event.get("request_id") for event in server.collector.events}
        return {"pid": pid, "end": of_worker(), "words": words, "fired": fired, "ids": ids, "began": began, "log": "".join(server.lines)}


UVICORN = "uvicorn_worker.UvicornWorker"


class Gunicorn(unittest.TestCase):
    def check(self, cases: list[tuple[str, str, str]], check: Any) -> None:
        with ThreadPoolExecutor(3) as pool:
            for case, found in zip(cases, pool.map(lambda case: told(*case), cases)):
                with self.subTest(case=case):
                    (end,) = found["end"]
                    self.assertEqual((end["pid"], end["instance"], end["limit_ms"]), (found["pid"], "web-1", 2000), json.dumps(end))
                    self.assertLessEqual(found["ids"], {"r1", None})
                    check(case, found)

    def test_a_stuck_request_is_told_of_before_the_arbiter_acts(self) -> None:
        def check(case: tuple[str, str, str], found: dict[str, Any]) -> None:
            _, worker, path = case
            fired = found["fired"]
            self.assertEqual((fired.get("request_id"), fired.get("pid"), fired.get("method")), ("r1", found["pid"], "GET"), found["log"])
            self.assertEqual(fired["path"], f"{path}?order=7&token=[redacted]")
            self.assertIn(f"apps.py:stuck_{path[1:]}", frames_of(fired))
            self.assertTrue(fired["left_ms"] > 0 and fired["elapsed_ms"] > 300, fired)

        cases = [(version, "sync", "/sleep") for version in ("oldest", "newest")]
        cases += [(version, "gevent", "/native") for version in ("oldest", "newest")]
        cases += [(version, UVICORN, "/sleep") for version in ("oldest", "newest")]
        self.check(cases, check)

    def test_a_request_that_holds_the_interpreter_lock_has_the_last_word(self) -> None:
        def check(case: tuple[str, str, str], found: dict[str, Any]) -> None:
            self.assertRegex(found["words"], r"in overrun r1 \d+ (\d+|-) GET /gil\n", found["log"])
            self.assertIn("in stuck_gil\n", found["words"])

        cases = [("oldest", "sync", "/gil"), ("newest", "sync", "/gil"), ("newest", "gthread", "/gil"), ("newest", "gevent", "/gil")]
        if sys.version_info < (3, 10):
            # gunicorn 19.9.0 has a `selectors` of its own for gthread, which wants `collections.Mapping`.
            cases.append(("oldest", "gthread", "/gil"))
        self.check([*cases, ("newest", UVICORN, "/gil")], check)

    def test_the_stack_of_a_last_chance_ends_where_the_signal_came(self) -> None:
        def check(case: tuple[str, str, str], found: dict[str, Any]) -> None:
            self.assertEqual(frames_of(found["fired"])[-1], "apps.py:stuck_until_signal", found["log"])

        self.check([(version, "sync", "/until_signal") for version in ("oldest", "newest")], check)

    def test_a_long_request_of_a_worker_that_lives_is_no_alarm(self) -> None:
        with running("newest", UVICORN) as server:
            self.assertEqual(server.ask("/long", "r1"), "200")
            self.assertNotIn("fired", server.collector.kinds())
            self.assertFalse(any("most recent call first" in word["text"] for word in server.collector.words))


if __name__ == "__main__":
    unittest.main()
