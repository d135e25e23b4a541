"""The rules of the alarms: facts in, conditions out. Pure.

``watch`` gathers the facts, and ``incidents`` decides when to notify. One cause raises one alarm where possible: a
check that repeats another alarm is left to that one, and messages that wait during a coldstart are normal.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.incidents import AlarmName, Condition, Details, Findings, Severity
from schedules_pipeline.maintenance.ports import Coldstart, PassName, PassRecord
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.decide_holds import HeldLoss
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Backlog

STARTING = "starting"
"""The presence of a publisher that was requested and has not started yet."""

DIFFERED = "differed"
"""The count of a reconciliation report that holds the number of differing schedules."""

_PUBLISHER_MISSED_AFTER = timedelta(seconds=30)
_TWO_CHECKS = timedelta(seconds=20)
"""Less than the time between two checks, so a condition found by two in a row has lasted this long."""
_COLDSTART_SILENT_AFTER = timedelta(minutes=5)
_COLDSTART_SHOWN_FOR = timedelta(minutes=10)
"""A short automatic coldstart must still be seen."""
_HEARTBEAT_MISSED_AFTER = timedelta(minutes=2)
_HEARTBEAT_FORGOTTEN_AFTER = timedelta(days=7)
"""A process that was switched off for good must not be reported for ever."""

_CHANGES = {Origin.SCHEDULE, Origin.CATALOGUE, Origin.OPERATOR}
"""Origins of changes that someone waits for. Full passes have alarms of their own."""
_CHECKS_WITH_AN_ALARM = {CheckName.IS_BUILT, CheckName.MATCHES_LEGACY}
_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 200

FailingChecks = Mapping[tuple[ScheduleKey, str], str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a condition holds, and for how long it must be gone to be cleared.

    Durations count from the last success, or from the first check ever.
    """

    backlog_after: timedelta = timedelta(minutes=5)
    late_after: timedelta = timedelta(minutes=15)
    queue_after: timedelta = timedelta(minutes=5)
    collection_after: timedelta = timedelta(hours=26)
    reconciliation_after: timedelta = timedelta(hours=3)
    blanking_above: timedelta = timedelta(hours=12)
    difference_is_error: bool = True
    clear_after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """``oldest``: how long the oldest message has waited."""

    depth: QueueDepth
    oldest: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A job whose latest finished run failed."""

    job: str
    run_id: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one check. Queues and dead-letter queues are None if they did not answer.

    ``unreachable``: the sources that did not answer, with their errors. ``push_quarantined``: subscriptions, with the
    reason.
    """

    watched_since: datetime
    backlog: Backlog
    publisher: str = ""
    pending_since: Mapping[Origin, datetime] = field(default_factory=dict)
    quarantined: Mapping[ScheduleKey, str] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    quarantined_broadcasts: Mapping[ScheduleKey, str] = field(default_factory=dict)
    comparisons: Mapping[ScheduleKey, Comparison] = field(default_factory=dict)
    failing_checks: FailingChecks = field(default_factory=dict)
    passes: Mapping[PassName, PassRecord] = field(default_factory=dict)
    coldstart: Coldstart | None = None
    queues: Mapping[str, QueueFacts | None] = field(default_factory=dict)
    dead_letters: Mapping[str, QueueDepth | None] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    failed_runs: Sequence[FailedRun] = ()
    push_quarantined: Mapping[str, str] = field(default_factory=dict)
    heartbeats: Mapping[DeliveryProcess, datetime] = field(default_factory=dict)
    held: Sequence[HeldLoss] = ()
    blanked: Mapping[ScheduleKey, timedelta] = field(default_factory=dict)


def find_conditions(facts: Facts, thresholds: Thresholds, now: datetime) -> Findings:
    """Every condition that holds, at most one for each alarm."""
    found = (
        *_upstream_unreachable(facts),
        *_publishing(facts, thresholds, now),
        *_failing_schedules(facts, thresholds),
        *_queue_not_drained(facts, thresholds, now),
        *_dead_letters(facts),
        *_input_rejected(facts),
        *_broadcasts_quarantined(facts),
        *_airtime_held(facts, now),
        *_blanking_unusual(facts, thresholds),
        *_runs_failed(facts),
        *_pass_failed(facts),
        *_passes_missed(facts, thresholds, now),
        *_reconciliation_differed(facts),
        *_coldstart(facts, now),
        *_push_quarantined(facts),
        *_delivery_silent(facts, now),
    )
    return Findings(found, _undecided(facts))


