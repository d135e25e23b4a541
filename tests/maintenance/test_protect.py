"""When a coldstart is requested automatically, and that it is requested once."""

from random import Random

import pytest
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.maintenance.continuity import Epoch, Witness
from schedules_pipeline.maintenance.ports import Stage
from schedules_pipeline.maintenance.protect import ProtectionMemory, judge


def test_an_empty_keyspace_needs_a_coldstart() -> None:
    """A keyspace without an epoch is named as empty, and the queues are not purged."""
    verdict = judge(None, Witness(), 0, 100, in_storm=False)

    assert "is empty" in verdict.reason
    assert not verdict.purge


def test_a_storm_is_answered_once() -> None:
    """Above the threshold a coldstart is needed, and not again before the queue has fallen to half of it."""
    in_storm, answers = False, []
    for number in (100, 101, 5_000, 60, 101, 50, 101):
        verdict = judge(Epoch("one"), Witness(), number, 100, in_storm=in_storm)
        in_storm = verdict.remembered.in_storm
        answers.append(verdict.purge)

    assert answers == [False, True, False, False, False, False, True]


def test_it_is_requested_once() -> None:
    """No other coldstart is requested while one is open, and the new epoch is accepted when it has finished."""
    clock = FakeClock()
    store = fake_store(clock)
    pipeline = pipeline_over(store.as_store(), fake_upstreams(clock, Random(0)), clock)
    remembered = ProtectionMemory()
    for coldstart_id in ("one", "two"):
        remembered = pipeline.protector.check(remembered, coldstart_id).remembered
    opened = store.coldstarts.latest()
    pipeline.coldstarter.work_at("one", "run 1", 0, lambda _: None)

    verdicts = [pipeline.protector.check(remembered, f"later {n}") for n in range(2)]

    assert opened is not None
    assert (opened.id, opened.stage, opened.request.by_itself) == ("one", Stage.REQUESTED, True)
    assert [verdict.reason for verdict in verdicts] == ["", ""]
    latest = store.coldstarts.latest()
    assert latest is not None
    assert (latest.id, latest.stage) == ("one", Stage.FINISHED)


@pytest.mark.parametrize(("remembered", "is_first"), [(Witness(), True), (Witness("life"), False)])
def test_the_coldstart_of_a_new_keyspace_is_told_from_that_of_a_lost_one(
    remembered: Witness, is_first: bool
) -> None:
    """The sensor's memory is outside the store. The first coldstart is ordinary; a lost keyspace is an alarm."""
    clock = FakeClock()
    pipeline = pipeline_over(fake_store(clock).as_store(), fake_upstreams(clock, Random(0)), clock)

    pipeline.protector.check(ProtectionMemory(remembered), "one")

    names = {each.name for each in pipeline.health.check().conditions}
    assert (ConditionName.COLDSTART_AUTOMATIC in names) is not is_first
    assert ConditionName.KEYSPACE_EMPTY not in names


def test_a_coldstart_abandoned_in_an_empty_keyspace_stays_abandoned() -> None:
    """The decision of the operator takes precedence."""
    clock = FakeClock()
    store = fake_store(clock)
    pipeline = pipeline_over(store.as_store(), fake_upstreams(clock, Random(0)), clock)
    pipeline.protector.check(ProtectionMemory(), "one")
    pipeline.coldstarter.abandon("not now")

    pipeline.protector.check(ProtectionMemory(), "two")

    latest = store.coldstarts.latest()
    assert latest is not None
    assert latest.stage is Stage.ABANDONED


def test_a_storm_purges_the_queues() -> None:
    """After the coldstart of a storm, no old messages remain to be handled one by one."""
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    pipeline = pipeline_over(store.as_store(), upstreams, clock)
    store.coldstarts.begin_epoch("zero")
    for number in range(10_001):
        upstreams.catalogue_queue.post(str(number))

    pipeline.protector.check(ProtectionMemory(), "one")
    ended = pipeline.coldstarter.work_at("one", "run 1", 0, lambda _: None)

    assert ended.request.purge
    assert "10001 catalogue events wait" in ended.request.reason
    assert upstreams.catalogue_queue.is_empty()


def test_a_storm_during_a_coldstart_is_handled_afterwards() -> None:
    """A coldstart without a purge does not end a storm."""
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    pipeline = pipeline_over(store.as_store(), upstreams, clock)
    store.coldstarts.begin_epoch("zero")
    pipeline.coldstarter.request("one", "an operator's wish")
    for number in range(10_001):
        upstreams.catalogue_queue.post(str(number))
    remembered = pipeline.protector.check(ProtectionMemory(), "two").remembered
    pipeline.coldstarter.work_at("one", "run 1", 0, lambda _: None)

    pipeline.protector.check(remembered, "three")

    latest = store.coldstarts.latest()
    assert latest is not None
    assert (latest.id, latest.request.purge) == ("three", True)
