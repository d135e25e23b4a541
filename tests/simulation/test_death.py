"""A worker dies at any step; another finishes, and nothing is lost or done twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from fakes import Conditions, pipeline_over
from from_scratch import coldstart, contents, find_missing_entries, replay_feed
from toy_world import (
    BRANDS,
    BROADCASTS,
    EPISODES,
    KEYS,
    PIDS,
    SERIES,
    ItemPut,
    SchedulePut,
    ScheduleRemoved,
    ShrunkenSchedulePut,
    Slot,
    World,
)

from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing.policy import LossPolicy

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
    """Ends a worker; the workflows must not catch it."""


@dataclass(slots=True)
class _Mortal(Conditions):
    """Counts the steps, and kills the worker at the last one."""

    steps_left: int | None = None

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.steps_left = None
                raise _Death(step)


class _World(World):
    """A world whose worker also reconciles and collects if it is told to."""

    def __init__(self) -> None:
        self.conditions = _Mortal()
        super().__init__(1, self.conditions)
        self.reconciles = self.collects = False

    def work(self) -> None:
        if self.reconciles:
            self.pipeline.reconciler.reconcile()
        self.settle()
        if self.collects:
            for _ in range(2):
                self.pipeline.collector.collect()
                self.pipeline.publisher.publish_all()

    def work_until_death(self, steps: int) -> bool:
        """Work, die after so many steps, and let another worker finish. False if the work ended before."""
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
        return contents(self.store.as_store(), KEYS).get(_KEY)


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
    assert contents(world.store.as_store(), KEYS) == coldstart(world.upstreams, KEYS)
    assert find_missing_entries(world.store.as_store(), KEYS, PIDS) == []
    assert world.store.work.backlog().is_empty
    states = world.store.schedules.read(KEYS)
    assert {key: c.seq for key, c in replay_feed(world.store.as_store()).items()} == {
        key: state.seq for key, state in states.items() if state.seq
    }


def test_death_while_everything_is_new() -> None:
    """First documents and items are published after a death at any step."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)

    _for_each_death(prepare, _require_convergence)


def test_death_while_an_ancestor_changes() -> None:
    """A brand's change reaches every schedule below it after a death at any step."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.happen(ItemPut(BRANDS[0], "Another Title"), ItemPut(SERIES[0], "", SERIES[1]))

    _for_each_death(prepare, _require_convergence)


def test_death_while_a_schedule_goes() -> None:
    """A removal is published once after a death at any step."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.happen(ScheduleRemoved(_KEY))

    def judge(world: _World) -> None:
        _require_convergence(world)
        assert world.content() is None

    _for_each_death(prepare, judge)


def test_death_while_a_confirmed_document_is_built() -> None:
    """A shrunken document that was put again some minutes later is accepted, even if the first worker died over it."""

    def prepare(world: _World) -> None:
        world.happen(_FULL)
        world.work()
        world.happen(_SHRUNKEN)
        world.work()
        world.clock.advance(LossPolicy().confirm_after)
        world.happen(_SHRUNKEN)

    def judge(world: _World) -> None:
        assert (world.content() or b"").count(b'"broadcast_pid"') == 1
        # A worker that died after its commit has left the hold, which is judged again.
        world.pipeline.holds.revisit("again")
        world.settle()
        assert world.store.losses.holds() == {}

    _for_each_death(prepare, judge)


def test_death_while_a_lost_state_is_mended() -> None:
    """Partners see no removal after a death at any step of the reconcile."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.store.schedules.lose_state(_KEY)
        world.reconciles = True

    def judge(world: _World) -> None:
        _require_convergence(world)
        rows = [entry.change for entry in world.store.feed.read_after("0", 100)]
        assert rows
        assert not any(change.is_removal for change in rows)

    _for_each_death(prepare, judge)


def test_death_while_an_expired_schedule_is_forgotten() -> None:
    """No record of it is left after a death at any step of the collection."""

    def prepare(world: _World) -> None:
        world.happen(*_HIERARCHY, _FULL)
        world.work()
        world.pipeline = pipeline_over(
            world.store.as_store(),
            world.upstreams,
            world.clock,
            RetentionHorizon(1),
            RetentionPeriods(removals=timedelta(0)),
        )
        world.clock.advance(timedelta(days=3))
        world.collects = True

    def judge(world: _World) -> None:
        world.work()
        assert world.store.schedules.kept == {}
        assert world.store.feed.heads() == {}
        assert world.store.copies.copies == {}
        assert not any(world.store.references.scores.values())

    _for_each_death(prepare, judge)


def test_death_does_not_confirm_a_document() -> None:
    """A shrunken document that was put once is not accepted, even if several workers die over it."""

    def prepare(world: _World) -> None:
        world.happen(_FULL)
        world.work()
        world.happen(_SHRUNKEN)

    def judge(world: _World) -> None:
        assert (world.content() or b"").count(b'"broadcast_pid"') == len(_FULL.slots)
        assert _KEY in world.store.losses.holds()

    _for_each_death(prepare, judge)
