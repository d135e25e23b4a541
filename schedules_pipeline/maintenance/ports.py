"""The stores and sources of the full passes, and the values that they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.continuity import ContinuityStore, Epoch
from schedules_pipeline.maintenance.servers import ServerStore
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.upstream import NotificationQueue


class PassName(StrEnum):
    """Workflows over much or all of the stored data, on a timer or on demand."""

    COLDSTART = "coldstart"
    COLLECTION = "collection"
    RECONCILIATION = "reconciliation"
    PARITY = "parity"
    RETENTION = "retention"
    WATCH = "watch"
    STATE_EXPORT = "state_export"


@dataclass(frozen=True, slots=True)
class PassReport:
    """One finished pass. ``counts``: its results by name. ``problem``: why it failed, or ""."""

    name: PassName
    began_at: datetime
    ended_at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        return not self.problem

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


@dataclass(frozen=True, slots=True)
class PassRecord:
    """The latest report of one pass, the latest that succeeded, and totals over all runs."""

    latest: PassReport
    latest_success: PassReport | None
    runs: int
    failures: int
    seconds: float


class PassStore(Protocol):
    def record(self, report: PassReport) -> None: ...

    def all(self) -> dict[PassName, PassRecord]:
        """One record for each pass that has ever run."""


class Stage(StrEnum):
    """``REQUESTED``: not begun. ``PREPARING``: the intake is stopped, queues are purged if requested, and the work
    is listed. ``BUILDING``: workers rebuild the schedules. The others are final: ``FINISHED``, ``REJECTED`` (by
    release 0.1, which let a coldstart fail where partners would have lost much), ``ABANDONED`` by an operator.
    """

    REQUESTED = "requested"
    PREPARING = "preparing"
    BUILDING = "building"
    FINISHED = "finished"
    REJECTED = "refused"
    ABANDONED = "abandoned"

    @property
    def is_final(self) -> bool:
        return self in (Stage.FINISHED, Stage.REJECTED, Stage.ABANDONED)


STALLED_AFTER = timedelta(minutes=5)
"""A coldstart without progress for so long needs an operator. Workers that die are replaced within a minute."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, with its reason for operators. ``purge``: delete the messages that wait in the queues. ``by_itself``:
    requested automatically, as a protection. ``is_first``: as far as is known, nothing was ever built here.
    """

    reason: str
    requested_at: datetime
    purge: bool = False
    by_itself: bool = False
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Coldstart:
    """The progress of one coldstart. ``total`` and ``left`` count listed schedules, ``published`` those with a new
    version, ``failed`` those that publishers still retry. ``is_confirmed``: the check for a loss has passed, so it
    can no longer be rejected. ``alive_at``: when a worker last made progress.
    """

    id: str
    request: Request
    stage: Stage
    is_confirmed: bool = False
    total: int = 0
    left: int = 0
    published: int = 0
    failed: int = 0
    alive_at: datetime | None = None
    building_since: datetime | None = None
    ended_at: datetime | None = None
    problem: str = ""

    @property
    def done(self) -> int:
        return self.total - self.left

    @property
    def last_progress_at(self) -> datetime:
        """When a worker last made progress, or the request if none has begun."""
        return self.alive_at or self.request.requested_at

    def rate(self, now: datetime) -> float:
        """Schedules a second since building began; 0.0 before that."""
        if self.building_since is None:
            return 0.0
        seconds = ((self.ended_at or now) - self.building_since).total_seconds()
        return self.done / seconds if seconds > 0 else 0.0

    def time_left(self, now: datetime) -> timedelta | None:
        """An estimate from the rate so far; None without a rate."""
        rate = self.rate(now)
        return timedelta(seconds=self.left / rate) if rate > 0 else None


class ColdstartStore(Protocol):
    """Holds the open coldstart, or else the latest one. Its remaining work survives every crash.

    A method with an id does nothing if another coldstart has been opened since.
    """

    def open(self, coldstart_id: str, request: Request) -> Coldstart:
        """Open a coldstart. If one is open already, return that one."""

    def latest(self) -> Coldstart | None: ...

    def lead(self, coldstart_id: str, worker: str, now: datetime, lease_for: timedelta) -> bool:
        """Acquire or renew the lease on the preparation. False if another worker holds it, or the preparation is
        over.
        """

    def confirm(self, coldstart_id: str) -> None:
        """Record that the check for a loss has passed. From now on messages may be purged."""

    def list_work(self, coldstart_id: str, shards: Sequence[Sequence[ScheduleKey]], now: datetime) -> None:
        """End the preparation and list the schedules to build, each shard in order."""

    def next_keys(self, coldstart_id: str, shard: int, limit: int, now: datetime) -> list[ScheduleKey]:
        """The next schedules of a shard, counted from 0, or the last ones of another if it is done.

        They stay on the list until they are built. Empty if the whole list is.
        """

    def record_built(self, coldstart_id: str, keys: Sequence[ScheduleKey], counts: Mapping[str, int]) -> None:
        """Remove these from the list, and add ``counts`` to ``published`` and ``failed``."""

    def end(self, coldstart_id: str, stage: Stage, now: datetime, problem: str = "") -> bool:
        """Set a final stage and resume the intake. The first coldstart that finishes begins the epoch.

        False if it had ended already, or if a confirmed one is to be rejected.
        """

    def pause_intake(self, for_: timedelta) -> None:
        """Stop the intake for this long. It resumes on its own if the worker dies and does not extend the pause."""

    def intake_is_paused(self) -> bool: ...

    def epoch(self) -> Epoch | None:
        """None in a keyspace in which no coldstart has finished."""

    def begin_epoch(self, epoch_id: str) -> None:
        """Begin an epoch if there is none, for a keyspace that was filled without a coldstart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceStore(PublishingStore):
    coldstarts: ColdstartStore
    passes: PassStore
    server: ServerStore
    continuity: ContinuityStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceSources(PublishingSources):
    schedule_queue: NotificationQueue
    catalogue_queue: NotificationQueue
    schedule_dead_letters: NotificationQueue
    catalogue_dead_letters: NotificationQueue
