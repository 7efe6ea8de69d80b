"""Writes what the watchdog sends, as it is, for the collector's tests to read: `EVENTS`, `LAST_WORDS`, `SIGNAL_WORDS`.

    python tests/payloads.py

Run it when the events change. `test_payloads.py` fails when what is sent has other fields than what lies there.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EVENTS = ROOT / "tests" / "fixtures" / "watchdog" / "python" / "events.jsonl"
LAST_WORDS = ROOT / "tests" / "fixtures" / "last_words" / "python.txt"
SIGNAL_WORDS = LAST_WORDS.with_name("python_signal.txt")
"""The same, once a signal has them written."""
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

SETTINGS = {
    "OVERRUN_MARGIN_MS": "200",
    "OVERRUN_INSTANCE": "web-1",
    "OVERRUN_STACK": "shop",
    "AWS_LAMBDA_FUNCTION_NAME": "checkout",
    "_X_AMZN_TRACE_ID": "Root=1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b;Sampled=1",
}


class Context:
    """What a Lambda handler is given."""

    aws_request_id, function_version = "6f747a63-ce41-11e7-8cfe-3d61dad3d219", "$LATEST"

    def __init__(self) -> None:
        self._deadline = time.time() + 0.6

    def get_remaining_time_in_millis(self) -> float:
        return (self._deadline - time.time()) * 1000


def call_a_silent_server() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{silent.getsockname()[1]}/charge?token=hunter2", timeout=0.55)
    except OSError:
        pass


def native_wait_gil() -> None:
    # Beyond the limit: when the watcher runs again, there is nothing left to warn of.
    ctypes.PyDLL(None).usleep(650_000)


def app(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] == "/native-gil":
        native_wait_gil()
    start_response("200 OK", [])
    return [b"done"]


def produce() -> tuple[list[dict[str, Any]], str, str]:
    """The events of a Lambda invocation that is slow and of a worker's end; the last words of a WSGI request, by a thread and by a signal."""
    from stand_in import Collector

    collector = Collector()
    os.environ.update(SETTINGS, OVERRUN_ENDPOINT=collector.url)
    from overrun_watchdog import section, watch
    from overrun_watchdog.gunicorn import child_exit
    from overrun_watchdog.wsgi import Middleware

    @watch
    def handler(event: Any, context: Any) -> None:
        with section("charge"):
            call_a_silent_server()

    handler({"order": "8831", "password": "hunter2"}, Context())
    collector.of("closed")
    watched = Middleware(app, 600.0, platform="gunicorn")

    def ask(path: str) -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "HTTP_X_REQUEST_ID": "order-7"}
        answer = watched(environ, lambda *_: None)
        b"".join(answer)
        answer.close()  # type: ignore[attr-defined]

    ask("/native-gil")
    collector.settled(lambda: collector.kinds().count("closed") >= 2)
    worker = type("Worker", (), {"aborted": True, "pid": 322, "cfg": type("Config", (), {"timeout": 30})})
    child_exit(None, worker)
    collector.settled(lambda: any(event.get("outcome") == "timed_out" for event in collector.events))
    text = collector.last_words()
    events = [{name: value for name, value in event.items() if not name.startswith("_")} for event in collector.events]
    while "overrun_watchdog.signal_timer" not in sys.modules:
        ask("/fast")
    time.sleep(0.1)
    ask("/native-gil")
    collector.settled(lambda: "produce\n" in collector.last_words()[len(text) :])
    return events, text[text.index("Timeout (") :], collector.last_words()[len(text) :]


def scrub(text: str) -> str:
    """Without this machine's paths."""
    for path, name in ((str(ROOT), "/srv/overrun"), (sys.prefix, "/usr"), (sys.base_prefix, "/usr")):
        text = text.replace(path, name)
    return text


def main() -> None:
    events, words, signal_words = produce()
    lines = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    EVENTS.write_text(scrub(lines))
    LAST_WORDS.write_text(scrub(words))
    SIGNAL_WORDS.write_text(scrub(signal_words))


if __name__ == "__main__":
    main()
