"""A Python that cannot be used is named, with what to do about it."""

import shutil
import subprocess
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def _interpreter(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def _check(python: str) -> subprocess.CompletedProcess[str]:
    """Run the target that every environment depends on, and that makes nothing itself."""
    command = ["make", "--no-print-directory", "interpreter", f"PYTHON={python}"]
    return subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)


def test_a_shim_that_fails_is_named(tmp_path: Path) -> None:
    """The pyenv shims put a python3.13 in the path that fails unless that version is selected."""
    shim = _interpreter(tmp_path / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")

    done = _check(shim)

    assert done.returncode != 0
    assert f"PYTHON={shim} does not run: pyenv: python3.13: command not found" in done.stderr
    assert "PYENV_VERSION=" in done.stderr


def test_an_interpreter_that_is_missing_is_named() -> None:
    """A name with a typing error is repeated in the message."""
    done = _check("/nowhere/python3.12")

    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3.12 does not run" in done.stderr


def test_an_old_interpreter_is_named_with_its_version(tmp_path: Path) -> None:
    """The system's own Python may be older than the project supports."""
    old = _interpreter(tmp_path / "python3", "echo 3.9")

    done = _check(old)

    assert done.returncode != 0
    assert f"PYTHON={old} is Python 3.9, and 3.11 is the oldest" in done.stderr


@pytest.mark.parametrize("version", ["3.11", "3.14"])
def test_a_supported_interpreter_is_accepted(tmp_path: Path, version: str) -> None:
    """The check prints nothing for it."""
    done = _check(_interpreter(tmp_path / "python3", f"echo {version}"))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
