"""A worker that hangs: its thread is held as a debugger does it, the others go on."""

import contextlib
import ctypes
import os
import pathlib

import pytest

ATTACH, DETACH = 16, 17
ALL_THREADS = 0x40000000  # __WALL


def ptrace(request, task):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, task, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@contextlib.contextmanager
def held(proxy, worker):
    """The worker of that number stands still; skips the test where the machine allows no such thing."""
    tasks = pathlib.Path(f"/proc/{proxy.pid}/task")
    thread = next(int(t.name) for t in tasks.iterdir() if (t / "comm").read_text() == f"worker-{worker}\n")
    try:
        ptrace(ATTACH, thread)
    except OSError:
        pytest.skip("this machine allows no ptrace")
    os.waitpid(thread, ALL_THREADS)
    try:
        yield
    finally:
        ptrace(DETACH, thread)
