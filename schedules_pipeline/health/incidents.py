"""Alarms: what there can be an alarm about, and when somebody is told that one began or is over.

Belongs here: conditions, incidents, notices, and the rule that leads from one to the next. Does not belong here:
what makes a condition true (``workflows/alarm_conditions.py``), and how a notice reaches anybody.

A *condition* is what one look finds. An *incident* is the time for which it lasts: first *suspected*, until it has
lasted as long as the condition's patience; then *raised*, which is told once; and *over* when the condition has
been gone for long enough, which is told once, if the incident was ever raised.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

Details = Mapping[str, str | int | float]


class AlarmName(StrEnum):
    """Each is the name of its page in the runbook as well."""

    STORE_UNREACHABLE = "store-unreachable"
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    PUBLISHER_MISSING = "publisher-missing"
    BACKLOG_GROWING = "backlog-growing"
    SCHEDULES_LATE = "schedules-late"
    SCHEDULES_SET_ASIDE = "schedules-set-aside"
    QUEUE_NOT_DRAINED = "queue-not-drained"
    DEAD_LETTERS = "dead-letters"
    INPUT_REJECTED = "input-refused"
    CHECKS_FAILED = "checks-failed"
    DIFFERS_FROM_THE_OLD_SYSTEM = "differs-from-the-old-system"
    RUNS_FAILED = "runs-failed"
    PASS_FAILED = "pass-failed"  # noqa: S105 - no password, a pass over everything
    COLLECTION_MISSED = "collection-missed"
    RECONCILIATION_MISSED = "reconciliation-missed"
    RECONCILIATION_FOUND_DIFFERENCES = "reconciliation-found-differences"
    COLDSTART_BY_ITSELF = "coldstart-by-itself"
    COLDSTART_STALLED = "coldstart-stalled"
    PUSH_SET_ASIDE = "push-set-aside"
    DELIVERY_SILENT = "delivery-silent"


class Severity(StrEnum):
    """``ERROR``: partners see, or may soon see, something old or wrong. ``WARNING``: worth a look by day."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Condition:
    """What one look found to be wrong: one line with the numbers, and what else an operator wants to know.
    It is worth an alarm only when it has lasted for ``patience``.
    """

    name: AlarmName
    severity: Severity
    summary: str
    details: Details = field(default_factory=dict)
    patience: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look found. ``undecided``: what it could not tell, since something did not answer."""

    conditions: tuple[Condition, ...] = ()
    undecided: frozenset[AlarmName] = frozenset()


class State(StrEnum):
    SUSPECTED = "suspected"
    RAISED = "raised"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Incident:
    """The latest time for which a condition lasted, or lasts. ``revision`` grows with every change of what is
    kept under the alarm's name, so that of two watchers that saw the same only one changes it.
    ``absent_since``: when it was first not found any more.
    """

    name: AlarmName
    state: State
    severity: Severity
    summary: str
    since: datetime
    revision: int
    details: Details = field(default_factory=dict)
    absent_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state is State.RAISED


class Phase(StrEnum):
    RAISED = "raised"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is told. ``id`` is the same however often the notice is delivered."""

    id: str
    name: AlarmName
    phase: Phase
    severity: Severity
    summary: str
    since: datetime
    at: datetime
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """An incident takes the place of what was there at its revision before; with it goes a notice, or none."""

    incident: Incident
    notice: Notice | None = None


def plan_changes(
    known: Iterable[Incident], found: Findings, now: datetime, clear_after: timedelta
) -> list[IncidentChange]:
    """How the incidents go on after a look. What could not be decided stays as it is."""
    incidents = {incident.name: incident for incident in known}
    conditions = {condition.name: condition for condition in found.conditions}
    changes = [_go_on(incidents.get(name), condition, now) for name, condition in conditions.items()]
    changes += [
        _fade(incident, now, clear_after)
        for incident in _absent(incidents, conditions.keys() | found.undecided)
    ]
    return [change for change in changes if change.incident != incidents.get(change.incident.name)]


def _absent(incidents: Mapping[AlarmName, Incident], excused: AbstractSet[AlarmName]) -> list[Incident]:
    return [e for name, e in incidents.items() if name not in excused and e.state is not State.OVER]


def begin_incident(condition: Condition, now: datetime, revision: int = 1) -> IncidentChange:
    """The condition has just been found."""
    is_raised = condition.patience <= timedelta(0)
    incident = Incident(
        condition.name,
        State.RAISED if is_raised else State.SUSPECTED,
        condition.severity,
        condition.summary,
        now,
        revision,
        condition.details,
    )
    return IncidentChange(incident, _notice(incident, Phase.RAISED, now) if is_raised else None)


def as_cleared(raised: Notice, now: datetime) -> Notice:
    """The all-clear of an alarm that was told."""
    return replace(
        raised, id=_notice_id(raised.name, raised.since, Phase.CLEARED), phase=Phase.CLEARED, at=now
    )


def _go_on(known: Incident | None, condition: Condition, now: datetime) -> IncidentChange:
    """The condition is there: an incident begins, goes on, or has lasted long enough to be told of."""
    if known is None or known.state is State.OVER:
        return begin_incident(condition, now, known.revision + 1 if known else 1)
    told = replace(
        known,
        severity=condition.severity,
        summary=condition.summary,
        details=condition.details,
        absent_since=None,
    )
    if known.state is State.SUSPECTED and now - known.since >= condition.patience:
        raised = _next(replace(told, state=State.RAISED))
        return IncidentChange(raised, _notice(raised, Phase.RAISED, now))
    return IncidentChange(known if told == known else _next(told))


def _fade(incident: Incident, now: datetime, clear_after: timedelta) -> IncidentChange:
    """The condition is gone: a suspicion ends at once, an alarm when it has been gone for long enough."""
    absent_since = incident.absent_since or now
    gone = _next(replace(incident, absent_since=absent_since))
    if incident.state is State.SUSPECTED:
        return IncidentChange(replace(gone, state=State.OVER))
    if now - absent_since >= clear_after:
        return IncidentChange(replace(gone, state=State.OVER), _notice(gone, Phase.CLEARED, now))
    return IncidentChange(incident if incident.absent_since else gone)


def _next(incident: Incident) -> Incident:
    return replace(incident, revision=incident.revision + 1)


def _notice(incident: Incident, phase: Phase, now: datetime) -> Notice:
    return Notice(
        _notice_id(incident.name, incident.since, phase),
        incident.name,
        phase,
        incident.severity,
        incident.summary,
        incident.since,
        now,
        incident.details,
    )


def _notice_id(name: AlarmName, since: datetime, phase: Phase) -> str:
    return f"{name}:{since:%Y-%m-%dT%H:%M:%S.%fZ}:{phase}"
