"""Ties a command to the process that started it: it ends with that process, even after ``kill -9``.

This file is also run as a script, ``python tether.py OWNER_PID COMMAND [ARGUMENT ...]``, so it imports the standard
library alone.

On Linux the kernel kills the command when the thread that started it ends (``PR_SET_PDEATHSIG``), so start it from the
main thread or from one that lives as long. macOS has no such call: a watcher process checks five times a second whether
the owner exists, and kills the command if it does not. The watcher cannot tell an unreaped zombie from a live owner.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_CHECK_EVERY_SECONDS = 0.2


def tethered(command: Sequence[str], owner_pid: int) -> list[str]:
    """Return the command line that runs ``command`` under one pid, tied to its parent ``owner_pid``."""
    return [sys.executable, "-I", "-S", __file__, str(owner_pid), *command]


def die_with(owner_pid: int) -> None:
    """Kill this process when its parent ``owner_pid`` ends, at once if it has ended already.

    The effect survives ``exec`` but not ``fork``. Raises OSError if the kernel refuses.
    """
    if sys.platform == "linux":
        _ask_the_kernel()
    else:
        start_watcher(owner_pid)
    if os.getppid() != owner_pid:
        raise SystemExit(f"process {owner_pid}, which this one belongs to, is not its parent or has ended")


def start_watcher(owner_pid: int) -> None:
    """Fork a process that kills this one when ``owner_pid`` ends, and ends with this one."""
    watched_pid = os.getpid()
    if os.fork() == 0:
        _watch(owner_pid, watched_pid)
        os._exit(0)


def _ask_the_kernel() -> None:
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")


def _watch(owner_pid: int, watched_pid: int) -> None:
    # The watcher is a child of the watched process, so it never kills a process that got the same pid later.
    while os.getppid() == watched_pid:
        if not _is_alive(owner_pid):
            os.kill(watched_pid, signal.SIGKILL)
        time.sleep(_CHECK_EVERY_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _run(owner_pid: int, command: Sequence[str]) -> None:
    die_with(owner_pid)
    try:
        os.execvp(command[0], list(command))
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error.strerror}") from error


if __name__ == "__main__":
    _run(int(sys.argv[1]), sys.argv[2:])
