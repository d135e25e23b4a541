"""Incidents: for how long a condition lasts, and which notices each channel gets. Pure.

An *incident* is *suspected* until its condition has lasted for its patience, then *raised*. It is *over* when the
condition has been gone for long enough. A channel gets one notice of an incident that is raised, another if it grows
worse, and one when it is over. What is due follows from what the channel has accepted, so there is no outbox.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from schedules_pipeline.health.condition import Condition, ConditionName, Details, Findings, Severity

_CLEARED = "cleared"


class State(StrEnum):
    SUSPECTED = "suspected"
    RAISED = "raised"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Incident:
    """The latest incident of one condition.

    ``absent_since``: when a check first did not find the condition any more. ``told``: the latest news that each
    channel has accepted: "", the worst severity, or "cleared".
    """

    name: ConditionName
    state: State
    severity: Severity
    summary: str
    since: datetime
    details: Details = field(default_factory=dict)
    absent_since: datetime | None = None
    told: Mapping[str, str] = field(default_factory=dict)

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
class IncidentRules:
    """``clear_after``: how long a condition must be gone. ``channels``: those that hear of an incident."""

    clear_after: timedelta = timedelta(0)
    channels: Sequence[str] = ()


def follow(
    known: Iterable[Incident], found: Findings, now: datetime, rules: IncidentRules
) -> dict[ConditionName, Incident]:
    """Every incident after this check. Undecided conditions stay as they are."""
    incidents = {incident.name: incident for incident in known}
    conditions = {condition.name: condition for condition in found.conditions}
    continued = {name: _continue(incidents.get(name), c, now, rules) for name, c in conditions.items()}
    faded = {
        name: _fade(incident, now, rules.clear_after)
        for name, incident in incidents.items()
        if name not in conditions.keys() | found.undecided and incident.state is not State.OVER
    }
    return incidents | continued | faded


def due_notices(incident: Incident, channel: str, now: datetime) -> list[Notice]:
    """The notices that this channel has not accepted yet, in order."""
    told = incident.told.get(channel, _CLEARED)
    if told == _CLEARED:
        return []
    is_news = not told or incident.severity.exceeds(Severity(told))
    notices = [_notice(incident, Phase.RAISED, now)] if is_news else []
    if incident.state is State.OVER:
        notices.append(_notice(incident, Phase.CLEARED, now))
    return notices


def with_told(incident: Incident, channel: str, notice: Notice) -> Incident:
    news = _CLEARED if notice.phase is Phase.CLEARED else notice.severity.value
    return replace(incident, told={**incident.told, channel: news})


def _continue(known: Incident | None, condition: Condition, now: datetime, rules: IncidentRules) -> Incident:
    """The condition holds: begin an incident, or continue it, and raise it if it has lasted long enough."""
    if known is None or known.state is State.OVER:
        known = Incident(condition.name, State.SUSPECTED, condition.severity, condition.summary, now)
    is_raised = known.is_open or now - known.since >= condition.patience
    return replace(
        known,
        state=State.RAISED if is_raised else State.SUSPECTED,
        severity=condition.severity,
        summary=condition.summary,
        details=condition.evidence,
        absent_since=None,
        told={**dict.fromkeys(rules.channels, ""), **known.told} if is_raised else {},
    )


def _fade(incident: Incident, now: datetime, clear_after: timedelta) -> Incident:
    """The condition is gone: a suspicion ends at once, a raised incident after ``clear_after``."""
    absent_since = incident.absent_since or now
    is_over = incident.state is State.SUSPECTED or now - absent_since >= clear_after
    return replace(incident, state=State.OVER if is_over else incident.state, absent_since=absent_since)


def _notice(incident: Incident, phase: Phase, now: datetime) -> Notice:
    """The severity is part of the id, because a milder notice may have been sent of the same incident."""
    notice_id = f"{incident.name}:{incident.since:%Y-%m-%dT%H:%M:%S.%fZ}:{phase}:{incident.severity}"
    return Notice(
        notice_id,
        incident.name,
        phase,
        incident.severity,
        incident.summary,
        incident.since,
        now,
        incident.details,
    )
