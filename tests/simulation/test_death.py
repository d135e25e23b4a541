"""A worker that dies at any step at all: somebody else finishes, and nothing is lost or done twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from fakes import Conditions, FakeClock, fake_store, fake_upstreams, pipeline_over
from from_scratch import coldstart, contents, find_missing_entries, replay_feed
from toy_world import (
    BRANDS,
    BROADCASTS,
    EPISODES,
    KEYS,
    PIDS,
    SERIES,
    Change,
    ItemPut,
    SchedulePut,
    ScheduleRemoved,
    ShrunkenSchedulePut,
    Slot,
)

from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing.intake import ingest

_LEASES_AND_VISIBILITY_RUN_OUT = timedelta(seconds=200)
_MORE_STEPS_THAN_ANY_SCENARIO = 500
_KEY = KEYS[0]
_FULL = SchedulePut(_KEY, tuple(Slot(broadcast, EPISODES[0]) for broadcast in BROADCASTS[:4]))
_SHRUNKEN = ShrunkenSchedulePut(_KEY, (Slot(BROADCASTS[0], EPISODES[1]),))
_HIERARCHY = (
    ItemPut(EPISODES[0], "Harbour Lights", SERIES[0]),
    ItemPut(SERIES[0], "Salt and Slate", BRANDS[0]),
    ItemPut(BRANDS[0], "Quiet Viaduct"),
)


class _Death(BaseException):
    """What ends a worker; nothing in the workflows may catch it."""


@dataclass(slots=True)
class _Mortal(Conditions):
    """Counts the steps, and kills whoever takes the last one."""

    steps_left: int | None = None

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.steps_left = None
                raise _Death(step)


class _World:
    """A store and its upstreams, with one worker that does everything."""

    def __init__(self) -> None:
        self.conditions = _Mortal()
        self.reconciles = self.collects = False
        self.clock = FakeClock()
        self.upstreams = fake_upstreams(self.clock, Random(1), self.conditions)
        self.fakes = fake_store(self.clock, self.conditions)
        self.store = self.fakes.as_store()
        self.pipeline = pipeline_over(self.store, self.upstreams, self.clock)

    def happen(self, *changes: Change) -> None:
        for change in changes:
            change.write(self.upstreams)
            change.announce(self.upstreams)

    def work(self) -> None:
        if self.reconciles:
            self.pipeline.reconciler.reconcile()
        while ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0).received:
            pass
        while ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0).received:
            pass
        self.pipeline.publisher.publish_all()
        if self.collects:
            for _ in range(2):
                self.pipeline.collector.collect()
                self.pipeline.publisher.publish_all()

    def work_until_death(self, steps: int) -> bool:
        """Work, die after so many steps, and have another worker finish; False where the work ended before."""
        self.conditions.steps_left = steps
        try:
            self.work()
        except _Death:
            died = True
        else:
            died = False
        self.conditions.steps_left = None
        self.clock.advance(_LEASES_AND_VISIBILITY_RUN_OUT)
        self.work()
        return died

    def content(self) -> bytes | None:
        return contents(self.store, KEYS).get(_KEY)


def _for_each_death(prepare: Callable[[_World], None], judge: Callable[[_World], None]) -> None:
    for steps in range(_MORE_STEPS_THAN_ANY_SCENARIO):
        world = _World()
        prepare(world)
        died = world.work_until_death(steps)
        judge(world)
        if not died:
            return
    pytest.fail(f"the scenario did not end within {_MORE_STEPS_THAN_ANY_SCENARIO} steps")


def _require_convergence(world: _World) -> None:
    assert contents(world.store, KEYS) == coldstart(world.upstreams, KEYS)
    assert find_missing_entries(world.store, KEYS, PIDS) == []
    assert world.store.work.backlog().is_empty
    states = world.store.schedules.read(KEYS)
    assert {key: c.seq for key, c in replay_feed(world.store).items()} == {
        key: state.seq for key, state in states.items() if state.seq
    }


def test_death_while_everything_is_new() -> None:
    """First documents and items are published whatever step their worker died at."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)

    _for_each_death(prepare, _require_convergence)


def test_death_while_an_ancestor_changes() -> None:
    """A brand's change reaches every schedule below it whatever step its worker died at."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.happen(ItemPut(BRANDS[0], "Another Title"), ItemPut(SERIES[0], "", SERIES[1]))

    _for_each_death(prepare, _require_convergence)


def test_death_while_a_schedule_goes() -> None:
    """A removal is published once whatever step its worker died at."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.happen(ScheduleRemoved(_KEY))

    def judge(world: _World) -> None:
        _require_convergence(world)
        assert world.content() is None

    _for_each_death(prepare, judge)


def test_death_while_a_confirmed_document_is_built() -> None:
    """A shrunken document that was put twice is accepted, also if the first to accept it died."""

    def prepare(world: _World) -> None:
        world.happen(_FULL)
        world.work()
        world.happen(_SHRUNKEN)
        world.work()
        world.happen(_SHRUNKEN)

    def judge(world: _World) -> None:
        assert (world.content() or b"").count(b'"broadcast_pid"') == 1

    _for_each_death(prepare, judge)


def test_death_while_a_lost_state_is_mended() -> None:
    """Partners are never told that the schedule is gone, whatever step of the reconcile its worker died at."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.fakes.schedules.lose_state(_KEY)
        world.reconciles = True

    def judge(world: _World) -> None:
        _require_convergence(world)
        rows = [entry.change for entry in world.store.feed.read_after("0", 100)]
        assert rows
        assert not any(change.is_removal for change in rows)

    _for_each_death(prepare, judge)


def test_death_while_an_expired_schedule_is_forgotten() -> None:
    """Nothing is left of it in the end, in whatever step of the collection its worker died."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.pipeline = pipeline_over(
            world.store,
            world.upstreams,
            world.clock,
            RetentionHorizon(1),
            RetentionPeriods(removals=timedelta(0)),
        )
        world.clock.advance(timedelta(days=3))
        world.collects = True

    def judge(world: _World) -> None:
        world.work()
        assert world.fakes.schedules.kept == {}
        assert world.store.feed.heads() == {}
        assert world.fakes.copies.copies == {}
        assert not any(world.fakes.references.scores.values())

    _for_each_death(prepare, judge)


def test_death_does_not_confirm_by_itself() -> None:
    """A shrunken document that was put once is not accepted, however often workers die over it."""

    def prepare(world: _World) -> None:
        world.happen(_FULL)
        world.work()
        world.happen(_SHRUNKEN)

    def judge(world: _World) -> None:
        assert (world.content() or b"").count(b'"broadcast_pid"') == len(_FULL.slots)
        assert str(_KEY) in world.store.rejections.all()

    _for_each_death(prepare, judge)
