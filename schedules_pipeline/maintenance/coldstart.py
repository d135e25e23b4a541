"""The coldstart rebuilds everything from the sources. Partners are served throughout.

Several workers share a coldstart. Each repeats small steps whose results are stored, so a worker that dies
leaves at most one batch undone, and any other worker finishes it.

If the source has lost schedules, the loss valve holds what is missing, as it does for every build.

The preparation has a fixed order: stop the intake, purge the queues, then read the sources. Every change that a purged
message announced is therefore read from its source. For the same reason all copies are compared, including those that
no schedule uses, and earlier reads of an item can no longer be stored.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.maintenance.ports import (
    Coldstart,
    MaintenanceSources,
    MaintenanceStore,
    PassName,
    PassReport,
    Request,
    Stage,
)
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports.feed import published_keys
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.publish import BATCH_SIZE, Publisher

LEASE_FOR = timedelta(minutes=1)
"""How long a worker may be silent before another prepares in its place, and before the intake resumes."""

_POLL_SECONDS = 1.0
_RENEW_EVERY_SECONDS = 10.0

OnProgress = Callable[[Coldstart], None]


@dataclass(frozen=True, slots=True)
class ColdstartPolicy:
    """``purge_settles_for``: how long after a purge the queue may still delete messages."""

    shards: int = 2
    purge_settles_for: timedelta = timedelta(0)
    horizon: RetentionHorizon = KEEPS_EVERYTHING


@dataclass(frozen=True, slots=True)
class Coldstarter:
    store: MaintenanceStore
    sources: MaintenanceSources
    follower: CatalogueFollower
    publisher: Publisher
    clock: Clock
    wait: Callable[[float], None]
    policy: ColdstartPolicy

    def request(
        self,
        coldstart_id: str,
        reason: str,
        *,
        purge: bool = False,
        by_itself: bool = False,
        is_first: bool = False,
    ) -> Coldstart:
        """Open a coldstart, which workers then carry out. If one is open already, return that one."""
        request = Request(reason, self.clock(), purge, by_itself, is_first)
        return self.store.coldstarts.open(coldstart_id, request)

    def work_at(self, coldstart_id: str, worker: str, shard: int, on_progress: OnProgress) -> Coldstart:
        """Take part until the coldstart has ended, first in one shard, then in any that has work left.

        A ``coldstart_id`` that is new is opened, unless another coldstart is open: then the worker joins that
        one. ``on_progress`` gets the state after every step.
        """
        coldstart = self._join(coldstart_id)
        joined = coldstart.id
        while coldstart.id == joined and not coldstart.stage.is_final:
            if coldstart.stage is Stage.BUILDING:
                self._build_next(coldstart, worker, shard)
            elif self._lead(coldstart, worker):
                self._prepare(coldstart, worker)
            else:
                self.wait(_POLL_SECONDS)
            coldstart = self._follow(coldstart)
            on_progress(coldstart)
        return coldstart

    def abandon(self, reason: str) -> bool:
        """End the open coldstart. Schedules that it has not built keep their state. False if none is open."""
        latest = self.store.coldstarts.latest()
        return latest is not None and self._end(latest, Stage.ABANDONED, reason)

    def _follow(self, coldstart: Coldstart) -> Coldstart:
        """The state of the coldstart now, or of a later one. One that Redis has lost in a failover is opened again."""
        latest = self.store.coldstarts.latest()
        if latest is None or latest.request.requested_at < coldstart.request.requested_at:
            return self.store.coldstarts.open(coldstart.id, coldstart.request)
        return latest

    def _join(self, coldstart_id: str) -> Coldstart:
        """A worker whose coldstart has ended must not start it again."""
        latest = self.store.coldstarts.latest()
        if latest is not None and latest.id == coldstart_id:
            return latest
        return self.request(coldstart_id, "launched by hand")

    # Prepare

    def _lead(self, coldstart: Coldstart, worker: str) -> bool:
        leads = self.store.coldstarts.lead(coldstart.id, worker, self.clock(), LEASE_FOR)
        if leads:
            self.store.coldstarts.pause_intake(LEASE_FOR)
        return leads

    def _prepare(self, coldstart: Coldstart, worker: str) -> None:
        if not coldstart.is_confirmed:
            # From here on messages may be purged: an abandoned coldstart has lost them.
            self.store.coldstarts.confirm(coldstart.id)
            return
        if coldstart.request.purge:
            self._purge(coldstart, worker)
            self._invalidate_tokens(coldstart, worker)
            self._compare_copies(coldstart, worker)
        # Unpublished schedules too: a publisher may be about to publish one that the source has removed since.
        held = self._within_horizon(key for keys in self.store.schedules.stored_keys() for key in keys)
        shards = plan_shards(self._listed() | published_keys(self.store.feed) | held, self.policy.shards)
        self.store.coldstarts.list_work(coldstart.id, shards, self.clock())

    def _listed(self) -> set[ScheduleKey]:
        return self._within_horizon(self.sources.schedule_source.list_keys())

    def _within_horizon(self, keys: Iterable[ScheduleKey]) -> set[ScheduleKey]:
        return set(self.policy.horizon.select(keys, self.clock()))

    def _purge(self, coldstart: Coldstart, worker: str) -> None:
        for queue in (self.sources.schedule_queue, self.sources.catalogue_queue):
            # A worker that has lost its lead may be late: by now the queue holds messages sent after the sources
            # were read.
            if self._lead(coldstart, worker):
                queue.purge()
        until = self.clock() + self.policy.purge_settles_for
        while self.clock() < until:
            self.wait(min(_RENEW_EVERY_SECONDS, (until - self.clock()).total_seconds()))
            self._lead(coldstart, worker)

    def _invalidate_tokens(self, coldstart: Coldstart, worker: str) -> None:
        for pids in self.store.copies.tracked_pids():
            self.store.copies.invalidate_tokens(pids)
            self._lead(coldstart, worker)

    def _compare_copies(self, coldstart: Coldstart, worker: str) -> None:
        cause = self._cause(coldstart, worker)
        for pids in self.store.copies.stored_pids():
            self.follower.follow(dict.fromkeys(pids, cause))
            self._lead(coldstart, worker)

    # Build

    def _build_next(self, coldstart: Coldstart, worker: str, shard: int) -> None:
        keys = self.store.coldstarts.next_keys(coldstart.id, shard, BATCH_SIZE, self.clock())
        if not keys:
            self._end(coldstart, Stage.FINISHED)
            return
        self.store.coldstarts.pause_intake(LEASE_FOR)
        batch = self.publisher.rebuild_from_sources(keys, self._cause(coldstart, worker))
        # Failed schedules stay in the work queue, and publishers retry them.
        counts = {"published": batch.count(Outcome.PUBLISHED), "failed": len(batch.failed)}
        self.store.coldstarts.record_built(coldstart.id, keys, counts)

    def _end(self, coldstart: Coldstart, stage: Stage, problem: str = "") -> bool:
        now = self.clock()
        if not self.store.coldstarts.end(coldstart.id, stage, now, problem):
            return False
        if stage is not Stage.ABANDONED:
            ended = self.store.coldstarts.latest() or coldstart
            counts = {"schedules": ended.total, "published": ended.published, "failed": ended.failed}
            began_at = coldstart.request.requested_at
            self.store.passes.record(PassReport(PassName.COLDSTART, began_at, now, counts, problem))
        return True

    def _cause(self, coldstart: Coldstart, worker: str) -> Cause:
        return Cause(worker, Origin.COLDSTART, coldstart.id, self.clock())


def plan_shards(keys: Iterable[ScheduleKey], shards: int) -> list[list[ScheduleKey]]:
    """Divide by date, so that regional variants, which share their episodes, are built in one batch."""
    planned: list[list[ScheduleKey]] = [[] for _ in range(shards)]
    for key in sorted(keys, key=lambda key: (key.date, key.sid)):
        planned[key.date.toordinal() % shards].append(key)
    return planned