def _undecided(facts: Facts) -> frozenset[AlarmName]:
    """A condition on a queue cannot be cleared while the queue does not answer."""
    queues = {AlarmName.QUEUE_NOT_DRAINED: facts.queues, AlarmName.DEAD_LETTERS: facts.dead_letters}
    return frozenset(name for name, answers in queues.items() if None in answers.values())


def _error(name: AlarmName, summary: str, details: Details, patience: timedelta = timedelta(0)) -> Condition:
    return Condition(name, Severity.ERROR, summary, details, patience)


def _upstream_unreachable(facts: Facts) -> Iterator[Condition]:
    if facts.unreachable:
        details = {name: _example(error) for name, error in facts.unreachable.items()}
        summary = f"{', '.join(sorted(facts.unreachable))} did not answer"
        yield _error(AlarmName.UPSTREAM_UNREACHABLE, summary, details, _TWO_CHECKS)


def _publishing(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Work that is due and not done: no publisher is at work, or it is too slow; and changes that are late."""
    backlog = facts.backlog
    overdue = now - backlog.oldest_due_at if backlog.oldest_due_at else timedelta(0)
    numbers = {"dirty": backlog.pending, "in progress": backlog.in_progress, "waiting": backlog.waiting}
    due = f"{_count(backlog.pending, 'schedule')} to be built, the first due for {_duration(overdue)}"
    if facts.publisher in ("", STARTING):
        if overdue > _PUBLISHER_MISSED_AFTER:
            yield _error(AlarmName.PUBLISHER_MISSING, f"no publisher is at work: {due}", numbers, _TWO_CHECKS)
    elif overdue > thresholds.backlog_after:
        yield Condition(AlarmName.BACKLOG_GROWING, Severity.WARNING, due, numbers)
    changes = [since for origin, since in facts.pending_since.items() if origin in _CHANGES]
    if changes and (lag := now - min(changes)) > thresholds.late_after:
        summary = f"a change has been waiting for {_duration(lag)} to be published"
        yield _error(AlarmName.SCHEDULES_LATE, summary, numbers)


def _failing_schedules(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    """Schedules that are quarantined, that fail a check, or that differ from the old system."""
    if quarantined := {str(key): reason for key, reason in facts.quarantined.items()}:
        summary = (
            f"{_count(len(quarantined), 'schedule')} failed too often; partners see the last good version"
        )
        yield _error(AlarmName.SCHEDULES_QUARANTINED, summary, _examples(quarantined))
    failing = {
        f"{key} {check}": reason
        for (key, check), reason in facts.failing_checks.items()
        if check not in _CHECKS_WITH_AN_ALARM
    }
    if failing:
        summary = f"{_count(len(failing), 'check')} failed as an error"
        yield _error(AlarmName.CHECKS_FAILED, summary, _examples(failing))
    differing = {
        str(key): _count(comparison.difference_count, "difference")
        for key, comparison in facts.comparisons.items()
        if comparison.verdict is Verdict.DIFFERS
    }
    if differing:
        severity = Severity.ERROR if thresholds.difference_is_error else Severity.WARNING
        summary = (
            f"{len(differing)} of {_count(len(facts.comparisons), 'schedule')} differ from the old system"
        )
        yield Condition(AlarmName.DIFFERS_FROM_THE_OLD_SYSTEM, severity, summary, _examples(differing))


def _push_quarantined(facts: Facts) -> Iterator[Condition]:
    if found := facts.push_quarantined:
        summary = f"{_count(len(found), 'subscription')} quarantined until an operator resumes delivery"
        yield _error(AlarmName.PUSH_QUARANTINED, summary, _examples(found))


def _delivery_silent(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A kind of process without any heartbeat is not used in this installation.

    After an outage of the store the processes get two checks to report again.
    """
    silent = {
        process: at
        for process, at in sorted(facts.heartbeats.items())
        if _HEARTBEAT_MISSED_AFTER < now - at <= _HEARTBEAT_FORGOTTEN_AFTER
    }
    if silent:
        summary = ", ".join(f"{process} for {_duration(now - at)}" for process, at in silent.items())
        details = {process.value: _instant(at) for process, at in silent.items()}
        yield _error(AlarmName.DELIVERY_SILENT, f"no heartbeat: {summary}", details, _TWO_CHECKS)


def _queue_not_drained(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Not while a coldstart stops the intake, nor in the time afterwards for which a message may wait."""
    if facts.coldstart:
        ended_at = facts.coldstart.ended_at
        if not facts.coldstart.stage.is_final or (ended_at and now - ended_at <= thresholds.queue_after):
            return
    slow = {name: q for name, q in facts.queues.items() if q and q.oldest > thresholds.queue_after}
    if slow:
        texts = [
            f"{_count(queue.depth.waiting, 'message')} in {name}, the oldest for {_duration(queue.oldest)}"
            for name, queue in slow.items()
        ]
        details = {name: queue.depth.waiting for name, queue in slow.items()}
        yield _error(AlarmName.QUEUE_NOT_DRAINED, "; ".join(texts), details)


def _dead_letters(facts: Facts) -> Iterator[Condition]:
    depths = {name: depth.waiting + depth.in_flight for name, depth in facts.dead_letters.items() if depth}
    if dead := {name: amount for name, amount in depths.items() if amount}:
        summary = "; ".join(f"{_count(amount, 'message')} in {name}" for name, amount in dead.items())
        yield _error(AlarmName.DEAD_LETTERS, summary, dead)


def _input_rejected(facts: Facts) -> Iterator[Condition]:
    if facts.rejected:
        kinds = Counter(_kind_of(subject) for subject in facts.rejected)
        summary = ", ".join(_count(amount, kind) for kind, amount in sorted(kinds.items())) + " rejected"
        examples = {subject: rejection.reason for subject, rejection in facts.rejected.items()}
        yield Condition(AlarmName.INPUT_REJECTED, Severity.WARNING, summary, _examples(examples))


def _broadcasts_quarantined(facts: Facts) -> Iterator[Condition]:
    if found := {str(key): summary for key, summary in facts.quarantined_broadcasts.items()}:
        summary = (
            f"{_count(len(found), 'schedule')} with broadcasts that cannot be read; the others are published"
        )
        yield Condition(AlarmName.BROADCASTS_QUARANTINED, Severity.WARNING, summary, _examples(found))


def _airtime_held(facts: Facts, now: datetime) -> Iterator[Condition]:
    """It grows more severe as the airtime comes near: warning days ahead, error within a day, critical on the day."""
    waiting = [loss for loss in facts.held if loss.verdict is None]
    if not waiting:
        return
    first = min(loss.airs_at for loss in waiting)
    severity = (
        Severity.WARNING if first > now + _A_DAY else Severity.ERROR if first > now else Severity.CRITICAL
    )
    hours = sum(loss.seconds for loss in waiting) / 3600
    services = sorted({sid for loss in waiting for sid in loss.seconds_by_service})
    begins = f"the first day begins {_instant(first)}" if first > now else "one of the days has begun"
    summary = (
        f"{hours:.1f} hours of airtime held of {', '.join(services[:_EXAMPLES])}"
        f"{', …' if len(services) > _EXAMPLES else ''}; {begins}: `schedules-pipeline holds list`"
    )
    previews = {
        loss.id: f"{_count(len(loss.held), 'schedule')}, {loss.seconds / 3600:.1f} h" for loss in waiting
    }
    yield Condition(AlarmName.AIRTIME_HELD, severity, summary, _examples(previews))


def _blanking_unusual(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    """Blanking is never held, so operators hear of much of it at once."""
    blanked: dict[str, timedelta] = {}
    for key, airtime in facts.blanked.items():
        blanked[key.sid] = blanked.get(key.sid, timedelta(0)) + airtime
    unusual = {
        sid: airtime for sid, airtime in sorted(blanked.items()) if airtime > thresholds.blanking_above
    }
    if unusual:
        details = {sid: f"{airtime / _AN_HOUR:.1f} h" for sid, airtime in unusual.items()}
        summary = "much airtime was blanked within an hour: " + ", ".join(
            f"{s} {d}" for s, d in details.items()
        )
        yield Condition(AlarmName.BLANKING_UNUSUAL, Severity.WARNING, summary, _examples(details))


def _kind_of(subject: str) -> str:
    if "/" in subject:
        return "schedule document"
    return "catalogue document" if is_pid(subject) else "message"


def _runs_failed(facts: Facts) -> Iterator[Condition]:
    if facts.failed_runs:
        jobs = ", ".join(run.job for run in facts.failed_runs)
        details = {run.job: f"run {run.run_id}, {_instant(run.ended_at)}" for run in facts.failed_runs}
        yield _error(AlarmName.RUNS_FAILED, f"the latest run failed of: {jobs}", details)


def _pass_failed(facts: Facts) -> Iterator[Condition]:
    """Without the watch itself, whose failures are failed deliveries."""
    failed = {
        name.value: record.latest.problem
        for name, record in facts.passes.items()
        if name is not PassName.WATCH and not record.latest.succeeded
    }
    if failed:
        summary = f"the latest pass failed of: {', '.join(sorted(failed))}"
        yield Condition(AlarmName.PASS_FAILED, Severity.WARNING, summary, _examples(failed))


def _passes_missed(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    wanted = (
        (AlarmName.COLLECTION_MISSED, PassName.COLLECTION, thresholds.collection_after),
        (AlarmName.RECONCILIATION_MISSED, PassName.RECONCILIATION, thresholds.reconciliation_after),
    )
    for alarm, name, after in wanted:
        record = facts.passes.get(name)
        last = record.latest_success.ended_at if record and record.latest_success else None
        if now - (last or facts.watched_since) > after:
            text = f"the last one ended {_duration(now - last)} ago" if last else "none has ever succeeded"
            yield Condition(alarm, Severity.WARNING, f"no {name} within {_duration(after)}: {text}")


def _reconciliation_differed(facts: Facts) -> Iterator[Condition]:
    record = facts.passes.get(PassName.RECONCILIATION)
    if record and (differed := record.latest.counts.get(DIFFERED, 0)):
        summary = f"the latest reconciliation found and repaired {_count(differed, 'difference')}"
        yield _error(AlarmName.RECONCILIATION_FOUND_DIFFERENCES, summary, dict(record.latest.counts))


def _coldstart(facts: Facts, now: datetime) -> Iterator[Condition]:
    """An automatic coldstart, which an operator must know of, and one without progress."""
    coldstart = facts.coldstart
    if coldstart is None:
        return
    details, is_automatic = _progress(coldstart), coldstart.request.by_itself
    if is_automatic and (not coldstart.ended_at or now - coldstart.ended_at <= _COLDSTART_SHOWN_FOR):
        summary = f"a coldstart began automatically: {_example(coldstart.request.reason)}"
        yield _error(AlarmName.AUTOMATIC_COLDSTART, summary, details)
    silent = now - (coldstart.alive_at or coldstart.request.requested_at)
    if not coldstart.stage.is_final and silent > _COLDSTART_SILENT_AFTER:
        summary = (
            f"no worker has made progress with the coldstart for {_duration(silent)}, {coldstart.left} left"
        )
        yield _error(AlarmName.COLDSTART_STALLED, summary, details)


def _progress(coldstart: Coldstart) -> Details:
    return {
        "id": coldstart.id,
        "stage": coldstart.stage.value,
        "total": coldstart.total,
        "left": coldstart.left,
        "failed": coldstart.failed,
        "problem": _example(coldstart.problem),
    }


def _examples(reasons: Mapping[str, str]) -> Details:
    """The first few by name, so that two checks of the same facts agree."""
    return {_example(name): _example(reasons[name]) for name in sorted(reasons)[:_EXAMPLES]}


def _example(text: str) -> str:
    return shorten(printable(text), _EXAMPLE_CHARACTERS)


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _count(amount: int, what: str) -> str:
    return f"{amount:,} {what}" if amount == 1 else f"{amount:,} {what}s"


def _duration(length: timedelta) -> str:
    """In the largest unit of which there are two or more, rounded down."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
