"""The lines that the demonstration prints about alarms."""

from datetime import timedelta

import pytest
from fakes import FakeClock, FakeStore, fake_store

from demo.console import clock_time
from demo.narrator import Narrator
from schedules_pipeline.health.condition import Condition, ConditionName, Findings, Severity
from schedules_pipeline.health.incidents import IncidentRules, follow

_DEAD = Condition(ConditionName.DEAD_LETTERS, Severity.ERROR, "dead", "2 messages\nin dead")


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.lines: list[str] = []
        self.narrator = Narrator(
            self.store.feed, self.store.comparisons, self.store.incidents, self.lines.append, self.clock
        )

    def find(self, *conditions: Condition) -> None:
        book = self.store.incidents
        found = follow(book.latest(), Findings(conditions), self.clock(), IncidentRules())
        book.save(list(found.values()))
        self.clock.advance(timedelta(seconds=30))
        self.narrator.catch_up()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_alarm_and_its_all_clear_are_a_line_each(stage: Stage) -> None:
    """An alarm is one line however long it stands, and its all-clear is another."""
    for found in [(_DEAD,), (_DEAD,), (), ()]:
        stage.find(*found)

    assert [line[10:] for line in stage.lines] == [
        r"alarm      dead-letters: 2 messages\nin dead",
        r"all clear  dead-letters: 2 messages\nin dead",
    ]


def test_an_all_clear_says_when_it_was_told(stage: Stage) -> None:
    """The instants at the heads of the lines never go back."""
    times = []
    for found in [(_DEAD,), ()]:
        stage.find(*found)
        times.append(clock_time(stage.clock()))

    assert [line[:8] for line in stage.lines] == times


def test_a_suspicion_is_not_told(stage: Stage) -> None:
    """A condition that ends before its patience is over is no alarm."""
    patient = Condition(
        ConditionName.PUBLISHER_MISSING,
        Severity.ERROR,
        "the publisher",
        "nobody",
        patience=timedelta(hours=1),
    )

    stage.find(patient)
    stage.find()

    assert stage.lines == []
