"""The tether between a process and its owner, where the kernel offers it and where it does not."""

import signal
import subprocess
import sys

import pytest

from demo.tether import tethered

# The held process keeps the pipe open, so the end of the pipe is the end of the process.
_HELD = "import sys, time; print('held', flush=True); time.sleep(600)"
_BY_THE_KERNEL = f"""
import os, subprocess, sys, time
from demo.tether import tethered
subprocess.Popen(tethered([sys.executable, "-c", {_HELD!r}], os.getpid()))
time.sleep(600)
"""
_BY_A_WATCHER = f"""
import os, subprocess, sys, time
held = "from demo.tether import start_watcher; start_watcher(int(sys.argv[1])); "
subprocess.Popen([sys.executable, "-c", "import sys; " + held + {_HELD!r}, str(os.getpid())])
time.sleep(600)
"""


@pytest.mark.parametrize("owner_code", [_BY_THE_KERNEL, _BY_A_WATCHER], ids=["tether", "watcher"])
def test_tethered_process_ends_with_its_killed_owner(owner_code: str) -> None:
    """A tethered process and its watcher end when their owner is killed with -9."""
    with subprocess.Popen([sys.executable, "-c", owner_code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"

        owner.send_signal(signal.SIGKILL)
        owner.wait()

        assert owner.stdout.read() == ""


def test_command_without_its_owner_never_starts() -> None:
    """A command whose owner is not its parent (any more) ends before it does anything."""
    nobody = 2**22 + 1
    command = tethered([sys.executable, "-c", "print('started')"], nobody)

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert str(nobody) in done.stderr
