"""The heartbeats of the processes that serve partners, on fakes and Redis alike."""

from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess

_NOW = datetime(2026, 3, 28, 12, 0, 0, 250_000, tzinfo=UTC)


def test_a_process_that_never_ran_has_no_heartbeat(store: Store) -> None:
    """A kind without a heartbeat is left out."""
    before = store.heartbeats.all()

    store.heartbeats.record(DeliveryProcess.PUSHER, _NOW)

    assert before == {}
    assert store.heartbeats.all() == {DeliveryProcess.PUSHER: _NOW}


def test_the_latest_heartbeat_of_each_kind_is_kept(store: Store) -> None:
    """A heartbeat replaces the one before of the same kind."""
    for process in DeliveryProcess:
        store.heartbeats.record(process, _NOW)

    store.heartbeats.record(DeliveryProcess.DELIVERY, later := _NOW + timedelta(seconds=2))

    assert store.heartbeats.all() == {DeliveryProcess.DELIVERY: later, DeliveryProcess.PUSHER: _NOW}
