"""A real server in a process group of its own, with the watchdog and a stand-in collector."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Optional

from stand_in import Collector

HERE = Path(__file__).resolve().parent
BOOT_S = 20.0


class Server:
    """`listening` is the line of its log that tells the port; `path` comes first where Python looks for modules."""

    def __init__(self, command: list[str], listening: str, path: Optional[Path] = None) -> None:
        self.collector = Collector()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OVERRUN_")}
        paths = [str(HERE.parent / "src"), str(HERE), *([str(path)] if path else [])]
        settings = {"PYTHONPATH": os.pathsep.join(paths), "OVERRUN_ENDPOINT": self.collector.url, "OVERRUN_INSTANCE": "web-1"}
        self.process = subprocess.Popen(command, env={**kept, **settings}, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.said(listening))
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
        """The status of the answer, or `reset` where there is none."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}?order=7&token=x", headers={"X-Request-ID": request_id})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            return "reset"

    def stop(self) -> None:
        """At once: asked to stop, gunicorn waits half a minute for a worker that was just booting."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.collector.close()
