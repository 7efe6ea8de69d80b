"""Real gunicorn, the oldest and the newest that is supported, with every kind of worker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from stand_in import Collector, frames_of

OLDEST = Path(sys.prefix) / "gunicorn-19.9.0"
"""Installed beside the newest by scripts/test-peers."""
RUN = "import sys; sys.argv[0] = 'gunicorn'; from gunicorn.app.wsgiapp import run; run()"
BOOT_S = 20.0


class Server:
    """gunicorn with one worker, `--timeout 2` and nothing but our hooks."""

    def __init__(self, version: str, worker: str) -> None:
        self.collector = Collector()
        self._dir = tempfile.TemporaryDirectory()
        configuration = Path(self._dir.name) / "gunicorn.conf.py"
        configuration.write_text("from overrun_watchdog.gunicorn import *\n")
        path = [str(HERE.parent / "src"), str(HERE), *([str(OLDEST)] if version == "oldest" else [])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERRUN_")}
        settings = {"PYTHONPATH": os.pathsep.join(path), "OVERRUN_ENDPOINT": self.collector.url, "OVERRUN_INSTANCE": "web-1"}
        app = "apps:asgi" if "uvicorn" in worker else "apps:wsgi"
        command = [sys.executable, "-c", RUN, app, "--bind=127.0.0.1:0", "--workers=1", "--timeout=2", f"--worker-class={worker}"]
        self.process = subprocess.Popen(
            [*command, f"--config={configuration}", "--log-level=info"], env={**kept, **settings}, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.said(r"Listening at: http://127\.0\.0\.1:(\d+)"))
        # The last words' connection is opened before the worker takes requests.
        self.collector.settled(lambda: self.collector.words, BOOT_S)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def said(self, pattern: str) -> str:
        """What the first group of a pattern is in the log, once it is there."""
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until:
            for line in list(self.lines):
                found = re.search(pattern, line)
                if found:
                    return found[1]
            time.sleep(0.02)
        raise AssertionError(f"no line like {pattern} in\n{''.join(self.lines)}")

    def ask(self, path: str, request_id: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}?order=7&token=x", headers={"X-Request-ID": request_id})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            return "reset"

    def stop(self) -> None:
        # Asked to stop, gunicorn waits half a minute for a worker that was just booting.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.collector.close()
        self._dir.cleanup()


def told(version: str, worker: str, path: str) -> dict[str, Any]:
    """What is told of a request that gets stuck."""
    server = Server(version, worker)
    try:
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
    finally:
        server.stop()


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

        # gunicorn 19.9.0's gthread does not start with a Python that has no `asyncio.selectors`.
        cases = [("oldest", "sync", "/gil"), ("newest", "sync", "/gil"), ("newest", "gthread", "/gil"), ("newest", "gevent", "/gil")]
        self.check([*cases, ("newest", UVICORN, "/gil")], check)

    def test_a_long_request_of_a_worker_that_lives_is_no_alarm(self) -> None:
        for worker, path in ((UVICORN, "/long"),):
            server = Server("newest", worker)
            try:
                self.assertEqual(server.ask(path, "r1"), "200")
                self.assertNotIn("fired", server.collector.kinds())
                self.assertFalse(any("most recent call first" in word["text"] for word in server.collector.words))
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main()
