"""When a coldstart is requested automatically, and that it is requested once."""

from random import Random

import pytest
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.maintenance.ports import Epoch, Stage
from schedules_pipeline.maintenance.protect import ProtectionMemory, Verdict, judge

_EPOCH = Epoch("one", 7)


@pytest.mark.parametrize(
    ("remembered", "found", "words"),
    [
        (ProtectionMemory(), None, "is empty"),
        (ProtectionMemory(_EPOCH), None, "is empty"),
        (ProtectionMemory(_EPOCH), Epoch("two", 7), "was replaced"),
        (ProtectionMemory(_EPOCH), Epoch("one", 7), "gone back in time, by 1"),
        (ProtectionMemory(_EPOCH), Epoch("one", 3), "gone back in time, by 5"),
    ],
)
def test_a_lost_keyspace_needs_a_coldstart(
    remembered: ProtectionMemory, found: Epoch | None, words: str
) -> None:
    """An empty store, a replaced store and a store that went back in time are named, and then forgotten."""
    verdict = judge(remembered, found, 0, 100)

    assert words in verdict.reason
    assert verdict.remembered == ProtectionMemory(None)
    assert not verdict.purge


@pytest.mark.parametrize(
    "remembered", [ProtectionMemory(), ProtectionMemory(Epoch("one", 6)), ProtectionMemory(Epoch("one", 3))]
)
def test_a_continuous_keyspace_needs_none(remembered: ProtectionMemory) -> None:
    """The same epoch with more heartbeats is remembered, and so is the first epoch that is seen."""
    assert judge(remembered, _EPOCH, 0, 100) == Verdict(ProtectionMemory(_EPOCH))


def test_a_storm_is_answered_once() -> None:
    """Above the threshold a coldstart is needed, and not again before the queue has fallen to half of it."""
    waiting = [100, 101, 5_000, 60, 101, 50, 101]
    remembered, answers = ProtectionMemory(_EPOCH), []
    for look, number in enumerate(waiting, start=8):
        verdict = judge(remembered, Epoch("one", look), number, 100)
        remembered = verdict.remembered
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


def test_a_loss_during_a_coldstart_is_handled_afterwards() -> None:
    """If the store goes back in time while a coldstart is open, another one follows it."""
    clock = FakeClock()
    store = fake_store(clock)
    pipeline = pipeline_over(store.as_store(), fake_upstreams(clock, Random(0)), clock)
    store.coldstarts.begin_epoch("zero")
    pipeline.coldstarter.request("one", "an operator's wish")
    remembered = pipeline.protector.check(ProtectionMemory(Epoch("zero", 5)), "two").remembered
    while_open = store.coldstarts.latest()
    pipeline.coldstarter.work_at("one", "run 1", 0, lambda _: None)

    for number in range(3):
        remembered = pipeline.protector.check(remembered, f"later {number}").remembered

    latest = store.coldstarts.latest()
    assert while_open is not None
    assert while_open.id == "one"
    assert latest is not None
    assert (latest.id, latest.request.by_itself) == ("later 0", True)
    assert "gone back in time" in latest.request.reason


def test_a_keyspace_that_has_gone_back_begins_another_epoch() -> None:
    """After a loss of acknowledged writes, cursors of the feed from before must be invalid; in every other case
    they stay valid.
    """
    clock = FakeClock()
    store = fake_store(clock)
    pipeline = pipeline_over(store.as_store(), fake_upstreams(clock, Random(0)), clock)
    store.coldstarts.begin_epoch("zero")
    pipeline.protector.check(ProtectionMemory(Epoch("another", 3)), "one")
    unharmed = store.coldstarts.epoch()

    pipeline.protector.check(ProtectionMemory(Epoch("zero", 5)), "two")

    renewed = store.coldstarts.epoch()
    assert unharmed is not None
    assert renewed is not None
    assert (unharmed.id, renewed.id) == ("zero", "two")


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
