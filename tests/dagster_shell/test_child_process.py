"""What a publisher hears of a process of its own."""

from pathlib import Path
from typing import Any

import pytest

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
    heard: list[Any] = []
    child = ChildProcess("stray_process", _NoLog(), lambda: None, lambda line: heard.append(line[0]), 60)
    child.start()
    child.close()

    assert heard == ["last"]


class _NoLog:
    def info(self, msg: str) -> None:
        """Nothing is told."""

    def warning(self, msg: str) -> None:
        """Nothing is told."""
