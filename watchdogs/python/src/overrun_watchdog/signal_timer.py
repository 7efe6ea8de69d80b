"""A timer of the kernel's whose signal has the stacks written: arming it is a system call, and no thread.

`faulthandler.register` sets a handler in C that needs no interpreter lock. The signal goes to one thread (`SIGEV_THREAD_ID`), which is
ours, so nothing of the user's is interrupted. That thread does nothing but wait: the handler leaves `errno` changed (CPython 3.9 to
3.13), and a thread that is about to read it takes a lock for acquired that is not.

What a real-time signal does without a handler is to end the process. So the handler goes last: `drop` deletes the timer, has what
that has sent thrown away, and only then gives the signal back. A forked child has the handler, but neither the timer nor its signals.

Layouts of `sigevent`, `itimerspec` and `sigaction` as Linux has them on these machines, with glibc and musl alike
(timer_create(2), sigevent(3type), sigaction(2); read in November 2026).
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import struct
import sys
import time
from _thread import get_native_id

from . import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MACHINES = ("x86_64", "aarch64")
SIGEV_THREAD_ID = 4
TIMER_ABSTIME = 1
SIG_DFL, SIG_IGN = 0, 1
SIGACTION_BYTES = 256
"""More than any `struct sigaction` has; the handler is its first word."""
SIGEVENT_BYTES = 64
START_S_MAX = 1.0
SETTLE_S_MAX = 1.0
"""How long whoever disarms waits for stacks that are being written: with 50 threads it took 28 ms of a whole core."""

_PERIOD_AND_MOMENT = struct.Struct("@qqqq")
_DISARMED = bytes(_PERIOD_AND_MOMENT.size)


class _Functions:
    """What is called of the C library. All keep the interpreter lock: none of them waits."""

    def __init__(self) -> None:
        libc = ctypes.PyDLL(None)
        # glibc before 2.34 has timers in a library of their own.
        timers = libc if hasattr(libc, "timer_create") else ctypes.PyDLL("librt.so.1")
        number, pointer, text = ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
        self.sigaction, self.signal = libc.sigaction, libc.signal
        self.sigaction.argtypes = (number, pointer, pointer)
        self.signal.argtypes, self.signal.restype = (number, pointer), pointer
        self.create, self.set, self.delete = timers.timer_create, timers.timer_settime, timers.timer_delete
        self.create.argtypes = (number, text, pointer)
        self.set.argtypes = (pointer, number, text, pointer)
        self.delete.argtypes = (pointer,)
        self._action = ctypes.create_string_buffer(SIGACTION_BYTES)
        self._found = pointer.from_buffer(self._action)

    def handler_of(self, number: int) -> int:
        """The address of a signal's handler, also of one that is not Python's."""
        self.sigaction(number, None, self._action)
        return self._found.value or SIG_DFL


class SignalTimer:
    """Writes the stacks to a descriptor. Raises `OSError` where that cannot be done, or another error where the C library is another one."""

    def __init__(self, descriptor: int) -> None:
        if sys.platform != "linux" or os.uname().machine not in MACHINES or sys.maxsize < 1 << 32:
            raise OSError("the layouts are not known here")
        self._c, self._timer, self._at = _Functions(), ctypes.c_void_p(), 0.0
        # Whoever waits for a signal by `sigwait` or a descriptor has it blocked, and no handler.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        free = (n for n in range(signal.SIGRTMAX, signal.SIGRTMIN - 1, -1) if n not in blocked and self._c.handler_of(n) == SIG_DFL)
        self._number = next(free, 0)
        if not self._number:
            raise OSError("no real-time signal is free")
        self._start()
        faulthandler.register(self._number, file=descriptor, all_threads=True, chain=False)
        self._handler = self._c.handler_of(self._number)
        event = struct.pack("@Piii", 0, self._number, SIGEV_THREAD_ID, self._thread).ljust(SIGEVENT_BYTES, b"\0")
        if self._c.create(time.CLOCK_MONOTONIC, event, ctypes.byref(self._timer)):
            faulthandler.unregister(self._number)
            self._leave()
            raise OSError("expected a timer, found none")

    def _start(self) -> None:
        """Starts the thread, and waits until it is there."""
        lock, start = original.attribute("_thread", "allocate_lock"), original.attribute("_thread", "start_new_thread")
        self._thread, self._is_dropped, self._bell, started = 0, False, lock(), lock()
        self._bell.acquire()
        started.acquire()
        start(self._wait, (started,))
        if not started.acquire(True, START_S_MAX):
            self._is_dropped = True
            raise OSError("expected a thread to start, waited too long")

    def _wait(self, started: Any) -> None:
        """The thread."""
        self._thread = get_native_id()
        # The handler writes, and the collector may be gone.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        started.release()
        while not self._is_dropped:
            self._bell.acquire()

    def arm(self, at: float) -> None:
        """Has the stacks written at that moment of `time.monotonic`. Raises `OSError` when the signal has become another's."""
        moment = _PERIOD_AND_MOMENT.pack(0, 0, int(at), int(at % 1 * 1e9))
        if not self._is_ours() or self._c.set(self._timer, TIMER_ABSTIME, moment, None):
            raise OSError("the signal or the timer is gone")
        self._at = at

    def disarm(self) -> None:
        """Has nothing written from here on; waits for what is being written."""
        self._c.set(self._timer, 0, _DISARMED, None)
        at, self._at = self._at, 0.0
        if 0.0 < at <= time.monotonic():
            sleep, until = original.attribute("time", "sleep"), time.monotonic() + SETTLE_S_MAX
            while self._is_writing() and time.monotonic() < until:
                sleep(0.001)

    def drop(self) -> None:
        """Gives timer and signal back."""
        self.disarm()
        self._c.delete(self._timer)
        if self._is_ours():
            # To ignore a signal is to throw away those that wait.
            self._c.signal(self._number, SIG_IGN)
            faulthandler.unregister(self._number)
        self._leave()

    def forget(self) -> None:
        """The same in a forked child."""
        if self._is_ours():
            faulthandler.unregister(self._number)

    def _leave(self) -> None:
        """Lets the thread end."""
        self._is_dropped = True
        self._bell.release()

    def _is_ours(self) -> bool:
        return self._c.handler_of(self._number) == self._handler

    def _is_writing(self) -> bool:
        """Whether the signal waits for the thread, or the thread is in its handler, where the signal is blocked."""
        try:
            with open(f"/proc/self/task/{self._thread}/status", "rb") as status:
                lines = status.read().splitlines()
        except OSError:
            return False
        signals = [int(line.split()[1], 16) for line in lines if line.startswith((b"SigPnd:", b"SigBlk:"))]
        return any(found >> (self._number - 1) & 1 for found in signals)
