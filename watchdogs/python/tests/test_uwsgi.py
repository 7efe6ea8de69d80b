"""Real uWSGI, as the wheel that it is packed in, with a master that ends workers."""

from __future__ import annotations

import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from server import Server
from stand_in import frames_of

APP = "from apps import wsgi; from overrun_watchdog.uwsgi import watched; application = watched(wsgi)"
THREADS = "--enable-threads"


def told(path: str, *options: str) -> dict[str, Any]:
    """What has been told of a first request that gets stuck, by when its worker is ended."""
    command = [str(Path(sys.executable).with_name("pyuwsgi")), "--http-socket=127.0.0.1:0", "--eval", APP, "--master", "--harakiri=3"]
    server = Server([*command, *options], r"bound to TCP address 127\.0\.0\.1:(\d+) \(port auto-assigned")
    try:
        answered, ended_at = server.ask(path, "r1"), time.time()
        pid = int(server.said(r"HARAKIRI ON WORKER 1 \(pid: (\d+)"))
        words = "".join(word["text"] for word in server.collector.words if word["at"] < ended_at)
        fired = next((event for event in server.collector.events if event["kind"] == "fired" and event["_at"] < ended_at), {})
        return {"answered": answered, "pid": pid, "words": words, "fired": fired, "log": "".join(server.lines)}
    finally:
        server.stop()


class Uwsgi(unittest.TestCase):
    def test_a_stuck_request_is_told_of_before_the_master_acts(self) -> None:
        cases = [("/sleep", THREADS), ("/sleep", "--threads=2"), ("/gil", THREADS), ("/gil", THREADS, "--lazy-apps"), ("/gil",)]
        with ThreadPoolExecutor(3) as pool:
            for case, found in zip(cases, pool.map(lambda case: told(*case), cases)):
                with self.subTest(case=case):
                    self.assertEqual(found["answered"], "reset", found["log"])
                    if case[0] == "/gil":
                        self.assertRegex(found["words"], r'"platform": "uwsgi", "limit_ms": 3000\.0')
                        self.assertRegex(found["words"], r"in overrun r1 \d+ \d+ GET /gil\n", found["log"])
                        self.assertIn("in stuck_gil\n", found["words"])
                    else:
                        fired = found["fired"]
                        self.assertEqual((fired.get("request_id"), fired.get("pid"), fired.get("limit_ms")), ("r1", found["pid"], 3000), found["log"])
                        self.assertIn("apps.py:stuck_sleep", frames_of(fired))
                        self.assertGreater(fired["left_ms"], 0)


if __name__ == "__main__":
    unittest.main()
