"""``import-xmltv``."""

from pathlib import Path

import orjson
import pytest
from cli_stage import Stage

from schedules_pipeline.history.recorded import CatalogueUpdated, SchedulePut, read_history

_PROGRAMME = """<programme start="20260328120000" stop="20260328123000" channel="alder"><title lang="de">Salz</title>
<title lang="en">Salt</title></programme>"""


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    path = tmp_path / "guide.xml"
    path.write_text(f"<tv>{_PROGRAMME}</tv>")
    return path


def _starts(history: Path) -> list[str]:
    schedules = [event.document for event in read_history(history) if isinstance(event, SchedulePut)]
    return [broadcast["start"] for document in schedules for broadcast in document["broadcasts"]]


def test_a_guide_becomes_a_history(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """Adapted elements are reported on standard error."""
    result = stage.run("import-xmltv", guide, tmp_path / "out.jsonl.gz")

    assert result.exit_code == 0
    assert result.stdout == f"wrote 1 schedule of 1 service and 1 item to {tmp_path / 'out.jsonl.gz'}\n"
    assert result.stderr == "1 × channel without a description: named by its id\n"
    assert _starts(tmp_path / "out.jsonl.gz") == ["2026-03-28T12:00:00Z"]


def test_the_document_has_names_and_remarks(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """The names have the form of SCHEDULES_SERVICE_NAMES."""
    path = tmp_path / "out.jsonl.gz"

    document = stage.run_for_json("import-xmltv", guide, path)

    assert document == {
        "path": str(path),
        "services": 1,
        "schedules": 1,
        "items": 1,
        "names": {"alder": "alder"},
        "remarks": {"channel_undescribed": 1},
    }


def test_zone_and_language_are_applied(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """Times without an offset are in the zone, and texts in the language."""
    stage.run("import-xmltv", guide, tmp_path / "out.jsonl.gz", "--zone", "Europe/Vienna", "--language", "EN")

    titles = [
        event.document["title"]
        for event in read_history(tmp_path / "out.jsonl.gz")
        if isinstance(event, CatalogueUpdated)
    ]
    assert _starts(tmp_path / "out.jsonl.gz") == ["2026-03-28T11:00:00Z"]
    assert titles == ["Salt"]


def test_an_unknown_zone_is_a_usage_error(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """Nothing is written."""
    result = stage.run("import-xmltv", guide, tmp_path / "out.jsonl.gz", "--zone", "Europe/Nowhere")

    assert result.exit_code == 2
    assert "no such time zone: 'Europe/Nowhere'" in result.stderr
    assert not (tmp_path / "out.jsonl.gz").exists()


def test_an_existing_file_needs_overwrite(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """Without the option the file stays unchanged."""
    path = tmp_path / "out.jsonl.gz"
    path.write_bytes(b"precious")

    rejected = stage.run("import-xmltv", guide, path)
    kept = path.read_bytes()
    accepted = stage.run("import-xmltv", guide, path, "--overwrite")

    assert (rejected.exit_code, kept, accepted.exit_code) == (1, b"precious", 0)
    assert _starts(path)


def test_an_invalid_guide_is_a_one_line_error(stage: Stage, tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "guide.xml"
    path.write_bytes(orjson.dumps({}))

    result = stage.run("import-xmltv", path, tmp_path / "out.jsonl.gz")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path}: the guide is not well-formed XML")
    assert result.stderr.count("\n") == 1


def test_a_missing_folder_is_a_one_line_error(stage: Stage, guide: Path, tmp_path: Path) -> None:
    """The error has the system's reason."""
    result = stage.run("import-xmltv", guide, tmp_path / "nowhere/out.jsonl.gz")

    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr
