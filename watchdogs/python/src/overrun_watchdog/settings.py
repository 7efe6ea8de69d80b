"""Settings, from the environment. What cannot be read is said once and left at its default."""

from __future__ import annotations

import os
import sys

from . import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional

MARGIN_MS = 500.0
"""How long before the deadline `fired` is sent."""
MARGIN_SMALL_MS = 1000.0
"""The same for a function with little memory, which has little processor time: 7 % of a core with 128 MB."""
SMALL_MB = 256
MARGIN_MS_MIN = 150.0
"""A first event from 7 % of a core needed up to 138 ms (measured with awslambdaric 4.2.2)."""


class Endpoint:
    """Where the collector listens."""

    __slots__ = ("host", "path", "port", "tls")

    def __init__(self, tls: bool, host: str, port: int, path: str) -> None:
        self.tls, self.host, self.port, self.path = tls, host, port, path

    @classmethod
    def parse(cls, text: str) -> Optional[Endpoint]:
        """Reads `http://host:port/prefix`; `None` for anything else."""
        scheme, separator, rest = text.strip().partition("://")
        if not separator or scheme not in ("http", "https"):
            return None
        authority, _, path = rest.partition("/")
        host, port = authority, ""
        if authority.startswith("["):
            host, _, port = authority[1:].partition("]")
            port = port[1:]
        elif ":" in authority:
            host, _, port = authority.rpartition(":")
        if not host or (port and not port.isdigit()) or not _is_plain(authority + path):
            return None
        number = int(port) if port else (443 if scheme == "https" else 80)
        prefix = "/" + path.strip("/") if path.strip("/") else ""
        return cls(scheme == "https", host, number, prefix) if 0 < number < 65536 else None


def _is_plain(text: str) -> bool:
    return "@" not in text and all(" " < character < "\x7f" for character in text)


class Settings:
    """Everything that can be set. The names of the variables are those of all of Overrun's watchdogs."""

    __slots__ = (
        "disabled",
        "endpoint",
        "function",
        "instance",
        "last_words",
        "margin_ms",
        "near_miss_share",
        "original_event",
        "redact",
        "stack",
        "token",
    )

    def __init__(self, environment: Optional[Mapping[str, str]] = None) -> None:
        read = _Reader(os.environ if environment is None else environment)
        self.disabled = read.flag("OVERRUN_DISABLED", False)
        self.endpoint = read.endpoint("OVERRUN_ENDPOINT", "http://127.0.0.1:4318")
        self.token = read.token("OVERRUN_TOKEN")
        self.margin_ms = read.margin("OVERRUN_MARGIN_MS", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.near_miss_share = read.number("OVERRUN_NEAR_MISS_SHARE", 0.5, 0.0, 1.0)
        self.stack = read.text("OVERRUN_STACK")
        self.function = read.text("OVERRUN_FUNCTION") or read.text("AWS_LAMBDA_FUNCTION_NAME")
        # The names that log lines come under: Lambda's log stream, and what `overrun ship` calls the machine.
        self.instance = read.text("OVERRUN_INSTANCE") or read.text("AWS_LAMBDA_LOG_STREAM_NAME") or os.uname().nodename
        self.redact = tuple(part.strip().lower() for part in read.text("OVERRUN_REDACT").split(",") if part.strip())
        self.original_event = read.flag("OVERRUN_ORIGINAL_EVENT", True)
        self.last_words = read.last_words("OVERRUN_LAST_WORDS", self.disabled) and sys.implementation.name == "cpython"


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def flag(self, name: str, default: bool) -> bool:
        found = self.text(name).lower()
        if found in ("1", "true", "yes", "on"):
            return True
        if found in ("0", "false", "no", "off"):
            return False
        if found:
            say.once(f"expected `{name}` to be 0 or 1, found `{found[:64]}`")
        return default

    def last_words(self, name: str, disabled: bool) -> bool:
        # Reading stacks while Python code runs can crash older ones: whoever wants it there has to say so.
        harmless = tuple(sys.version_info) >= (3, 11)
        if not harmless and not disabled and not self.text(name):
            say.once(
                f"expected CPython 3.11 or newer, found {sys.version_info[0]}.{sys.version_info[1]}: a request that holds the interpreter "
                f"lock cannot be told of in here; with `{name}=1` it is, at a small risk of crashing, and `{name}=0` keeps this quiet"
            )
        return self.flag(name, harmless)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        found = self.text(name)
        if not found:
            return default
        try:
            value = float(found)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            say.once(f"expected `{name}` to be a number from {least:g} to {most:g}, found `{found[:64]}`")
            return default
        return value

    def margin(self, name: str, memory: str) -> float:
        granted = self.text(memory)
        small = granted.isdigit() and int(granted) < SMALL_MB
        default = MARGIN_SMALL_MS if small else MARGIN_MS
        return self.number(name, default, MARGIN_MS_MIN, 3_600_000.0)

    def endpoint(self, name: str, default: str) -> Optional[Endpoint]:
        found = self.text(name) or default
        endpoint = Endpoint.parse(found)
        if endpoint is None:
            say.once(f"expected `{name}` like `{default}`, found something else; events go to standard output")
        return endpoint

    def token(self, name: str) -> str:
        found = self.text(name)
        if _is_plain(found.replace("@", "")):
            return found
        say.once(f"expected `{name}` to be printable characters without spaces; it is not used")
        return ""
