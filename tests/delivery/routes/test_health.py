"""Health, for those who watch and those who direct partners."""

from datetime import timedelta

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.migration.ports import ServedSource, ServedState


@pytest.fixture
def stage() -> DeliveryStage:
    """One schedule is published."""
    stage = DeliveryStage()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None)))])
    stage.keep_up()
    return stage


def test_process_is_alive(stage: DeliveryStage) -> None:
    """The liveness check needs no key."""
    answer = stage.client(None).get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_service_is_ready_while_it_has_something_to_serve(stage: DeliveryStage) -> None:
    """It is ready with something published, also while that is stale, and no longer when it is too old."""
    anybody, told = stage.client(None), []
    for later in (timedelta(0), timedelta(minutes=5), timedelta(days=30)):
        stage.clock.advance(later)
        answer = anybody.get("/health/ready")
        told.append((answer.status_code, answer.json()["ready"], answer.json()["stale"]))

    assert told == [(200, True, False), (200, True, True), (503, False, True)]


def test_service_is_not_ready_with_nothing() -> None:
    """A process without any schedule is not ready for requests."""
    answer = DeliveryStage().client(None).get("/health/ready")

    assert (answer.status_code, answer.json()["ready"]) == (503, False)


@pytest.mark.parametrize(("source", "status"), [(ServedSource.OURS, 200), (ServedSource.LEGACY, 503)])
def test_who_directs_partners_hears_where_to(stage: DeliveryStage, source: ServedSource, status: int) -> None:
    """Every reader gets the state of the operators' switch."""
    stage.store.served.change(ServedState(2, source, stage.clock(), "test", "test", None, forced=False))
    stage.keep_up()

    answer = stage.client(None).get("/health/serving")

    assert (answer.status_code, answer.json()) == (status, {"source": source.value})
