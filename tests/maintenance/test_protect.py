"""Protection: when a coldstart begins by itself, and that it does so once."""

from random import Random

import pytest
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.maintenance.ports.coldstart import Epoch, Stage
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
def test_a_lost_keyspace_wants_a_coldstart(
    remembered: ProtectionMemory, found: Epoch | None, words: str
) -> None:
    """An empty store, another one, or one that has gone back is said to be so, and then forgotten."""
    verdict = judge(remembered, found, 0, 100)

    assert words in verdict.reason
    assert verdict.remembered == ProtectionMemory(None)
    assert not verdict.purge


@pytest.mark.parametrize(
    "remembered", [ProtectionMemory(), ProtectionMemory(Epoch("one", 6)), ProtectionMemory(Epoch("one", 3))]
)
def test_a_keyspace_that_goes_on_wants_none(remembered: ProtectionMemory) -> None:
    """The same epoch with a pulse that has grown is remembered, and so is the first that is seen."""
    assert judge(remembered, _EPOCH, 0, 100) == Verdict(ProtectionMemory(_EPOCH))


def test_a_storm_is_answered_once() -> None:
    """Beyond the threshold a coldstart is wanted, and not again before the queue has fallen to half of it."""
    waiting = [100, 101, 5_000, 60, 101, 50, 101]
    remembered, answers = ProtectionMemory(_EPOCH), []
    for look, number in enumerate(waiting, start=8):
        verdict = judge(remembered, Epoch("one", look), number, 100)
        remembered = verdict.remembered
        answers.append(verdict.purge)

    assert answers == [False, True, False, False, False, False, True]


def test_it_is_asked_for_once() -> None:
    """While one is open no other is asked for, and once it has finished the new epoch is the right one."""
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


def test_what_was_abandoned_in_an_empty_keyspace_stays_so() -> None:
    """An operator's word counts more than the wish to begin."""
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
    """The coldstart of a storm does not leave the messages to be taken one by one afterwards."""
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


def test_what_is_lost_during_a_coldstart_is_answered_to_afterwards() -> None:
    """A store that goes back in time while a coldstart is open is coldstarted once more when that one has ended."""
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


def test_a_keyspace_that_has_gone_back_begins_another_life() -> None:
    """Where acknowledged writes were lost, cursors of the feed from before must mean nothing any more; in every other
    case they go on.
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


def test_a_storm_during_a_coldstart_is_answered_to_afterwards() -> None:
    """A coldstart that purges nothing leaves a storm to be dealt with."""
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
