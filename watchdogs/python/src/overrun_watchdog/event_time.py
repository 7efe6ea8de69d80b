"""Moments as they are on the wire."""

from __future__ import annotations

import time


def stamp(at: float) -> str:
    """Seconds since 1970 as RFC 3339."""
    whole = int(at // 1)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((at - whole) * 1e6):06d}Z"
