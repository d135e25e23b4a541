"""The coldstart rebuilds everything, survives dying workers, and never takes a schedule from partners by mistake."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from fakes import TOY_LOSSES, FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from from_scratch import coldstart as from_scratch
from from_scratch import contents
from toy_world import Focus, RandomUpstream

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.coldstart import LEASE_FOR, plan_shards
from schedules_pipeline.maintenance.ports import Coldstart, PassName, Stage
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower, FollowResult
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import BatchResult

_FOCUS = Focus()
_KEYS = [ScheduleKey(Sid(sid), date(2026, 11, day)) for sid in ("alder", "birch") for day in range(1, 15)]


class World:
    """A pipeline over fakes. The sources hold documents that were never announced."""

    def __init__(self, losses: LossPolicy = TOY_LOSSES) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(1))
        self.pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock, losses=losses)
        self.changes = RandomUpstream(Random(7), _FOCUS, troubled=False)
        self.told: list[Coldstart] = []
        for pid in _FOCUS.pids:
            self.changes.item(pid).write(self.upstreams)
        for key in _FOCUS.keys:
            self.changes.schedule(key).write(self.upstreams)

    def work(self, coldstart_id: str = "one", worker: str = "run 1", shard: int = 0) -> Coldstart:
        return self.pipeline.coldstarter.work_at(coldstart_id, worker, shard, self.told.append)

    def is_right(self) -> bool:
        self.pipeline.publisher.publish_all()
        return contents(self.store.as_store(), _FOCUS.keys) == from_scratch(self.upstreams, _FOCUS.keys)


@pytest.fixture
def world() -> World:
    return World()


def test_one_worker_builds_everything(world: World) -> None:
    """One worker builds all shards, reports its progress, and records the pass with its counts."""
    ended = world.work()

    assert (ended.stage, ended.total, ended.left) == (Stage.FINISHED, len(_FOCUS.keys), 0)
    assert list(dict.fromkeys(t.stage for t in world.told)) == [
        Stage.PREPARING,
        Stage.BUILDING,
        Stage.FINISHED,
    ]
    assert world.told[-1].done == len(_FOCUS.keys)
    record = world.store.passes.all()[PassName.COLDSTART]
    assert record.latest_success is not None
    assert record.latest.counts["schedules"] == len(_FOCUS.keys)
    assert world.is_right()


def test_a_worker_that_comes_late_does_not_begin_again(world: World) -> None:
    """A late run of an ended coldstart does nothing; a new request begins a new coldstart."""
    first = world.work("one", "run 1")

    late = world.work("one", "run 2", shard=1)
    again = world.work("two", "run 3")

    assert late == first
    assert (again.id, again.stage) == ("two", Stage.FINISHED)
    assert again.published == 0


def test_the_intake_is_paused_until_it_ends(world: World) -> None:
    """The intake is paused while a coldstart prepares and builds, and resumes when it has ended."""
    book, paused = world.store.coldstarts, []
    world.pipeline.coldstarter.work_at("one", "run 1", 0, lambda _: paused.append(book.intake_is_paused()))

    assert paused[0]
    assert not paused[-1]
    assert not book.intake_is_paused()


@pytest.mark.parametrize("dies_at", range(1, len(_FOCUS.keys) + 1))
def test_another_worker_goes_on_where_one_died(
    world: World, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """If a worker dies before or after any batch, the next worker builds exactly the remaining schedules."""
    monkeypatch.setattr("schedules_pipeline.maintenance.coldstart.BATCH_SIZE", 1)
    build = Publisher.rebuild_from_sources
    built: list[list[ScheduleKey]] = []

    def build_or_die(self: Publisher, keys: Sequence[ScheduleKey], cause: Cause) -> BatchResult:
        built.append(list(keys))
        if len(built) == dies_at:
            raise ServiceError("killed")
        return build(self, keys, cause)

    monkeypatch.setattr(Publisher, "rebuild_from_sources", build_or_die)
    with pytest.raises(ServiceError):
        world.work(worker="run 1")
    attempts_of_the_first = len(built)
    ended = world.work(worker="run 2")

    assert (ended.stage, ended.left) == (Stage.FINISHED, 0)
    rebuilt = [key for keys in built[attempts_of_the_first:] for key in keys]
    assert sorted(rebuilt) == sorted(set(_FOCUS.keys) - {k for keys in built[: dies_at - 1] for k in keys})
    assert world.is_right()


def test_a_purge_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change that a purged message announced is published, also for a copy that no schedule uses."""
    world.work("one")
    follow = CatalogueFollower.follow
    followed: set[Pid] = set()

    def watched(self: CatalogueFollower, causes: Mapping[Pid, Cause]) -> FollowResult:
        followed.update(causes)
        return follow(self, causes)

    monkeypatch.setattr(CatalogueFollower, "follow", watched)
    for pid in _FOCUS.pids:
        change = world.changes.item(pid)
        change.write(world.upstreams)
        change.announce(world.upstreams)
    held = set(world.store.copies.copies)

    world.pipeline.coldstarter.request("two", "a storm", purge=True)
    ended = world.work("two")

    assert ended.stage is Stage.FINISHED
    assert world.upstreams.catalogue_queue.is_empty()
    assert held <= followed
    assert world.is_right()


