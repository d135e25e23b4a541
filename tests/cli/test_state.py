"""``state export`` and ``state import``."""

import json
from pathlib import Path

import pytest
from cli_stage import Stage

from schedules_pipeline.partners.partner import key_digest
from schedules_pipeline.partners.record import PARTNER


@pytest.fixture
def key(stage: Stage) -> str:
    """The key of one of two partners."""
    stage.run("partners", "create", "birch", "--service", "birch_*")
    text: str = stage.run_for_json("partners", "create", "acme", "--requests-per-day", 9)["key"]
    return text


@pytest.fixture
def file(stage: Stage, key: str, tmp_path: Path) -> Path:
    """An export of both."""
    file = tmp_path / "state.json"
    exported = stage.run("state", "export", "-o", file)
    assert exported.exit_code == 0
    assert "2 partners" in exported.output
    return file


def test_imported_partners_keep_their_keys(stage: Stage, key: str, file: Path) -> None:
    """In another keyspace the same keys are valid, and the command names the step that is missing."""
    elsewhere = Stage()

    imported = elsewhere.run("state", "import", file)

    assert imported.exit_code == 0
    assert elsewhere.store.partners.all() == stage.store.partners.all()
    assert elsewhere.store.partners.all()[0].keys[0].digest == key_digest(key)
    assert "`schedules-pipeline coldstart`" in imported.stdout


def test_the_file_is_private_and_contains_no_key(key: str, file: Path) -> None:
    """Only its owner may read it."""
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text()
    assert key.rpartition("_")[2] not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_dry_run_says_what_would_change(stage: Stage, file: Path) -> None:
    """It changes nothing, and does not need an answer to what differs."""
    stage.run("partners", "change", "acme", "--preview", "yes")
    stage.run("partners", "remove", "birch", "--yes")

    document = stage.run_for_json("state", "import", file, "--dry-run", "--keep")

    assert not document["written"]
    assert document["parts"]["partners"] == {"new": ["birch"], "same": 0, "differing": ["acme"]}
    assert [partner.name for partner in stage.store.partners.all()] == ["acme"]


def test_an_import_rejects_what_differs_until_the_operator_decides(stage: Stage, file: Path) -> None:
    """Without an option nothing is written, also not the missing partner."""
    stage.run("partners", "change", "acme", "--preview", "yes")
    stage.run("partners", "remove", "birch", "--yes")

    rejected = stage.run("state", "import", file)
    untouched = stage.store.partners.all()
    kept = stage.run("state", "import", file, "--keep")
    acme = stage.store.partners.one("acme")
    replaced = stage.run("state", "import", file, "--replace")

    assert rejected.exit_code == 1
    assert "acme (partners)" in rejected.stderr
    assert "--replace" in rejected.stderr
    assert [partner.name for partner in untouched] == ["acme"]
    assert (kept.exit_code, replaced.exit_code) == (0, 0)
    assert acme is not None
    assert acme.is_preview
    assert [partner.is_preview for partner in stage.store.partners.all()] == [False, False]


def test_an_existing_file_needs_overwrite(stage: Stage, key: str, tmp_path: Path) -> None:
    """Without the option the file stays unchanged."""
    file = tmp_path / "state.json"
    file.write_text("precious")

    rejected = stage.run("state", "export", "-o", file)
    document = stage.run_for_json("state", "export", "-o", file, "--overwrite")

    assert rejected.exit_code == 1
    assert "--overwrite" in rejected.stderr
    assert document["partners"] == 2
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"partners": [{"name": "No Name"}]}, "partners.0", id="a partner"),
        pytest.param({"exported_at": "secret"}, "exported_at", id="a time"),
        pytest.param({"copies": {"p0000001": "abcde"}}, "copies.p0000001", id="base64"),
        pytest.param({"version": 2}, "a newer release", id="a later version"),
        pytest.param({"format": "another"}, "no export", id="another format"),
    ],
)
def test_a_file_that_cannot_be_decoded_changes_nothing(
    file: Path, change: dict[str, object], complaint: str
) -> None:
    """The error names the member and quotes nothing from it."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    elsewhere = Stage()

    result = elsewhere.run("state", "import", file)

    assert result.exit_code == 1
    assert complaint in result.stderr
    assert "secret" not in result.stderr
    assert elsewhere.store.partners.all() == []


@pytest.mark.parametrize("cut", [0, 1, 100, -30])
def test_a_torn_file_changes_nothing(file: Path, cut: int) -> None:
    """A part of an export is none."""
    file.write_bytes(file.read_bytes()[:cut])
    elsewhere = Stage()

    result = elsewhere.run("state", "import", file)

    assert result.exit_code == 1
    assert "part of one" in result.stderr
    assert elsewhere.store.partners.all() == []


def test_undecodable_records_are_reported(
    stage: Stage, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has all other partners, and the command ends with 1."""
    monkeypatch.setattr(stage.store.partners, "unreadable", lambda: ["willow"])

    result = stage.run("state", "export", "-o", tmp_path / "state.json")

    assert result.exit_code == 1
    assert "willow" in result.stderr
    assert len(json.loads((tmp_path / "state.json").read_text())["partners"]) == 2


def test_a_file_that_cannot_be_written_is_a_one_line_error(stage: Stage, tmp_path: Path) -> None:
    """The error has the reason."""
    result = stage.run("state", "export", "-o", tmp_path / "missing" / "state.json")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_the_old_commands_are_understood_with_a_warning(stage: Stage, key: str, tmp_path: Path) -> None:
    """`partners export` writes an export of the state, and `partners import` reads it."""
    file, elsewhere = tmp_path / "partners", Stage()

    exported = stage.run("partners", "export", "-o", file)
    imported = elsewhere.run("partners", "import", file)

    assert (exported.exit_code, imported.exit_code) == (0, 0)
    assert "state export" in exported.stderr
    assert "state import" in imported.stderr
    assert elsewhere.store.partners.all() == stage.store.partners.all()


def test_a_file_of_partners_from_release_0_2_is_read(stage: Stage, key: str, tmp_path: Path) -> None:
    """It has a partner on each line. A wrong line creates nothing and is not quoted."""
    file, elsewhere = tmp_path / "partners", Stage()
    lines = [PARTNER.render(partner) for partner in stage.store.partners.all()]
    file.write_bytes(b"\n".join([*lines, b'{"name": "birch_*"}']))

    rejected = elsewhere.run("state", "import", file)
    file.write_bytes(b"\n".join(lines) + b"\n")
    imported = elsewhere.run("state", "import", file)

    assert (rejected.exit_code, imported.exit_code) == (1, 0)
    assert "birch_" not in rejected.stderr
    assert elsewhere.store.partners.all() == stage.store.partners.all()
