"""``rejected``, over a pipeline of fakes."""

import pytest
from cli_stage import EPISODE, KEY, Stage, schedule_put
from toy_world import InvalidItemPut, InvalidSchedulePut, ShrunkenSchedulePut, Slot

_SHRUNKEN = ShrunkenSchedulePut(KEY, (Slot(schedule_put(KEY).slots[0].broadcast_pid, EPISODE),))


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_rejections_are_listed(published: Stage) -> None:
    """Schedules, items and messages, and whether each can be accepted."""
    published.happen(_SHRUNKEN, InvalidItemPut(EPISODE))
    published.upstreams.schedule_queue.post("{")
    published.ingest()

    document = published.run_for_json("rejected", "list")
    words = published.run("rejected", "list").stdout

    kinds = {row["kind"]: (row["subject"], row["can_be_accepted"]) for row in document["rejected"]}
    assert kinds["schedule"] == (str(KEY), True)
    assert kinds["item"] == (EPISODE, False)
    assert kinds["message"][1] is False
    assert "1 broadcasts would replace 4" in words


def test_one_rejection_is_shown(published: Stage) -> None:
    """With the beginning of the rejected input, and the command that accepts it."""
    published.happen(_SHRUNKEN)

    result = published.run("rejected", "show", KEY)

    assert f"`schedules-pipeline rejected accept {KEY}`" in result.stdout
    assert '{"sid":"alder"' in result.stdout


def test_a_shrunken_document_is_accepted(published: Stage) -> None:
    """The operator sees the losses and agrees; the document is published and the rejection removed."""
    published.happen(_SHRUNKEN)

    result = published.run("rejected", "accept", KEY, answer="y\n")

    assert result.exit_code == 0
    assert "1 broadcasts would replace 4; lost would be" in result.stdout
    assert result.stdout.count("Salt and Slate") == 3
    assert result.stdout.endswith("alder/2026-03-28: published, version 3\n")
    assert _broadcasts(published) == 1
    assert published.store.rejections.all() == {}


def test_declining_accepts_nothing(published: Stage) -> None:
    """The rejection and the published version stay."""
    published.happen(_SHRUNKEN)

    result = published.run("rejected", "accept", KEY, answer="n\n")

    assert result.exit_code == 1
    assert _broadcasts(published) == 4
    assert str(KEY) in published.store.rejections.all()


def test_accepting_as_json(published: Stage) -> None:
    """The document has the losses and the outcome."""
    published.happen(_SHRUNKEN)

    document = published.run_for_json("rejected", "accept", KEY, "--yes")

    assert (document["held_broadcasts"], document["new_broadcasts"], len(document["lost"])) == (4, 1, 3)
    assert (document["outcome"], document["seq"]) == ("published", 3)


def test_an_invalid_document_cannot_be_accepted(published: Stage) -> None:
    """Partners keep the last valid version."""
    published.happen(InvalidSchedulePut(KEY))

    result = published.run("rejected", "accept", KEY, "--yes")

    assert result.exit_code == 1
    assert "the document is invalid, so its owner must put another one" in result.stderr
    assert _broadcasts(published) == 4


def test_rejections_are_forgotten(published: Stage) -> None:
    """They leave the list, and nothing else changes."""
    published.happen(_SHRUNKEN)

    document = published.run_for_json("rejected", "forget", KEY)

    assert document == {"forgotten": [str(KEY)]}
    assert published.run("rejected", "list").stdout == "nothing is rejected\n"
    assert _broadcasts(published) == 4


@pytest.mark.parametrize("words", [["show", "nothing"], ["forget", "nothing"]])
def test_an_unknown_subject_is_not_found(published: Stage, words: list[str]) -> None:
    """The error names the command that lists all rejections."""
    result = published.run("rejected", *words)

    assert result.exit_code == 1
    assert "not rejected: nothing; see `schedules-pipeline rejected list`" in result.stderr


def test_accepting_without_a_rejection(published: Stage) -> None:
    """A schedule without a rejection cannot be accepted."""
    result = published.run("rejected", "accept", KEY, "--yes")

    assert (result.exit_code, result.stderr) == (1, "error: alder/2026-03-28: it has no rejected document\n")
