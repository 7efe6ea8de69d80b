"""What every thread is doing, as file, line and name: no source is read, and no local variable of the user's is looked at."""

from __future__ import annotations

import os
import sys

from .marker import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Optional

    from .watch import Watch

_HERE = os.path.dirname(__file__) + os.sep
THREADS_MAX = 64
FRAMES_MAX = 128


class Stack:
    """One thread, greenlet or task; frames innermost last."""

    __slots__ = ("blocked", "frames", "name", "serving")

    def __init__(self, name: Optional[str], frames: list[FrameType], serving: bool, blocked: Optional[bool] = None) -> None:
        self.name, self.frames, self.serving, self.blocked = name, frames, serving, blocked

    def as_json(self) -> dict[str, Any]:
        """As it is on the wire."""
        frames = [
            {"function": frame.f_code.co_name, "file": frame.f_code.co_filename, "line": frame.f_lineno} for frame in self.frames
        ]
        told: dict[str, Any] = {"name": self.name, "serving": self.serving}
        if self.blocked is not None:
            told["blocked"] = self.blocked
        told["frames"] = frames
        return told


def capture(watch: Watch) -> list[Stack]:
    """The stacks of all threads but the watchdog's own, those that serve the request first."""
    found: list[Stack] = []
    on_thread = False
    for ident, frame in list(sys._current_frames().items()):
        frames = _outwards(frame)
        while frames and _is_ours(frames[-1]):
            # The signal handler, and who asks here.
            frames.pop()
        frames = _interrupted(frames)
        if not frames:
            continue
        marked = any(one.f_code.co_name == watch.marker for one in frames)
        # Tasks and greenlets share their thread with others: only the mark tells whose turn it is.
        shared = watch.coroutine is not None or watch.greenlet is not None
        serving = marked or (ident == watch.thread and not shared)
        on_thread = on_thread or serving
        if serving and not shared:
            frames = _run_in_loop(frames)
        blocked = True if marked and shared else None
        found.append(Stack(_name(ident), frames, serving, blocked))
    if not on_thread:
        found.extend(_waiting(watch))
    found.sort(key=lambda stack: not stack.serving)
    return found[:THREADS_MAX]


def _waiting(watch: Watch) -> list[Stack]:
    """The stack of a request that waits without holding a thread."""
    if watch.coroutine is not None:
        frames = _awaited(watch.coroutine)
        return [Stack("task", frames, True, False)] if frames else []
    frame = getattr(watch.greenlet, "gr_frame", None)
    return [Stack("greenlet", _outwards(frame), True, False)] if frame is not None else []


def _outwards(frame: Optional[FrameType]) -> list[FrameType]:
    frames: list[FrameType] = []
    while frame is not None and len(frames) < FRAMES_MAX:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    return frames


def _is_ours(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_filename.startswith(_HERE) and not code.co_name.startswith(PREFIX)


def _interrupted(frames: list[FrameType]) -> list[FrameType]:
    """Where the thread was when SIGABRT came: gunicorn's handler for it, and what that called, stand on top."""
    for index, frame in enumerate(frames):
        code = frame.f_code
        if code.co_name == "handle_abort" and os.path.basename(os.path.dirname(code.co_filename)) == "workers":
            return frames[:index]
    return frames


def _run_in_loop(frames: list[FrameType]) -> list[FrameType]:
    """Where `asyncio.run` and its like have nothing to do, what they run waits: the loop's own frames do not tell for what."""
    if frames and frames[-1].f_globals.get("__name__") == "selectors":
        for index, frame in enumerate(frames):
            if frame.f_code.co_name == "run_until_complete" and frame.f_globals.get("__name__") == "asyncio.base_events":
                coroutine = getattr(frame.f_locals.get("future"), "get_coro", None)
                return frames[: index + 1] + _awaited(coroutine()) if coroutine is not None else frames
    return frames


def _awaited(coroutine: Any) -> list[FrameType]:
    """Follows what each coroutine waits for; generators stand where old code awaits."""
    frames: list[FrameType] = []
    while coroutine is not None and len(frames) < FRAMES_MAX:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        following = None
        for attribute in ("cr_await", "gi_yieldfrom", "ag_await"):
            following = following or getattr(coroutine, attribute, None)
        coroutine = following
    return frames


def _name(ident: int) -> Optional[str]:
    """A thread's name, without the lock that `threading.enumerate` takes: it may be held by who is stuck."""
    threading = sys.modules.get("threading")
    thread = getattr(threading, "_active", {}).get(ident)
    return getattr(thread, "name", None)
