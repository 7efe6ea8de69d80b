"""Calls that are open, read off the stacks of real libraries that talk to a server which never answers."""

from __future__ import annotations

import socket
import sys
import threading
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from child import run
from stand_in import Collector

# The watched request gives up after half a second: what it waits for is left behind in a thread that dies with the process.
PROGRAM = """
port = int(os.environ["SILENT"])
url = f"http://127.0.0.1:{port}/charge?token=hunter2"
%s
def call():
    %s
@watch(limit_ms=600)
def handler():
    call()
import threading
thread = threading.Thread(target=handler, daemon=True)
thread.start()
thread.join(1.0)
os._exit(0)
"""


class Calls(unittest.TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        self.addCleanup(self.collector.close)
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.silent.close)
        self.port = self.silent.getsockname()[1]

    def open_calls(self, call: str) -> list[dict[str, Any]]:
        before, _, last = call.rpartition("\n")
        ended = run(PROGRAM % (before, last), self.collector.url, SILENT=str(self.port))
        fired = self.collector.of("fired", 2)
        self.assertTrue(fired, ended.errors)
        for one in fired["in_flight"]:
            # It began at the start of the request, or was seen by the time that a tenth of the budget was gone.
            self.assertLess(one.pop("started_at"), fired["observed_at"])
        return list(fired["in_flight"])

    def test_urllib3_requests_and_botocore(self) -> None:
        where = f"127.0.0.1:{self.port}"
        cases = [
            ("import urllib3\nurllib3.PoolManager().request('GET', url, retries=False)", "GET", f"{where}/charge", None),
            ("import requests\nrequests.post(url, data=b'x')", "POST", f"{where}/charge", None),
            ("import requests\nrequests.get(url, timeout=(1, 5))", "GET", f"{where}/charge", 5000),
        ]
        for call, operation, target, timeout in cases:
            self.assertEqual(self.open_calls(call), [{"operation": operation, "target": target, "client_timeout_ms": timeout}], call)
            self.collector.events.clear()
        call = (
            "import botocore.session\nsession = botocore.session.get_session()\n"
            "client = session.create_client('sqs', region_name='eu-central-1', endpoint_url=f'http://127.0.0.1:{port}',"
            " aws_access_key_id='a', aws_secret_access_key='b')\n"
            "client.list_queues()"
        )
        self.assertEqual(self.open_calls(call), [{"operation": "sqs.ListQueues", "target": where, "client_timeout_ms": 60_000}])

    def test_http_client(self) -> None:
        where = f"127.0.0.1:{self.port}"
        for timeout, told in (("", None), (", timeout=7", 7000)):
            call = f"import urllib.request\nurllib.request.urlopen(url{timeout})"
            self.assertEqual(self.open_calls(call), [{"operation": "GET", "target": where, "client_timeout_ms": told}])
            self.collector.events.clear()

    def test_httpx_in_threads_and_in_tasks(self) -> None:
        where = f"127.0.0.1:{self.port}/charge"
        for call, timeout in (
            ("import httpx\nhttpx.get(url)", 5000),
            ("import httpx\nhttpx.get(url, timeout=None)", None),
        ):
            self.assertEqual(self.open_calls(call), [{"operation": "GET", "target": where, "client_timeout_ms": timeout}])
            self.collector.events.clear()

    def test_a_coroutine_that_waits_for_httpx(self) -> None:
        program = """
        import asyncio, httpx
        url = f"http://127.0.0.1:{os.environ['SILENT']}/charge"
        @watch(limit_ms=800)
        async def handler():
            async with httpx.AsyncClient(timeout=None) as client: await client.get(url)
        async def main():
            try: await asyncio.wait_for(handler(), 0.9)
            except asyncio.TimeoutError: pass
        asyncio.run(main())
        """
        run(program, self.collector.url, SILENT=str(self.port))
        (call,) = self.collector.of("fired")["in_flight"]
        self.assertEqual((call["operation"], call["client_timeout_ms"]), ("GET", None))

    def test_psycopg_that_connects_and_that_waits_for_an_answer(self) -> None:
        connect = "psycopg.connect(f'host=127.0.0.1 port={port} dbname=shop sslmode=disable gssencmode=disable%s')"
        found = self.open_calls("import psycopg\n" + connect % " connect_timeout=3")
        self.assertEqual(found, [{"operation": "connect", "target": f"127.0.0.1:{self.port}", "client_timeout_ms": 3000}])
        self.collector.events.clear()
        threading.Thread(target=self.admit, daemon=True).start()
        found = self.open_calls("import psycopg\nconnection = " + connect % "" + "\nconnection.execute('select pg_sleep(60)')")
        self.assertEqual(found, [{"operation": "SELECT", "target": "127.0.0.1/shop", "client_timeout_ms": None}])

    def admit(self) -> None:
        """Lets every client of Postgres in, and answers no query."""
        while True:
            try:
                connection, _ = self.silent.accept()
            except OSError:
                return
            connection.recv(4096)
            connection.sendall(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
            self.addCleanup(connection.close)

    def test_connect_that_hangs(self) -> None:
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.full()))
        found = self.open_calls("import requests\nrequests.get(url)")
        self.assertEqual(
            found,
            [
                {"operation": "GET", "target": f"127.0.0.1:{self.port}/charge", "client_timeout_ms": None},
                {"operation": "connect", "target": f"127.0.0.1:{self.port}", "client_timeout_ms": None},
            ],
        )

    def full(self) -> int:
        """A port whose queue of connections is full."""
        if self.silent.getsockname()[1] == self.port and not hasattr(self, "_full"):
            self._full = socket.socket()
            self.addCleanup(self._full.close)
            self._full.bind(("127.0.0.1", 0))
            self._full.listen(0)
            self.port = self._full.getsockname()[1]
        return self.port


if __name__ == "__main__":
    unittest.main()
