"""What the tests of conditions share: facts of a system that works, and changes to them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.condition import Condition
from schedules_pipeline.health.facts import Facts, QueueFacts, Thresholds
from schedules_pipeline.health.find_conditions import find_conditions
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.maintenance.ports import Coldstart, PassName, PassRecord, PassReport, Request, Stage
from schedules_pipeline.maintenance.servers import Lineage, RedisServerFacts, ReplicaFacts
from schedules_pipeline.publishing.decide_holds import HeldLoss
from schedules_pipeline.publishing.ports.losses import Hold, HoldReason, LossKind
from schedules_pipeline.publishing.ports.losses import Verdict as HoldVerdict
from schedules_pipeline.publishing.ports.upstream import QueueAttributes, QueueDepth
from schedules_pipeline.publishing.ports.work import Backlog

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
IDLE = Backlog(0, 0, 0, 0, None)
THRESHOLDS = Thresholds()
_WATCHED = PassReport(PassName.WATCH, NOW - MINUTE, NOW - MINUTE)
WATCHED = {PassName.WATCH: PassRecord(_WATCHED, _WATCHED, 1, 0, 1.0)}
AS_DOCUMENTED = QueueAttributes("arn", 60 * SECOND, timedelta(days=4), "arn of the dead letters", 5)
DAGSTER = DagsterSnapshot(NOW - MINUTE)
IN_STEP = ReplicaFacts("r:3", is_online=True, lag=SECOND)
SERVER = RedisServerFacts("r:1", "7.0.15", "master", Lineage("run", "history", 0), has_append_only_file=True)
WELL = Facts(
    watched_since=NOW,
    backlog=IDLE,
    published=7,
    has_epoch=True,
    passes=WATCHED,
    dagster=DAGSTER,
    has_partners=True,
    servers=[SERVER],
)
REQUEST = Request("the keyspace was replaced", NOW - HOUR, by_itself=True)


def backlog_of(overdue: timedelta, amount: int = 7) -> Backlog:
    return Backlog(amount, 2, 1, 0, NOW - overdue)


def pass_of(name: PassName, ago: timedelta, problem: str = "", **counts: int) -> dict[PassName, PassRecord]:
    report = PassReport(name, NOW - ago - MINUTE, NOW - ago, counts, problem)
    return {**WATCHED, name: PassRecord(report, None if problem else report, 1, int(bool(problem)), 60.0)}


def coldstart_at(stage: Stage, **fields: Any) -> Coldstart:
    return Coldstart("c1", fields.pop("request", REQUEST), stage, total=10, left=4, **fields)


def queues_waiting(oldest: timedelta) -> Mapping[str, QueueFacts | None]:
    return {"schedule_events": QueueFacts(QueueDepth(3, 0), oldest)}


def held_loss(hours_ahead: float, verdict: HoldVerdict | None = None) -> HeldLoss:
    """A hold of 22.5 hours of a day that begins so many hours from now."""
    airs_at = NOW + timedelta(hours=hours_ahead)
    hold = Hold("a hold", HoldReason.SHRUNK, LossKind.SHRUNK, "abc", "put 1", 81_000, 5_400, NOW, airs_at)
    return HeldLoss(f"hold {hours_ahead}", HoldReason.SHRUNK, {KEY: hold}, {}, verdict)


def only_condition(facts: Facts, thresholds: Thresholds = THRESHOLDS) -> Condition:
    (condition,) = find_conditions(facts, thresholds, NOW).conditions
    return condition


def queue_with(attributes: QueueAttributes) -> QueueFacts:
    """An empty queue."""
    return QueueFacts(QueueDepth(0, 0, attributes))
