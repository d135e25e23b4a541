"""The metric of the conditions, in one scrape of a pipeline over fakes."""

import pytest
from scraping import Stage

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.publishing.ports.upstream import QueueDepth


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_conditions_are_zero_or_one_under_their_severity(stage: Stage) -> None:
    """One that holds has the severity that it has now; one that could not be judged is absent."""
    stage.publish()
    stage.upstreams.schedule_dead_letters.post("{}")

    scrape = stage.scrape()

    def value(name: ConditionName, severity: Severity) -> float | None:
        return scrape.value("schedules_condition", name=name.value, severity=severity.value)

    assert value(ConditionName.DEAD_LETTERS, Severity.ERROR) == 1
    assert value(ConditionName.CHECKS_FAILED, Severity.ERROR) == 0
    assert value(ConditionName.AIRTIME_HELD, Severity.WARNING) == 0
    assert value(ConditionName.AIRTIME_HELD, Severity.CRITICAL) == 0


def test_a_condition_of_a_queue_that_does_not_answer_is_absent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither 0 nor 1, so ignorance resolves no alert for some minutes."""
    monkeypatch.setattr(stage.upstreams.schedule_dead_letters, "depth", _unreachable)

    scrape = stage.scrape()

    assert scrape.value("schedules_condition", name="dead-letters", severity="error") is None
    assert scrape.value("schedules_condition", name="upstream-unreachable", severity="error") == 1


def test_a_store_that_is_away_is_a_condition(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that can be judged."""

    def away() -> str:
        raise ServiceError("Redis: away")

    monkeypatch.setattr(stage.store.presence, "present", away)

    scrape = stage.scrape()

    found = [sample for sample in scrape.samples if sample.name == "schedules_condition"]
    assert {(sample.labels["name"], sample.labels["severity"]) for sample in found if sample.value} == {
        ("store-unreachable", "error")
    }
    assert {sample.labels["name"] for sample in found} == {"store-unreachable"}


def _unreachable() -> QueueDepth:
    raise ServiceError("queue schedule-events: unreachable")
