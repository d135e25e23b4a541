"""``dead-letters``, over a pipeline of fakes."""

import json

import pytest
from cli_stage import Stage

from schedules_pipeline.errors import ServiceError


def _kill(stage: Stage) -> None:
    stage.upstreams.schedule_dead_letters.post('{"sid": "alder", "date": "2026-03-28"}')
    stage.upstreams.catalogue_dead_letters.post("{", reason="not JSON")


def test_dead_letters_are_listed(published: Stage) -> None:
    """Each one has its queue and its announcement, or the reason why it cannot be decoded."""
    _kill(published)

    document = published.run_for_json("dead-letters", "list")
    words = published.run("dead-letters", "list", "--queue", "catalogue").stdout

    assert [(d["queue"], d["says"]) for d in document["dead_letters"]] == [
        ("schedule", "alder/2026-03-28 put"),
        ("catalogue", document["dead_letters"][1]["says"]),
    ]
    assert document["dead_letters"][1]["says"].startswith("invalid: ")
    assert [d["reason"] for d in document["dead_letters"]] == ["", "not JSON"]
    assert "catalogue: 1 dead letter" in words
    assert "not JSON" in words
    assert "schedule: " not in words


def test_one_dead_letter_is_shown(published: Stage) -> None:
    """Its whole body is shown, and it stays in the queue."""
    _kill(published)

    result = published.run("dead-letters", "show", "dead schedule-1")
    again = published.run_for_json("dead-letters", "show", "dead schedule-1")

    assert '{"sid": "alder", "date": "2026-03-28"}' in result.stdout
    assert "rejected: not JSON" in published.run("dead-letters", "show", "dead catalogue-1").stdout
    assert again["body"] == '{"sid": "alder", "date": "2026-03-28"}'


def test_dead_letters_are_replayed(published: Stage) -> None:
    """A replayed message is in its original queue, and no longer a dead letter."""
    _kill(published)

    document = published.run_for_json("dead-letters", "replay", "--all")

    assert document == {
        "replayed": {"schedule": ["dead schedule-1"], "catalogue": ["dead catalogue-1"]},
        "missing": [],
        "has_more": False,
    }
    assert published.upstreams.schedule_queue.has_visible()
    assert published.upstreams.schedule_dead_letters.is_empty()


def test_dropping_dead_letters_asks(published: Stage) -> None:
    """A no keeps the dead letters; a yes deletes them."""
    _kill(published)

    declined = published.run("dead-letters", "drop", "--all", answer="n\n")
    left = not published.upstreams.schedule_dead_letters.is_empty()
    agreed = published.run("dead-letters", "drop", "--all", answer="y\n")

    assert (declined.exit_code, left, agreed.exit_code) == (1, True, 0)
    assert "Drop all dead letters, about 2, for good?" in declined.stderr
    assert agreed.stdout == "dropped: 1 of the schedule queue, 1 of the catalogue queue\n"
    assert published.upstreams.schedule_dead_letters.is_empty()
    assert not published.upstreams.schedule_queue.has_visible()


@pytest.mark.parametrize(
    ("words", "exit_code", "complaint"),
    [
        (["replay"], 2, "name dead letters by their ids, or use --all"),
        (["drop", "x", "--all"], 2, "name dead letters by their ids, or use --all"),
        (["show", "x"], 1, "no dead letter x"),
        (["list", "--queue", "other"], 2, "'other' is not one of"),
    ],
)
def test_dead_letters_rejects(published: Stage, words: list[str], exit_code: int, complaint: str) -> None:
    """Both or neither of ids and --all is a usage error; an unknown id is not found."""
    _kill(published)

    result = published.run("dead-letters", *words)

    assert result.exit_code == exit_code
    assert complaint in result.stderr


def test_unknown_ids_are_reported(published: Stage) -> None:
    """The known ones are replayed, and the command ends with 1."""
    _kill(published)

    result = published.run("dead-letters", "replay", "dead schedule-1", "dead schedule-9")

    assert result.exit_code == 1
    assert "replayed: 1 of the schedule queue" in result.stdout
    assert "not found: dead schedule-9" in result.stdout


@pytest.mark.parametrize(("words", "done"), [(["replay"], "replayed"), (["drop", "--yes"], "dropped")])
def test_what_was_done_before_a_queue_failed_is_reported(
    published: Stage, monkeypatch: pytest.MonkeyPatch, words: list[str], done: str
) -> None:
    """The ids of both queues are in the answer, then comes the error, and the command ends with 3."""
    for _ in range(3):
        _kill(published)
    dead = published.upstreams.catalogue_dead_letters
    receive, answers = dead.receive, iter([True, False])

    def receive_once(wait_seconds: int) -> object:
        if next(answers):
            return receive(wait_seconds)
        raise ServiceError("catalogue-events-dead: away")

    monkeypatch.setattr(dead, "receive", receive_once)

    result = published.run("dead-letters", *words, "--all", "--json")

    handled = json.loads(result.stdout)[done]
    assert result.exit_code == 3
    assert len(handled["schedule"]) == 3
    assert handled["catalogue"]
    assert len(handled["catalogue"]) == 3 - dead.depth().waiting
    assert result.stderr.startswith("error: catalogue-events-dead: away")
