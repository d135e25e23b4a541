"""The background rounds: a round that succeeds leaves a heartbeat, one that fails leaves none."""

from datetime import timedelta

import pytest
from delivery_stage import DeliveryStage

from schedules_pipeline.delivery.running import upkeep_of
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess


def test_a_round_leaves_a_pulse() -> None:
    """It says when the latest round ended."""
    stage = DeliveryStage()
    stage.clock.advance(timedelta(minutes=1))

    upkeep_of(stage.delivery)()

    assert stage.store.heartbeats.all() == {DeliveryProcess.DELIVERY: stage.clock()}


def test_a_round_that_failed_leaves_no_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot read who its partners are is missed, although it runs."""
    stage = DeliveryStage()
    before = stage.store.heartbeats.all()
    stage.clock.advance(timedelta(minutes=1))

    def fail(_: PartnerStore) -> None:
        raise ServiceError("Redis: away")

    monkeypatch.setattr(type(stage.store.partners), "all", fail)

    with pytest.raises(ServiceError):
        upkeep_of(stage.delivery)()

    assert before
    assert stage.store.heartbeats.all() == before
