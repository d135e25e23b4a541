"""Alarms: what there can be an alarm about, and when somebody is told that one began or is over.

Belongs here: conditions, episodes, notices, and the rule that leads from one to the next. Does not belong here:
what makes a condition true (``workflows/alarm_conditions.py``), and how a notice reaches anybody.

A *condition* is what one look finds. An *episode* is the time for which it lasts: first *suspected*, until it has
lasted as long as the condition's patience; then *raised*, which is told once; and *over* when the condition has
been gone for long enough, which is told once, if the episode was ever raised.
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
class Episode:
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
class Turn:
    """An episode takes the place of what was there at its revision before; with it goes a notice, or none."""

    episode: Episode
    notice: Notice | None = None


def plan_turns(
    known: Iterable[Episode], found: Findings, now: datetime, clear_after: timedelta
) -> list[Turn]:
    """How the episodes go on after a look. What could not be decided stays as it is."""
    episodes = {episode.name: episode for episode in known}
    conditions = {condition.name: condition for condition in found.conditions}
    turns = [_go_on(episodes.get(name), condition, now) for name, condition in conditions.items()]
    turns += [
        _fade(episode, now, clear_after) for episode in _absent(episodes, conditions.keys() | found.undecided)
    ]
    return [turn for turn in turns if turn.episode != episodes.get(turn.episode.name)]


def _absent(episodes: Mapping[AlarmName, Episode], excused: AbstractSet[AlarmName]) -> list[Episode]:
    return [e for name, e in episodes.items() if name not in excused and e.state is not State.OVER]


def begin_episode(condition: Condition, now: datetime, revision: int = 1) -> Turn:
    """The condition has just been found."""
    is_raised = condition.patience <= timedelta(0)
    episode = Episode(
        condition.name,
        State.RAISED if is_raised else State.SUSPECTED,
        condition.severity,
        condition.summary,
        now,
        revision,
        condition.details,
    )
    return Turn(episode, _notice(episode, Phase.RAISED, now) if is_raised else None)


def as_cleared(raised: Notice, now: datetime) -> Notice:
    """The all-clear of an alarm that was told."""
    return replace(
        raised, id=_notice_id(raised.name, raised.since, Phase.CLEARED), phase=Phase.CLEARED, at=now
    )


def _go_on(known: Episode | None, condition: Condition, now: datetime) -> Turn:
    """The condition is there: an episode begins, goes on, or has lasted long enough to be told of."""
    if known is None or known.state is State.OVER:
        return begin_episode(condition, now, known.revision + 1 if known else 1)
    told = replace(
        known,
        severity=condition.severity,
        summary=condition.summary,
        details=condition.details,
        absent_since=None,
    )
    if known.state is State.SUSPECTED and now - known.since >= condition.patience:
        raised = _next(replace(told, state=State.RAISED))
        return Turn(raised, _notice(raised, Phase.RAISED, now))
    return Turn(known if told == known else _next(told))


def _fade(episode: Episode, now: datetime, clear_after: timedelta) -> Turn:
    """The condition is gone: a suspicion ends at once, an alarm when it has been gone for long enough."""
    absent_since = episode.absent_since or now
    gone = _next(replace(episode, absent_since=absent_since))
    if episode.state is State.SUSPECTED:
        return Turn(replace(gone, state=State.OVER))
    if now - absent_since >= clear_after:
        return Turn(replace(gone, state=State.OVER), _notice(gone, Phase.CLEARED, now))
    return Turn(episode if episode.absent_since else gone)


def _next(episode: Episode) -> Episode:
    return replace(episode, revision=episode.revision + 1)


def _notice(episode: Episode, phase: Phase, now: datetime) -> Notice:
    return Notice(
        _notice_id(episode.name, episode.since, phase),
        episode.name,
        phase,
        episode.severity,
        episode.summary,
        episode.since,
        now,
        episode.details,
    )


def _notice_id(name: AlarmName, since: datetime, phase: Phase) -> str:
    return f"{name}:{since:%Y-%m-%dT%H:%M:%S.%fZ}:{phase}"
