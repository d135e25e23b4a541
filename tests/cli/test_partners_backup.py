"""``partners export`` and ``partners import``."""

import json
from pathlib import Path

import pytest
from cli_stage import Stage

from schedules_pipeline.partners.partner import key_digest


@pytest.fixture
def key(stage: Stage) -> str:
    """The key of one of two partners."""
    stage.run("partners", "create", "birch", "--service", "birch_*")
    text: str = stage.run_for_json("partners", "create", "acme", "--requests-per-day", 9)["key"]
    return text


def test_imported_partners_keep_their_keys(stage: Stage, key: str, tmp_path: Path) -> None:
    """In another keyspace the same keys are valid."""
    file, elsewhere = tmp_path / "partners", Stage()

    exported = stage.run("partners", "export", "-o", file)
    imported = elsewhere.run("partners", "import", file)

    assert (exported.exit_code, imported.exit_code) == (0, 0)
    assert "2 partners" in exported.output
    assert elsewhere.store.partners.all() == stage.store.partners.all()
    assert elsewhere.store.partners.all()[0].keys[0].digest == key_digest(key)


def test_the_file_is_private_and_contains_no_key(stage: Stage, key: str, tmp_path: Path) -> None:
    """Only its owner may read it."""
    file = tmp_path / "partners"

    stage.run("partners", "export", "-o", file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text()
    assert key.rpartition("_")[2] not in file.read_text()


def test_existing_partners_stay_unchanged(stage: Stage, key: str, tmp_path: Path) -> None:
    """Missing partners are created."""
    file = tmp_path / "partners"
    stage.run("partners", "export", "-o", file)
    stage.run("partners", "change", "acme", "--preview", "yes")
    stage.run("partners", "remove", "birch", "--yes")

    document = stage.run_for_json("partners", "import", file)

    acme, birch = stage.store.partners.all()
    assert document == {"entered": ["birch"], "kept": ["acme"]}
    assert acme.is_preview
    assert birch.services == ("birch_*",)


def test_equal_partners_are_reported_as_kept(stage: Stage, key: str, tmp_path: Path) -> None:
    """Importing a fresh export creates no partner."""
    file = tmp_path / "partners"
    stage.run("partners", "export", "-o", file)

    document = stage.run_for_json("partners", "import", file)

    assert document == {"entered": [], "kept": ["acme", "birch"]}


def test_an_existing_file_needs_overwrite(stage: Stage, key: str, tmp_path: Path) -> None:
    """Without the option the file stays unchanged."""
    file = tmp_path / "partners"
    file.write_text("precious")

    rejected = stage.run("partners", "export", "-o", file)
    document = stage.run_for_json("partners", "export", "-o", file, "--overwrite")

    assert rejected.exit_code == 1
    assert "--overwrite" in rejected.stderr
    assert document["partners"] == ["acme", "birch"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change", [{"requests_per_minute": 0}, {"name": "No Name"}, {"created_at": 1.5, "keys": 1}]
)
def test_a_file_with_an_invalid_line_creates_nothing(
    stage: Stage, key: str, tmp_path: Path, change: dict[str, object]
) -> None:
    """The error names the line and quotes nothing from it."""
    file, elsewhere = tmp_path / "partners", Stage()
    stage.run("partners", "export", "-o", file)
    first, second = file.read_text().splitlines()
    file.write_text(f"{first}\n{json.dumps({**json.loads(second), **change})}\n")

    result = elsewhere.run("partners", "import", file)

    assert result.exit_code == 1
    assert "line 2" in result.stderr
    assert "birch_" not in result.stderr
    assert elsewhere.store.partners.all() == []


def test_undecodable_records_are_reported(
    stage: Stage, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has all other partners, and the command ends with 1."""
    monkeypatch.setattr(stage.store.partners, "unreadable", lambda: ["willow"])

    result = stage.run("partners", "export", "-o", tmp_path / "partners")

    assert result.exit_code == 1
    assert "willow" in result.stderr
    assert len((tmp_path / "partners").read_text().splitlines()) == 2


def test_a_file_that_cannot_be_written_is_a_one_line_error(stage: Stage, tmp_path: Path) -> None:
    """The error has the reason."""
    result = stage.run("partners", "export", "-o", tmp_path / "missing" / "partners")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
