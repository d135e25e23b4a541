"""The record of a keyspace's continuity, on fakes and Redis alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.maintenance.continuity import Discontinuity, Epoch, Repair, name_histories

_NOW = datetime(2026, 3, 28, 12, 0, 0, 5, tzinfo=UTC)
_REPAIR = Repair("two", "the change feed has lost its row 7-0", "a test", _NOW, went_back=True)
_LEASE = timedelta(seconds=60)


def test_a_new_keyspace_has_no_epoch_and_no_rows(store: Store) -> None:
    """It names the servers that answer, and records none of them."""
    found = store.continuity.read(())

    assert (found.epoch, found.histories, found.last, set(found.lost)) == (None, "", "0", set())
    assert found.servers


def test_a_row_that_does_not_exist_is_lost(store: Store) -> None:
    """A position that the feed lacks, although it was not trimmed there, is reported."""
    assert set(store.continuity.read(["5"]).lost) == {"5"}


def test_what_was_found_is_recorded_once(store: Store) -> None:
    """Of two witnesses that found the same state, one records a new epoch, the histories and the repair."""
    store.coldstarts.begin_epoch("one")
    found = store.continuity.read(())
    change = Discontinuity(Epoch("two", ("one", "zero")), name_histories(found.servers), _REPAIR)

    answers = [store.continuity.record(found, change) for _ in range(2)]

    after = store.continuity.read(())
    assert answers == [True, False]
    assert store.coldstarts.epoch() == store.continuity.epoch() == after.epoch
    assert after.epoch is not None
    assert (after.epoch.id, list(after.epoch.before)) == ("two", ["one", "zero"])
    assert after.histories == name_histories(found.servers)
    assert store.continuity.pending_repair() == _REPAIR


def test_histories_are_recorded_without_a_repair(store: Store) -> None:
    """The first witness of a keyspace records where it is."""
    store.coldstarts.begin_epoch("one")
    found = store.continuity.read(())

    assert store.continuity.record(found, Discontinuity(Epoch("one"), name_histories(found.servers), None))

    assert store.continuity.pending_repair() is None
    assert store.continuity.read(()).histories == name_histories(found.servers)


def test_one_worker_repairs(store: Store) -> None:
    """Another gets the lease when it was given back, or when the repair is done."""
    answers = [store.continuity.lead_repair(worker, _LEASE) for worker in ("a", "b", "a")]
    store.continuity.leave_repair("b")
    answers.append(store.continuity.lead_repair("b", _LEASE))
    store.continuity.leave_repair("a")

    assert answers == [True, False, True, False]
    assert store.continuity.lead_repair("b", _LEASE)


def test_a_repair_that_is_done_is_remembered(store: Store) -> None:
    """It is no longer pending, unless another one has become necessary during it."""
    store.coldstarts.begin_epoch("one")
    done = replace(_REPAIR, repaired_at=_NOW, differed=3)
    found = store.continuity.read(())
    store.continuity.record(found, Discontinuity(Epoch("one"), "", _REPAIR))

    store.continuity.end_repair(replace(done, id="an earlier one"))
    pending = store.continuity.pending_repair()
    store.continuity.end_repair(done)

    assert pending == _REPAIR
    assert store.continuity.pending_repair() is None
    assert store.continuity.latest_repair() == done
