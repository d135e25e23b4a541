"""The facts from which conditions are judged, and the thresholds. Pure values.

:func:`~schedules_pipeline.health.gather.gather_facts` reads them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.maintenance.continuity import Repair
from schedules_pipeline.maintenance.ports import Coldstart, PassName, PassRecord
from schedules_pipeline.maintenance.servers import RedisServerFacts
from schedules_pipeline.migration.ports import NOTHING_DIFFERS, DifferenceSummary, ServedSource
from schedules_pipeline.publishing.decide_holds import HeldLoss
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.presence import NO_PUBLISHER, Publishers
from schedules_pipeline.publishing.ports.rejections import NOTHING_REJECTED, RejectionSummary
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Backlog

LEGACY = "the legacy keyspace"
"""The name of the old system among the sources."""

DIFFERED = "differed"
"""The count of a reconciliation report that holds the number of differing schedules."""

FailingChecks = Mapping[tuple[ScheduleKey, str], str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a condition holds, and for how long it must be gone to be cleared.

    Durations count from the last success, or from the first check ever.
    """

    backlog_after: timedelta = timedelta(minutes=5)
    late_after: timedelta = timedelta(minutes=15)
    queue_after: timedelta = timedelta(minutes=5)
    records_after: timedelta = timedelta(minutes=10)
    collection_after: timedelta = timedelta(hours=26)
    reconciliation_after: timedelta = timedelta(hours=3)
    legacy_after: timedelta = timedelta(minutes=10)
    state_export_after: timedelta = timedelta(hours=26)
    blanking_above: timedelta = timedelta(hours=12)
    difference_is_error: bool = True
    clear_after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """``oldest``: how long the oldest message has waited, at most; None if the queue was never polled."""

    depth: QueueDepth
    oldest: timedelta | None = timedelta(0)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one check. Queues and dead-letter queues are None if they did not answer.

    ``watched_since``: the first check of the watch; None if it has never run. ``unreachable``: the sources that did not
    answer, with their errors. ``push_quarantined``: subscriptions, with the reason. ``published``: schedules in the
    feed. ``has_epoch``: whether a coldstart has finished in this keyspace. ``legacy_refreshed_at``: None if there is no
    old system, or it did not answer. ``has_partners``: whether a partner was ever created in this keyspace.
    ``servers``: those of Redis. ``repairs``: after a loss of writes, the pending one and the
    latest. ``hours_until_full``: None without a limit or growth. ``unrecorded_since``: since when the oldest published
    version has waited for its record in Dagster.
    """

    backlog: Backlog
    watched_since: datetime | None = None
    publishers: Publishers = NO_PUBLISHER
    unrecorded_since: datetime | None = None
    pending_since: Mapping[Origin, datetime] = field(default_factory=dict)
    quarantined: Mapping[ScheduleKey, str] = field(default_factory=dict)
    rejected: RejectionSummary = NOTHING_REJECTED
    quarantined_broadcasts: Mapping[ScheduleKey, str] = field(default_factory=dict)
    differing: DifferenceSummary = NOTHING_DIFFERS
    failing_checks: FailingChecks = field(default_factory=dict)
    passes: Mapping[PassName, PassRecord] = field(default_factory=dict)
    published: int = 0
    has_epoch: bool = False
    coldstart: Coldstart | None = None
    queues: Mapping[str, QueueFacts | None] = field(default_factory=dict)
    dead_letters: Mapping[str, QueueDepth | None] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    legacy_refreshed_at: datetime | None = None
    served: ServedSource = ServedSource.LEGACY
    dagster: DagsterSnapshot | None = None
    has_partners: bool = False
    servers: Sequence[RedisServerFacts] = ()
    repairs: Sequence[Repair] = ()
    hours_until_full: float | None = None
    push_quarantined: Mapping[str, str] = field(default_factory=dict)
    heartbeats: Mapping[DeliveryProcess, datetime] = field(default_factory=dict)
    held: Sequence[HeldLoss] = ()
    blanked: Mapping[ScheduleKey, timedelta] = field(default_factory=dict)
