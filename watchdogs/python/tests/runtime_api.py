"""Lambda's Runtime API, as far as awslambdaric asks it, and a process of it that is killed at its deadline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"


class Invocation:
    """One event that a function is given."""

    def __init__(self, event: Any, limit_s: float) -> None:
        self.event, self.limit_s = event, limit_s
        self.request_id = str(uuid.uuid4())
        self.began_at = 0.0
        self.ended_at = 0.0
        self.killed = False
        self.answer: Any = None
        self.done = threading.Event()

    @property
    def deadline_at(self) -> float:
        return self.began_at + self.limit_s


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is killed resets its connection; that is what is being tested."""


class Function:
    """A process with awslambdaric in it, and the API that it talks to."""

    def __init__(self, collector_url: str, handler: str = "functions.handler", **environment: str) -> None:
        self._waiting: Queue[Optional[Invocation]] = Queue()
        self._running: dict[str, Invocation] = {}
        function = self

        class Api(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                function.give(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                function.take(self, body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Api)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        settings = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "checkout",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/checkout",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/27/[$LATEST]1f",
            "LAMBDA_TASK_ROOT": str(HERE),
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE}",
            "OVERRUN_ENDPOINT": collector_url,
            "OVERRUN_MARGIN_MS": "300",
            "OVERRUN_LAST_WORDS": "1",
            **environment,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERRUN_")}
        command = [sys.executable, "-m", "awslambdaric", handler]
        self.process = subprocess.Popen(command, env={**kept, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE)

    def invoke(self, event: Any, limit_s: float = 1.0) -> Invocation:
        """Gives it an event, and kills it at the deadline if it has not answered."""
        invocation = Invocation(event, limit_s)
        self._waiting.put(invocation)
        while not invocation.began_at and self.process.poll() is None:
            time.sleep(0.001)
        if not invocation.done.wait(max(invocation.deadline_at - time.time(), 0)):
            invocation.killed = True
            invocation.ended_at = time.time()
            self.process.send_signal(signal.SIGKILL)
        return invocation

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> tuple[str, str]:
        """Ends it; what it has printed."""
        self.process.kill()
        out, errors = self.process.communicate()
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        return out.decode(), errors.decode()

    def give(self, request: BaseHTTPRequestHandler) -> None:
        invocation = self._waiting.get()
        if invocation is None:
            return
        body = json.dumps(invocation.event).encode()
        invocation.began_at = time.time()
        self._running[invocation.request_id] = invocation
        request.send_response(200)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(round(invocation.deadline_at * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:checkout",
            "Lambda-Runtime-Trace-Id": "Root=1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b;Parent=53995c3f42cd8ad8;Sampled=1",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def take(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = request.path.split("/")
        invocation = self._running.pop(parts[-2], None)
        if invocation is not None:
            invocation.ended_at = time.time()
            invocation.answer = {"path": parts[-1], "body": json.loads(body or b"null")}
            invocation.done.set()
        request.send_response(202)
        request.send_header("Content-Length", "0")
        request.end_headers()
