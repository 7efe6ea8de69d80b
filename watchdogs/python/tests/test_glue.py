"""The parts for single platforms and servers, as those call them."""

from __future__ import annotations

import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from child import run
from overrun_watchdog.openfaas import milliseconds
from stand_in import Collector, frames_of

POOLS = ("prefork", "gevent", "threads", "solo")
"""Celery's."""


class Glue(unittest.TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        self.addCleanup(self.collector.close)

    def test_openwhisk(self) -> None:
        program = """
        from overrun_watchdog.openwhisk import watch_main
        @watch_main
        def main(args):
            time.sleep(args["seconds"])
            return {"ok": True}
        os.environ["__OW_ACTIVATION_ID"] = "44794bd6aab74415"
        os.environ["__OW_DEADLINE"] = str(int(time.time() * 1000) + 600)
        say(main({"seconds": 0.58, "token": "x"}))
        """
        ended = run(program, self.collector.url, __OW_ACTION_NAME="/guest/shop/report", __OW_API_HOST="http://owdev")
        self.assertEqual(ended.said, [{"ok": True}], ended.errors)
        fired = self.collector.of("fired")
        self.assertEqual((fired["request_id"], fired["function"]), ("44794bd6aab74415", "/guest/shop/report"))
        self.assertEqual(fired["original_event"], {"seconds": 0.58, "token": "[redacted]"})

    def test_openfaas(self) -> None:
        program = """
        from overrun_watchdog.openfaas import watch_handle
        class Event:
            headers, method, path, body = {"X-Call-Id": "c7a9"}, "POST", "/orders", b"{}"
        @watch_handle
        def handle(event, context): time.sleep(0.58)
        handle(Event, None)
        """
        run(program, self.collector.url, exec_timeout="600ms")
        fired = self.collector.of("fired")
        self.assertEqual((fired["request_id"], fired["limit_ms"], fired["path"]), ("c7a9", 600, "/orders"))
        durations = ["10s", "1m30s", "1.5s", "250ms", "20", "", "0s", "soon", "10 s"]
        self.assertEqual([milliseconds(text) for text in durations], [10_000, 90_000, 1500, 250, 20_000, 0, 0, 0, 0])

    def test_celery_watches_the_limits_that_its_pool_enforces(self) -> None:
        program = """
        import signal
        from celery import Celery, maybe_patch_concurrency
        from overrun_watchdog.celery import watch_tasks
        pool, folder = os.environ["POOL"], os.environ["FOLDER"]
        maybe_patch_concurrency(["celery", "worker", "-P", pool])
        app = Celery("shop", broker="filesystem://")
        app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
        watch_tasks(app)
        main = os.getpid()
        @app.task(name="shop.report", soft_time_limit=2 if pool == "prefork" else 1, time_limit=4 if pool == "prefork" else 2)
        def report(seconds, token):
            time.sleep(seconds)
            if seconds: os.kill(main, signal.SIGTERM)
        report.delay(0, "x")
        say(report.delay(1.6, "x").id)
        app.worker_main(["worker", "-P", pool, "-c", "1", "-l", "ERROR", "--without-gossip", "--without-mingle"])
        """

        def told(pool: str) -> tuple[Any, Any]:
            collector = Collector()
            with tempfile.TemporaryDirectory() as folder:
                ended = run(program, collector.url, OVERRUN_MARGIN_MS="600", POOL=pool, FOLDER=folder)
            collector.close()
            self.assertTrue(ended.said, ended.errors)
            return ended, collector

        with ThreadPoolExecutor(4) as pools:
            found = dict(zip(POOLS, pools.map(told, POOLS)))
        for pool in ("prefork", "gevent"):
            ended, collector = found[pool]
            fired = collector.of("fired")
            self.assertEqual((fired["request_id"], fired["function"], fired["limit_ms"]), (ended.said[0], "shop.report", 2000), pool)
            self.assertEqual({event["request_id"] for event in collector.events}, {ended.said[0]}, pool)
            self.assertIn("<string>:report", frames_of(fired))
        for pool in ("threads", "solo"):
            ended, collector = found[pool]
            self.assertEqual(collector.events, [], pool)
            self.assertEqual(ended.errors.count("does not enforce"), 1, ended.errors)

    def test_wsgi_keeps_the_answer_as_it_is(self) -> None:
        program = """
        from overrun_watchdog.wsgi import Middleware
        class Body:
            closed = False
            def __iter__(self): yield b"a"; time.sleep(0.58); yield b"b"
            def close(self): self.closed = True
        body, file = Body(), None
        app = Middleware(lambda environ, start: body, 600)
        answer = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/rows", "HTTP_X_REQUEST_ID": "a1"}, None)
        parts = [part.decode() for part in answer]
        answer.close()
        class Wrapper(list): pass
        file = Wrapper()
        app = Middleware(lambda environ, start: file, 600)
        app_list = Middleware(lambda environ, start: [b"whole"], 600)
        say([parts, body.closed, app({"wsgi.file_wrapper": Wrapper}, None) is file, len(app_list({}, None))])
        """
        ended = run(program, self.collector.url)
        self.assertEqual(ended.said, [[["a", "b"], True, True, 1]], ended.errors)
        self.assertEqual(self.collector.of("closed")["request_id"], "a1")


if __name__ == "__main__":
    unittest.main()