def test_no_source_is_read_before_the_purge_has_settled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sources are listed only after the queue can no longer delete messages that were sent after the purge."""
    began = world.clock()
    read_at: list[datetime] = []
    source = world.upstreams.schedule_source
    list_keys = source.list_keys

    def watched() -> Iterator[ScheduleKey]:
        read_at.append(world.clock())
        return list_keys()

    monkeypatch.setattr(source, "list_keys", watched)

    world.pipeline.coldstarter.request("one", "a storm", purge=True)
    world.work("one")

    assert read_at[-1] - began >= timedelta(seconds=60)


def test_an_empty_source_takes_nothing_from_partners() -> None:
    """What the source has lost is held, and the coldstart goes on."""
    world = World(LossPolicy(whole_hours=1))
    world.work("one")
    before = contents(world.store.as_store(), _FOCUS.keys)
    for key in _FOCUS.keys:
        world.upstreams.schedule_source.remove(key)

    ended = world.work("two")

    assert ended.stage is Stage.FINISHED
    assert contents(world.store.as_store(), _FOCUS.keys) == before
    assert world.store.losses.holds().keys() == set(_FOCUS.keys)


def test_a_held_loss_may_be_intended() -> None:
    """An operator confirms the end of the services, and every later coldstart agrees."""
    world = World(LossPolicy(whole_hours=1))
    world.work("one")
    for key in _FOCUS.keys:
        world.upstreams.schedule_source.remove(key)
    world.work("two")
    (loss,) = world.pipeline.holds.list()

    world.pipeline.holds.confirm(loss, Cause("operator", Origin.OPERATOR, loss.id, world.clock()))
    world.work("three")

    assert world.store.schedules.documents(_FOCUS.keys) == {}
    assert world.store.losses.holds() == {}


def test_a_silent_preparer_is_replaced(world: World) -> None:
    """A worker waits while another prepares, and takes over once the other has been silent for its lease."""
    world.pipeline.coldstarter.request("one", "a try")
    world.store.coldstarts.lead("one", "run that died", world.clock(), LEASE_FOR)
    began = world.clock()

    ended = world.work("one", "run 2")

    assert ended.stage is Stage.FINISHED
    assert world.clock() - began >= LEASE_FOR


def test_an_abandoned_one_ends(world: World) -> None:
    """An abandoned coldstart ends for its workers, and the next request opens a new one."""
    world.pipeline.coldstarter.request("one", "a try")

    assert world.pipeline.coldstarter.abandon("not now")
    assert world.work("one").stage is Stage.ABANDONED
    assert not world.pipeline.coldstarter.abandon("again")
    assert world.work("two").stage is Stage.FINISHED


def test_shards_are_divided_by_date() -> None:
    """Each schedule is in one shard, together with all services of its day, and days are in order."""
    shards = plan_shards(reversed(_KEYS), 3)

    assert sorted(key for shard in shards for key in shard) == sorted(_KEYS)
    assert all(
        len({key.date for key in shard} & {k.date for k in other}) == 0 for shard, other in [shards[:2]]
    )
    assert all(shard == sorted(shard, key=lambda key: (key.date, key.sid)) for shard in shards)


def test_a_schedule_that_cannot_be_built_does_not_delay_the_others(world: World) -> None:
    """It counts as failed and stays in the work queue; the coldstart ends and the intake resumes."""
    world.work("one")
    poison = _FOCUS.keys[0]
    kept = world.store.schedules.kept[poison]
    kept.state = replace(kept.state, accepted=b"?")
    world.upstreams.schedule_source.put(poison, b"?")

    ended = world.work("two")

    assert (ended.stage, ended.left, ended.failed) == (Stage.FINISHED, 0, 1)
    assert not world.store.coldstarts.intake_is_paused()
    assert world.store.work.unfinished(_FOCUS.keys) == {poison}


def test_a_slow_preparer_purges_nothing_that_came_after_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that lost its lead while purging one queue does not purge the other."""
    world.work("one")
    queue, later = world.upstreams.schedule_queue, world.upstreams.catalogue_queue
    purge = queue.purge

    def purge_slowly() -> None:
        purge()
        monkeypatch.undo()
        world.clock.advance(2 * LEASE_FOR)
        world.work("two", "run 2")
        later.post("a change after the end")

    monkeypatch.setattr(queue, "purge", purge_slowly)
    world.pipeline.coldstarter.request("two", "a storm", purge=True)

    ended = world.work("two", "run 1")

    assert ended.stage is Stage.FINISHED
    assert not later.is_empty()


@pytest.mark.parametrize("is_first", [True, False], ids=["no other is known", "an earlier one is known"])
def test_a_coldstart_that_redis_has_lost_is_opened_again(world: World, is_first: bool) -> None:
    """After a failover the worker neither waits for ever nor ends with the result of an earlier coldstart."""
    if not is_first:
        world.work("zero")
        world.clock.advance(timedelta(minutes=1))
    coldstarts = world.store.coldstarts
    before = dict(vars(coldstarts))

    def lose(told: Coldstart) -> None:
        if len(world.told) == 1:
            vars(coldstarts).update(before)
        world.told.append(told)

    ended = world.pipeline.coldstarter.work_at("one", "run 1", 0, lose)

    assert (ended.id, ended.stage, ended.left) == ("one", Stage.FINISHED, 0)
