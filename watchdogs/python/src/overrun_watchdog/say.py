"""What is wrong with the set-up is said once on standard error, and never costs a request."""

from __future__ import annotations

import os

_said: set[str] = set()


def once(text: str) -> None:
    """Writes one line to standard error, unless it has been written before."""
    if text in _said:
        return
    _said.add(text)
    try:
        os.write(2, f"overrun-watchdog: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass
