"""What makes an alarm: pure rules from what one look found to the conditions that hold.

Belongs here: one rule an alarm, and the thresholds that they go by. Does not belong here: reading anything
(``workflows/watch.py``), or when somebody is told (``domain/alarms.py``).

One cause is one alarm where that can be told: a check that only repeats what has an alarm of its own is left to
that one, and messages that wait while a coldstart holds the intake are as they should be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.incidents import AlarmName, Condition, Details, Findings, Severity
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, Stage
from schedules_pipeline.maintenance.ports.passes import PassName, PassRecord
from schedules_pipeline.migration.ports.comparisons import Comparison, Verdict
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Backlog

BOOKED = "starting"
"""What the presence of a publisher says that was asked for and has not come yet."""

DIFFERED = "differed"
"""The count of a reconciliation's report that says how many schedules were not what the sources make of them."""

_PUBLISHER_MISSED_AFTER = timedelta(seconds=30)
_TWO_LOOKS = timedelta(seconds=20)
"""Less than the time between two looks: whatever is found twice in a row has lasted so long."""
_COLDSTART_SILENT_AFTER = timedelta(minutes=5)
_COLDSTART_SHOWN_FOR = timedelta(minutes=10)
"""A coldstart that began by itself and was short must still be seen."""
_PULSE_MISSED_AFTER = timedelta(minutes=2)
_PULSE_FORGOTTEN_AFTER = timedelta(days=7)
"""A process that was switched off for good is not missed for ever."""

_CHANGES = {Origin.SCHEDULE, Origin.CATALOGUE, Origin.OPERATOR}
"""What somebody waits for; the others are passes over everything, and have alarms of their own."""
_CHECKS_WITH_AN_ALARM = {CheckName.IS_BUILT, CheckName.MATCHES_LEGACY}
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 200

