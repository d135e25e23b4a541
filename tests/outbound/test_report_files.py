"""Reports as files: complete, and limited in number."""

from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path

import pytest

from schedules_pipeline.outbound.report_files import ReportFiles

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def test_a_report_is_named_by_its_time(tmp_path: Path) -> None:
    """All files of a report share its time in their names; the directory is created if needed."""
    reports = ReportFiles(tmp_path / "new" / "reports", "parity", kept=3)

    paths = reports.put(_NOW, {"html": b"<p>", "json": b"{}"})

    assert paths["html"].name == "parity-20260328T120000.000000Z.html"
    assert {ending: path.read_bytes() for ending, path in paths.items()} == {"html": b"<p>", "json": b"{}"}
    assert set(reports.reports()) == set(paths.values())


def test_only_the_latest_reports_stay(tmp_path: Path) -> None:
    """Each new report removes the oldest one with all its files, and no other file."""
    reports = ReportFiles(tmp_path, "parity", kept=2)
    (tmp_path / "notes.txt").write_text("not ours")

    for day in range(4):
        reports.put(_NOW + timedelta(days=day), {"html": b"", "csv": b""})

    assert [path.name[7:15] for path in reports.reports()] == ["20260330", "20260330", "20260331", "20260331"]
    assert (tmp_path / "notes.txt").exists()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_report_that_does_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the beginning of a file would make matters worse with each report."""

    def fsync(_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)

    with pytest.raises(OSError, match="No space left"):
        ReportFiles(tmp_path, "parity", kept=2).put(_NOW, {"html": b"<p>"})

    assert list(tmp_path.iterdir()) == []
