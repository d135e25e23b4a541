"""``parity`` and ``switch``."""

from datetime import timedelta

import orjson
import pytest
from cli_stage import KEY, TOMORROW, Stage

from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.migration.ports import ServedSource


def _refresh_legacy(stage: Stage, **changes: object) -> None:
    """Let the old system publish the pipeline's documents with some fields of each first broadcast changed. It does so
    twice, so that differences last, and each refresh is compared.
    """
    for _ in range(2):
        stage.clock.advance(timedelta(seconds=1))
        documents = stage.store.schedules.documents([KEY, TOMORROW])
        for key, document in documents.items():
            broadcasts = orjson.loads(split_document(document)[1])
            broadcasts[0].update(changes)
            legacy = {"generated_at": stage.clock().isoformat(), "schedule": {"broadcasts": broadcasts}}
            stage.upstreams.legacy.documents[key] = orjson.dumps(legacy)
        stage.upstreams.legacy.refreshed = stage.clock().isoformat()
        stage.pipeline.comparer.compare_all(lambda *_: None)


@pytest.fixture
def matching(published: Stage) -> Stage:
    """Two schedules that are equal to the old system's."""
    _refresh_legacy(published)
    return published


@pytest.fixture
def differing(published: Stage) -> Stage:
    """Two schedules whose first title differs from the old system's, which contains control characters."""
    _refresh_legacy(published, title="\x1b[31mred\u202e")
    return published


def test_parity_is_ready_if_all_match(matching: Stage) -> None:
    """The verdict is the first line, and the exit code is 0."""
    result = matching.run("parity")

    assert result.exit_code == 0
    assert result.output.startswith("ready to switch: 100 % of 2 comparable schedules match")


def test_parity_shows_differences(differing: Stage) -> None:
    """It ends with 1, and shows field, service and values, safe for a terminal."""
    result = differing.run("parity")

    assert result.exit_code == 1
    assert result.output.startswith("not ready: 0.00 % of 2 comparable schedules match")
    assert "objection: 2 of 2 comparable schedules differ" in result.output
    assert r"\x1b[31mred\u202e" in result.output
    assert "\x1b[31mred" not in result.output


def test_parity_of_nothing_is_not_ready(stage: Stage) -> None:
    """Without a comparison there is no reason to switch."""
    result = stage.run("parity")

    assert result.exit_code == 1
    assert "nothing was compared" in result.output


def test_parity_as_json_has_everything(differing: Stage) -> None:
    """The document has verdict, counts, tables and the requested number of worst schedules."""
    document = differing.run_for_json("parity", "--worst", 1, exit_code=1)

    assert document["ready"] is False
    assert document["overall"]["comparable"] == 2
    assert [row["field"] for row in document["by_field"]] == ["title"]
    assert len(document["worst"]) == 1


def test_switching_shows_effects_and_asks(matching: Stage) -> None:
    """The switch happens after the operator has agreed."""
    result = matching.run("switch", "ours", "--by", "ada", "--reason", "parity", answer="y\n")

    assert result.exit_code == 0
    assert "2 of 2 comparable schedules stay as they are (100 %)" in result.output
    served = matching.store.served.current()
    assert (served.source, served.by, served.reason) == (ServedSource.OURS, "ada", "parity")


def test_declining_switches_nothing(matching: Stage) -> None:
    """A no changes nothing."""
    result = matching.run("switch", "ours", answer="n\n")

    assert result.exit_code == 1
    assert matching.store.served.switches() == []


def test_a_dry_run_switches_nothing(matching: Stage) -> None:
    """It shows the effects and does not ask."""
    document = matching.run_for_json("switch", "ours", "--dry-run")

    assert document["switched"] is False
    assert document["to"] == "ours"
    assert matching.store.served.switches() == []


def test_a_switch_below_the_threshold_is_rejected(differing: Stage) -> None:
    """The error has the objection and the option that overrides it."""
    result = differing.run("switch", "ours", "--yes")

    assert result.exit_code == 1
    assert "error: rejected: 2 of 2 comparable schedules differ" in result.stderr
    assert "--force" in result.stderr
    assert differing.store.served.switches() == []


def test_force_overrides_and_is_recorded(differing: Stage) -> None:
    """The record of the switch says that it was forced."""
    document = differing.run_for_json("switch", "ours", "--force", "--yes", "--by", "ada")

    assert document["record"]["forced"] is True
    assert differing.run_for_json("switch", "status")["current"]["forced"] is True


def test_switching_back_needs_no_force(differing: Stage) -> None:
    """Partners return to the old system in spite of differences."""
    differing.run("switch", "ours", "--force", "--yes")

    result = differing.run("switch", "legacy", "--yes", "--by", "grace", "--reason", "wrong titles")

    assert result.exit_code == 0
    status = differing.run("switch", "status").output
    assert "partners are served from legacy" in status
    assert "grace" in status
    assert "wrong titles" in status


def test_a_needless_switch_is_an_error(matching: Stage) -> None:
    """Partners are served from there already."""
    result = matching.run("switch", "legacy", "--yes")

    assert result.exit_code == 1
    assert "already" in result.stderr


def test_status_before_the_first_switch(stage: Stage) -> None:
    """The old system serves partners until the first switch."""
    result = stage.run("switch", "status")

    assert result.exit_code == 0
    assert "partners are served from legacy" in result.output
    assert "there was no switch so far" in result.output
