"""Calls that are open, read off the stacks of real libraries that talk to a server which never answers."""

from __future__ import annotations

import socket
import sys
import threading
import unittest
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))

from child import run
from stand_in import Collector

# The watched request gives up when it has been told of: what it waits for is left behind in a thread that dies with the process.
PROGRAM = """
port = int(os.environ["SILENT"])
url = f"http://127.0.0.1:{port}/charge?token=hunter2"
%s
def call():
    %s
limit_ms = int(os.environ["LIMIT_MS"])
@watch(limit_ms=limit_ms)
def handler():
    call()
import threading
thread = threading.Thread(target=handler, daemon=True)
thread.start()
thread.join(limit_ms / 1000 + 0.4)
os._exit(0)
"""
LIMITS_MS = (600, 2400, 9600)
"""Where the machine has so much else to do that a call is not under way by when it is told of, it is given more time."""


class Calls(unittest.TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        self.addCleanup(self.collector.close)
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.silent.close)
        self.port = self.silent.getsockname()[1]

    def check(self, call: str, *wanted: tuple[str, str, Optional[int]]) -> None:
        """What a call shows as: operation, target, timeout."""
        before, _, last = call.rpartition("\n")
        self.check_program(PROGRAM % (before, last), *wanted)

    def check_program(self, program: str, *wanted: tuple[str, str, Optional[int]]) -> None:
        """What the call of a program shows as."""
        for limit_ms in LIMITS_MS:
            self.collector.events.clear()
            ended = run(program, self.collector.url, SILENT=str(self.port), LIMIT_MS=str(limit_ms))
            fired = self.collector.of("fired", 2)
            found = [(one["operation"], one.get("target"), one.get("client_timeout_ms", "not known")) for one in fired.get("in_flight", ())]
            if found == list(wanted):
                break
        self.assertEqual(found, list(wanted), f"{program}\n{ended.errors}")
        for one in fired["in_flight"]:
            # It began at the start of the request, or was seen by the time that a tenth of the budget was gone.
            self.assertLess(one["started_at"], fired["observed_at"])

    def test_urllib3_requests_and_botocore(self) -> None:
        where = f"127.0.0.1:{self.port}"
        cases = [
            ("import urllib3\nurllib3.PoolManager().request('GET', url, retries=False)", "GET", f"{where}/charge", None),
            ("import requests\nrequests.post(url, data=b'x')", "POST", f"{where}/charge", None),
            ("import requests\nrequests.get(url, timeout=(1, 5))", "GET", f"{where}/charge", 5000),
        ]
        for call, operation, target, timeout in cases:
            self.check(call, (operation, target, timeout))
        call = (
            "import botocore.session\nsession = botocore.session.get_session()\n"
            "client = session.create_client('sqs', region_name='eu-central-1', endpoint_url=f'http://127.0.0.1:{port}',"
            " aws_access_key_id='a', aws_secret_access_key='b')\n"
            "client.list_queues()"
        )
        self.check(call, ("sqs.ListQueues", where, 60_000))

    def test_http_client(self) -> None:
        where = f"127.0.0.1:{self.port}"
        for timeout, told in (("", None), (", timeout=7", 7000)):
            self.check(f"import urllib.request\nurllib.request.urlopen(url{timeout})", ("GET", where, told))

    def test_httpx_in_threads_and_in_tasks(self) -> None:
        where = f"127.0.0.1:{self.port}/charge"
        for call, timeout in (
            ("import httpx\nhttpx.get(url)", 5000),
            ("import httpx\nhttpx.get(url, timeout=None)", None),
        ):
            self.check(call, ("GET", where, timeout))

    def test_a_coroutine_that_waits_for_httpx(self) -> None:
        program = """
        import asyncio, httpx
        url = f"http://127.0.0.1:{os.environ['SILENT']}/charge"
        limit_ms = int(os.environ["LIMIT_MS"])
        async def call():
            async with httpx.AsyncClient(timeout=None) as client: await client.get(url)
        handler = watch(call, limit_ms=limit_ms)
        async def main():
            try: await asyncio.wait_for(handler(), limit_ms / 1000 + 0.1)
            except asyncio.TimeoutError: pass
        asyncio.run(main())
        """
        self.check_program(program, ("GET", f"127.0.0.1:{self.port}/charge", None))

    def test_a_loop_that_a_function_runs_for_httpx(self) -> None:
        call = "import asyncio, httpx\nasyncio.run(httpx.AsyncClient(timeout=None).get(url))"
        self.check(call, ("GET", f"127.0.0.1:{self.port}/charge", None))

    def test_psycopg_that_connects_and_that_waits_for_an_answer(self) -> None:
        connect = "psycopg.connect(f'host=127.0.0.1 port={port} dbname=shop sslmode=disable gssencmode=disable%s')"
        self.check("import psycopg\n" + connect % " connect_timeout=3", ("connect", f"127.0.0.1:{self.port}", 3000))
        threading.Thread(target=self.admit, daemon=True).start()
        query = "import psycopg\nconnection = " + connect % "" + "\nconnection.execute('select pg_sleep(60)')"
        self.check(query, ("SELECT", "127.0.0.1/shop", None))

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
        target = f"127.0.0.1:{self.port}"
        self.check("import requests\nrequests.get(url)", ("GET", f"{target}/charge", None), ("connect", target, None))

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
