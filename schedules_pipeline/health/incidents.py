"""Alarms: their names, and the rule for when to notify that one is raised or cleared. Pure.

An *incident* is the time for which a condition lasts. It is
*suspected* until the condition has lasted for its patience, then *raised*, with a notice. It is *over* when the
condition has been gone for long enough, with a notice if it was ever raised.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from schedules_pipeline.health.condition import Condition, ConditionName, Details, Findings, Severity


class State(StrEnum):
    SUSPECTED = "suspected"
    RAISED = "raised"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Incident:
    """The latest incident of one alarm.

    ``revision`` grows with every stored change of the alarm, so that of two watchers with the same findings only one
    makes the change. ``absent_since``: when a check first did not find the condition any more.
    """

    name: ConditionName
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
    """A message to operators. Every delivery of it has the same ``id``."""

    id: str
    name: ConditionName
    phase: Phase
    severity: Severity
    summary: str
    since: datetime
    at: datetime
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """Replaces an incident by its next revision, with the notice to send, if any."""

    incident: Incident
    notice: Notice | None = None


def plan_changes(
    known: Iterable[Incident], found: Findings, now: datetime, clear_after: timedelta
) -> list[IncidentChange]:
    """The changes that the findings of one check cause. Undecided alarms stay as they are."""
    incidents = {incident.name: incident for incident in known}
    conditions = {condition.name: condition for condition in found.conditions}
    changes = [_continue(incidents.get(name), condition, now) for name, condition in conditions.items()]
    changes += [
        _fade(incident, now, clear_after)
        for name, incident in incidents.items()
        if name not in conditions.keys() | found.undecided and incident.state is not State.OVER
    ]
    return [t for t in changes if t.incident != incidents.get(t.incident.name)]


def begin_incident(condition: Condition, now: datetime, revision: int = 1) -> IncidentChange:
    """The first check that finds the condition."""
    is_raised = condition.patience <= timedelta(0)
    incident = Incident(
        condition.name,
        State.RAISED if is_raised else State.SUSPECTED,
        condition.severity,
        condition.summary,
        now,
        revision,
        condition.evidence,
    )
    return IncidentChange(incident, _notice(incident, Phase.RAISED, now) if is_raised else None)


def as_cleared(raised: Notice, now: datetime) -> Notice:
    """The all-clear for an alarm that was sent."""
    notice_id = _notice_id(raised.name, raised.since, Phase.CLEARED, raised.severity)
    return replace(raised, id=notice_id, phase=Phase.CLEARED, at=now)


def _continue(known: Incident | None, condition: Condition, now: datetime) -> IncidentChange:
    """The condition holds: begin an incident, continue it, or raise it if the condition has lasted long enough."""
    if known is None or known.state is State.OVER:
        return begin_incident(condition, now, known.revision + 1 if known else 1)
    current = replace(
        known,
        severity=condition.severity,
        summary=condition.summary,
        details=condition.evidence,
        absent_since=None,
    )
    is_due = known.state is State.SUSPECTED and now - known.since >= condition.patience
    if is_due or (known.is_open and condition.severity.exceeds(known.severity)):
        raised = _next(replace(current, state=State.RAISED))
        return IncidentChange(raised, _notice(raised, Phase.RAISED, now))
    return IncidentChange(known if current == known else _next(current))


def _fade(incident: Incident, now: datetime, clear_after: timedelta) -> IncidentChange:
    """The condition is gone: a suspicion ends at once, an alarm after ``clear_after``."""
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
        _notice_id(incident.name, incident.since, phase, incident.severity),
        incident.name,
        phase,
        incident.severity,
        incident.summary,
        incident.since,
        now,
        incident.details,
    )


def _notice_id(name: ConditionName, since: datetime, phase: Phase, severity: Severity) -> str:
    """The severity is part of the id, because a milder notice may have been sent of the same incident."""
    return f"{name}:{since:%Y-%m-%dT%H:%M:%S.%fZ}:{phase}:{severity}"
