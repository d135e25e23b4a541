"""``rejected``, over a pipeline of fakes."""

import pytest
from cli_stage import EPISODE, KEY, Stage
from toy_world import InvalidItemPut, InvalidSchedulePut


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_rejections_are_listed(published: Stage) -> None:
    """Schedules, items and messages."""
    published.happen(InvalidSchedulePut(KEY), InvalidItemPut(EPISODE))
    published.upstreams.schedule_queue.post("{")
    published.ingest()

    document = published.run_for_json("rejected", "list")
    words = published.run("rejected", "list").stdout

    kinds = {row["kind"]: row["subject"] for row in document["rejected"]}
    assert (kinds["schedule"], kinds["item"]) == (str(KEY), EPISODE)
    assert "message" in kinds
    assert "published_at: Field required" in words


def test_one_rejection_is_shown(published: Stage) -> None:
    """With the beginning of the rejected input."""
    published.happen(InvalidSchedulePut(KEY))

    result = published.run("rejected", "show", KEY)

    assert '{"sid": "another"}' in result.stdout


def test_rejections_are_forgotten(published: Stage) -> None:
    """They leave the list, and nothing else changes."""
    published.happen(InvalidSchedulePut(KEY))

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
