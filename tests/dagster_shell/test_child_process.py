"""What a publisher hears of a process of its own."""

import time
from pathlib import Path
from typing import Any

import pytest

from schedules_pipeline.jobs import child_process
from schedules_pipeline.jobs.child_process import ChildProcess

_CHILD = """
import sys
sys.stdin.read()
for line in ("1", "half a li", '["last"]'):
    print(line, flush=True)
"""


def test_a_line_that_is_not_understood_does_not_hide_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last lines of a process are heard, too, before its publisher goes on."""
    (tmp_path / "stray_process.py").write_text(_CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(child_process, "_LAST_LINES_SECONDS", 60)
    heard: list[Any] = []

    def hear(line: Any) -> None:
        # As a database that takes its time.
        time.sleep(0.1)
        heard.append(line[0])

    child = ChildProcess("stray_process", _NoLog(), lambda: None, hear, 60)
    child.start()
    child.close()

    assert heard == ["last"]


class _NoLog:
    def info(self, msg: str) -> None:
        """Nothing is told."""

    def warning(self, msg: str) -> None:
        """Nothing is told."""