FailingCheckStore = Mapping[tuple[ScheduleKey, str], str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Beyond which something is wrong. Durations are since the last good one, or since somebody first looked."""

    backlog_after: timedelta = timedelta(minutes=5)
    late_after: timedelta = timedelta(minutes=15)
    queue_after: timedelta = timedelta(minutes=5)
    collection_after: timedelta = timedelta(hours=26)
    reconciliation_after: timedelta = timedelta(hours=3)
    difference_is_error: bool = True


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """``oldest``: how long its oldest message waits."""

    depth: QueueDepth
    oldest: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """The latest finished run of a job, which failed."""

    job: str
    run_id: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look found. Queues and dead-letter queues by name, None where they did not answer.
    ``unreachable``: what did not answer, with the error. ``push_set_aside``: subscriptions, with the reason.
    """

    watched_since: datetime
    backlog: Backlog
    publisher: str = ""
    pending_since: Mapping[Origin, datetime] = field(default_factory=dict)
    set_aside: Mapping[ScheduleKey, str] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    comparisons: Mapping[ScheduleKey, Comparison] = field(default_factory=dict)
    failing_checks: FailingCheckStore = field(default_factory=dict)
    passes: Mapping[PassName, PassRecord] = field(default_factory=dict)
    coldstart: Coldstart | None = None
    queues: Mapping[str, QueueFacts | None] = field(default_factory=dict)
    dead_letters: Mapping[str, QueueDepth | None] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    failed_runs: Sequence[FailedRun] = ()
    push_set_aside: Mapping[str, str] = field(default_factory=dict)
    heartbeats: Mapping[DeliveryProcess, datetime] = field(default_factory=dict)


def find_conditions(facts: Facts, thresholds: Thresholds, now: datetime) -> Findings:
    """Everything that is wrong, at most one condition an alarm."""
    found = (
        _upstream_unreachable(facts),
        *_publishing(facts, thresholds, now),
        _set_aside(facts),
        _queue_not_drained(facts, thresholds, now),
        _dead_letters(facts),
        _input_rejected(facts),
        _checks_failed(facts),
        _differs(facts, thresholds),
        _runs_failed(facts),
        _pass_failed(facts),
        *_passes_missed(facts, thresholds, now),
        _reconciliation_differed(facts),
        _coldstart_by_itself(facts, now),
        _coldstart_stalled(facts, now),
        _push_set_aside(facts),
        _delivery_silent(facts, now),
    )
    return Findings(tuple(c for c in found if c is not None), _undecided(facts))


def _undecided(facts: Facts) -> frozenset[AlarmName]:
    """What a queue that does not answer might hold is not known to be gone."""
    queues = {AlarmName.QUEUE_NOT_DRAINED: facts.queues, AlarmName.DEAD_LETTERS: facts.dead_letters}
    return frozenset(name for name, answers in queues.items() if None in answers.values())


def _upstream_unreachable(facts: Facts) -> Condition | None:
    if not facts.unreachable:
        return None
    names = ", ".join(sorted(facts.unreachable))
    return Condition(
        AlarmName.UPSTREAM_UNREACHABLE,
        Severity.ERROR,
        f"{names} did not answer",
        {name: _example(error) for name, error in facts.unreachable.items()},
        patience=_TWO_LOOKS,
    )


def _publishing(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Work that is due and not done: nobody is there, or somebody is too slow; and whatever is late by now."""
    backlog = facts.backlog
    overdue = now - backlog.oldest_due_at if backlog.oldest_due_at else timedelta(0)
    numbers = {"dirty": backlog.pending, "in progress": backlog.in_progress, "waiting": backlog.waiting}
    due = f"{_count(backlog.pending, 'schedule')} to be built, the first due for {_duration(overdue)}"
    if facts.publisher in ("", BOOKED):
        if overdue > _PUBLISHER_MISSED_AFTER:
            yield Condition(
                AlarmName.PUBLISHER_MISSING,
                Severity.ERROR,
                f"nobody publishes: {due}",
                numbers,
                patience=_TWO_LOOKS,
            )
    elif overdue > thresholds.backlog_after:
        yield Condition(AlarmName.BACKLOG_GROWING, Severity.WARNING, due, numbers)
    changes = [since for origin, since in facts.pending_since.items() if origin in _CHANGES]
    if changes and (lag := now - min(changes)) > thresholds.late_after:
        summary = f"a change has been waiting for {_duration(lag)} to be published"
        yield Condition(AlarmName.SCHEDULES_LATE, Severity.ERROR, summary, numbers)


def _set_aside(facts: Facts) -> Condition | None:
    if not facts.set_aside:
        return None
    summary = (
        f"{_count(len(facts.set_aside), 'schedule')} failed too often; partners see the last good version"
    )
    examples = {str(key): reason for key, reason in facts.set_aside.items()}
    return Condition(AlarmName.SCHEDULES_SET_ASIDE, Severity.ERROR, summary, _examples(examples))


def _push_set_aside(facts: Facts) -> Condition | None:
    if not facts.push_set_aside:
        return None
    summary = f"{_count(len(facts.push_set_aside), 'subscription')} told nothing any more until resumed"
    return Condition(AlarmName.PUSH_SET_ASIDE, Severity.ERROR, summary, _examples(facts.push_set_aside))


def _delivery_silent(facts: Facts, now: datetime) -> Condition | None:
    """A kind that never left a pulse is not run here. After our store was away the processes are given two looks to
    come back.
    """
    ages = {process: now - facts.heartbeats[process] for process in sorted(facts.heartbeats)}
    silent = {p: age for p, age in ages.items() if _PULSE_MISSED_AFTER < age <= _PULSE_FORGOTTEN_AFTER}
    if not silent:
        return None
    texts = [f"{process} for {_duration(age)}" for process, age in silent.items()]
    details = {process.value: f"{facts.heartbeats[process]:%Y-%m-%dT%H:%M:%SZ}" for process in silent}
    summary = f"no sign of life: {', '.join(texts)}"
    return Condition(AlarmName.DELIVERY_SILENT, Severity.ERROR, summary, details, patience=_TWO_LOOKS)


def _queue_not_drained(facts: Facts, thresholds: Thresholds, now: datetime) -> Condition | None:
    """Not while a coldstart holds up the intake, nor for as long afterwards as a message may wait in any case."""
    if facts.coldstart and not facts.coldstart.stage.is_final:
        return None
    ended_at = facts.coldstart.ended_at if facts.coldstart else None
    if ended_at is not None and now - ended_at <= thresholds.queue_after:
        return None
    slow = {name: q for name, q in facts.queues.items() if q and q.oldest > thresholds.queue_after}
    if not slow:
        return None
    texts = [
        f"{_count(queue.depth.waiting, 'message')} in {name}, the oldest for {_duration(queue.oldest)}"
        for name, queue in slow.items()
    ]
    details = {name: queue.depth.waiting for name, queue in slow.items()}
    return Condition(AlarmName.QUEUE_NOT_DRAINED, Severity.ERROR, "; ".join(texts), details)


def _dead_letters(facts: Facts) -> Condition | None:
    dead = {name: d.waiting + d.in_flight for name, d in facts.dead_letters.items() if d}
    dead = {name: amount for name, amount in dead.items() if amount}
    if not dead:
        return None
    summary = "; ".join(f"{_count(amount, 'message')} in {name}" for name, amount in dead.items())
    return Condition(AlarmName.DEAD_LETTERS, Severity.ERROR, summary, dead)


def _input_rejected(facts: Facts) -> Condition | None:
    if not facts.rejected:
        return None
    kinds = Counter(_kind_of(subject) for subject in facts.rejected)
    summary = ", ".join(_count(amount, kind) for kind, amount in sorted(kinds.items())) + " refused"
    examples = {subject: rejection.reason for subject, rejection in facts.rejected.items()}
    return Condition(AlarmName.INPUT_REJECTED, Severity.WARNING, summary, _examples(examples))


def _kind_of(subject: str) -> str:
    if "/" in subject:
        return "schedule document"
    return "catalogue document" if is_pid(subject) else "message"


def _checks_failed(facts: Facts) -> Condition | None:
    failing = {
        f"{key} {check}": reason
        for (key, check), reason in facts.failing_checks.items()
        if check not in _CHECKS_WITH_AN_ALARM
    }
    if not failing:
        return None
    summary = f"{_count(len(failing), 'check')} failed as an error"
    return Condition(AlarmName.CHECKS_FAILED, Severity.ERROR, summary, _examples(failing))


def _differs(facts: Facts, thresholds: Thresholds) -> Condition | None:
    differing = {
        str(key): _count(comparison.difference_count, "difference")
        for key, comparison in facts.comparisons.items()
        if comparison.verdict is Verdict.DIFFERS
    }
    if not differing:
        return None
    severity = Severity.ERROR if thresholds.difference_is_error else Severity.WARNING
    summary = f"{len(differing)} of {_count(len(facts.comparisons), 'schedule')} differ from the old system"
    return Condition(AlarmName.DIFFERS_FROM_THE_OLD_SYSTEM, severity, summary, _examples(differing))


def _runs_failed(facts: Facts) -> Condition | None:
    if not facts.failed_runs:
        return None
    jobs = ", ".join(run.job for run in facts.failed_runs)
    details = {run.job: f"run {run.run_id}, {run.ended_at:%Y-%m-%dT%H:%M:%SZ}" for run in facts.failed_runs}
    return Condition(AlarmName.RUNS_FAILED, Severity.ERROR, f"the latest run failed of: {jobs}", details)


def _pass_failed(facts: Facts) -> Condition | None:
    """The watch itself is left out: what it could not tell anybody it cannot tell."""
    failed = {
        name.value: record.latest.problem
        for name, record in facts.passes.items()
        if name is not PassName.WATCH and not record.latest.succeeded
    }
    if not failed:
        return None
    summary = f"the latest pass failed of: {', '.join(sorted(failed))}"
    return Condition(AlarmName.PASS_FAILED, Severity.WARNING, summary, _examples(failed))


def _passes_missed(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    wanted = (
        (AlarmName.COLLECTION_MISSED, PassName.COLLECTION, thresholds.collection_after),
        (AlarmName.RECONCILIATION_MISSED, PassName.RECONCILIATION, thresholds.reconciliation_after),
    )
    for alarm, name, after in wanted:
        record = facts.passes.get(name)
        last = record.latest_success.ended_at if record and record.latest_success else None
        if now - (last or facts.watched_since) > after:
            text = f"the last one ended {_duration(now - last)} ago" if last else "there never was one"
            yield Condition(alarm, Severity.WARNING, f"no {name} within {_duration(after)}: {text}")


def _reconciliation_differed(facts: Facts) -> Condition | None:
    record = facts.passes.get(PassName.RECONCILIATION)
    differed = record.latest.counts.get(DIFFERED, 0) if record else 0
    if not record or not differed:
        return None
    summary = f"the latest reconciliation found and repaired {_count(differed, 'difference')}"
    return Condition(
        AlarmName.RECONCILIATION_FOUND_DIFFERENCES, Severity.ERROR, summary, dict(record.latest.counts)
    )


def _coldstart_by_itself(facts: Facts, now: datetime) -> Condition | None:
    coldstart = facts.coldstart
    if coldstart is None or not coldstart.request.by_itself:
        return None
    if coldstart.ended_at and now - coldstart.ended_at > _COLDSTART_SHOWN_FOR:
        return None
    summary = f"a coldstart began by itself: {_example(coldstart.request.reason)}"
    return Condition(AlarmName.COLDSTART_BY_ITSELF, Severity.ERROR, summary, _progress(coldstart))


def _coldstart_stalled(facts: Facts, now: datetime) -> Condition | None:
    """Nobody works at it; or it refused to go on, and there was nobody who asked and would see that."""
    coldstart = facts.coldstart
    if coldstart is None:
        return None
    if coldstart.stage is Stage.REJECTED and coldstart.request.by_itself:
        summary = f"a coldstart that began by itself was refused: {_example(coldstart.problem)}"
    elif coldstart.stage.is_final:
        return None
    else:
        silent = now - (coldstart.alive_at or coldstart.request.requested_at)
        if silent <= _COLDSTART_SILENT_AFTER:
            return None
        summary = f"nobody has worked at the coldstart for {_duration(silent)}, {coldstart.left} left"
    return Condition(AlarmName.COLDSTART_STALLED, Severity.ERROR, summary, _progress(coldstart))


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
    """The first few, by name, so that two looks at the same give the same."""
    return {_example(name): _example(reasons[name]) for name in sorted(reasons)[:_EXAMPLES]}


def _example(text: str) -> str:
    return shorten(printable(text), _EXAMPLE_CHARACTERS)


def _count(amount: int, what: str) -> str:
    return f"{amount:,} {what}" if amount == 1 else f"{amount:,} {what}s"


def _duration(length: timedelta) -> str:
    """In the largest unit of which there are two or more, rounded down."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
