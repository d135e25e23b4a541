"""``holds``, over a pipeline of fakes."""

import json

import pytest
from cli_stage import EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import ShrunkenSchedulePut, Slot

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.decide_holds import HeldLoss, HoldDecisions
from schedules_pipeline.publishing.rebuild import BatchResult


def _shrunken(key: ScheduleKey) -> ShrunkenSchedulePut:
    return ShrunkenSchedulePut(key, (Slot(schedule_put(key).slots[0].broadcast_pid, EPISODE),))


_SHRUNKEN = _shrunken(KEY)


def _broadcasts(stage: Stage) -> int:
    return len(stage.run_for_json("show", KEY)["broadcasts"])


def test_nothing_is_held(published: Stage) -> None:
    """A listing without holds says so."""
    assert published.run("holds", "list").stdout == "nothing is held\n"
    assert published.run_for_json("holds", "list") == {"holds": []}


def test_holds_are_listed(published: Stage) -> None:
    """With the reason and the airtime that partners would lose."""
    published.happen(_SHRUNKEN)

    (hold,) = published.run_for_json("holds", "list")["holds"]
    words = published.run("holds", "list").stdout

    assert (hold["id"], hold["reason"], hold["verdict"]) == (str(KEY), "shrunk", "waits")
    assert (hold["hours"], hold["schedules"], hold["services"]) == (1.5, 1, "alder")
    assert str(KEY) in words


def test_one_hold_is_shown(published: Stage) -> None:
    """Service, day, airtime."""
    published.happen(_SHRUNKEN)

    shown = published.run("holds", "show", KEY).stdout

    assert f"{KEY}: shrunk, since" in shown
    assert "would lose 1.5 hours" in shown


@pytest.mark.parametrize("words", [("holds", "confirm"), ("rejected", "accept")])
def test_a_confirmed_hold_is_published(published: Stage, words: tuple[str, str]) -> None:
    """The operator sees the loss and agrees. The old command does the same, with a warning."""
    published.happen(_SHRUNKEN)

    result = published.run(*words, KEY, answer="y\n")

    assert result.exit_code == 0
    assert "would lose 1.5 hours" in result.stdout
    assert result.stdout.endswith("decided; 1 schedule rebuilt\n")
    assert ("warning" in result.stderr) is (words[0] == "rejected")
    assert _broadcasts(published) == 1
    assert published.run("holds", "list").stdout == "nothing is held\n"


def test_declining_decides_nothing(published: Stage) -> None:
    """The hold and the published version stay."""
    published.happen(_SHRUNKEN)

    result = published.run("holds", "confirm", KEY, answer="n\n")

    assert result.exit_code == 1
    assert _broadcasts(published) == 4
    assert published.run_for_json("holds", "list")["holds"][0]["verdict"] == "waits"


def test_a_rejected_hold_keeps_what_partners_have(published: Stage) -> None:
    """It stays in the list with its verdict, and no later put of the same document confirms it."""
    published.happen(_SHRUNKEN)

    published.run("holds", "reject", KEY, "--yes")
    published.happen(_SHRUNKEN)

    assert _broadcasts(published) == 4
    assert published.run_for_json("holds", "list")["holds"][0]["verdict"] == "rejected"


@pytest.mark.parametrize("word", ["show", "confirm", "reject"])
def test_an_unknown_hold_is_not_found(published: Stage, word: str) -> None:
    """The error names the command that lists all."""
    result = published.run("holds", word, "nothing")

    assert result.exit_code == 1
    assert "no hold 'nothing' waits for a decision: `schedules-pipeline holds list`" in result.stderr


def test_what_was_decided_before_a_service_failed_is_reported(
    published: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hold is in the answer, and the command ends with 3."""
    published.happen(_SHRUNKEN, _shrunken(TOMORROW))
    confirm, answers = HoldDecisions.confirm, iter([True, False])

    def confirm_once(decider: HoldDecisions, loss: HeldLoss, cause: Cause) -> BatchResult:
        if next(answers):
            return confirm(decider, loss, cause)
        raise ServiceError("Redis: away")

    monkeypatch.setattr(HoldDecisions, "confirm", confirm_once)

    result = published.run("holds", "confirm", KEY, TOMORROW, "--yes", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout) == {"decided": [str(KEY)], "rebuilt": 1, "failed": []}
    assert result.stderr.startswith("error: Redis: away")
