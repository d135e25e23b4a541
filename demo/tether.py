"""A command that cannot outlive the process that started it, even when that one is killed with -9.

Belongs here: the tether alone, on the standard library alone, because this file is also run as a script,
``python tether.py OWNER_PID COMMAND [ARGUMENT ...]``.
Does not belong here: what is started, and how it is stopped in the ordinary way.

Linux: the kernel kills the command when the thread that started it ends (``PR_SET_PDEATHSIG``), so start from
the main thread, or from one that lives as long as the command is wanted. Elsewhere (macOS) there is no such
call: a watcher, forked off the command, looks for the owner several times a second and kills the command when
it is gone. Where the owner is a zombie that nobody reaps, the watcher takes it for alive.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_SECONDS = 0.2


def tethered(command: Sequence[str], owner_pid: int) -> list[str]:
    """Give the command line that runs ``command``, under one pid, tethered to its parent ``owner_pid``."""
    return [sys.executable, "-I", "-S", __file__, str(owner_pid), *command]


def die_with(owner_pid: int) -> None:
    """Have this process killed when its parent ``owner_pid`` ends; end at once where it has ended already.

    Lasts across ``exec``, not across ``fork``. Raises OSError where the kernel refuses.
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
    # The watcher's own parent is the watched process, so a reused pid can never be killed by mistake.
    while os.getppid() == watched_pid:
        if not _is_alive(owner_pid):
            os.kill(watched_pid, signal.SIGKILL)
        time.sleep(_LOOK_EVERY_SECONDS)


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
