"""What changed lately, by event: one edit of a brand changes hundreds of schedules, and is listed once. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schedules_pipeline.domain.changes import Change

MOST_EVENTS: Final = 20
MOST_OF_EVENT: Final = 12
RECENT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Event:
    """The changes with the same causes, the newest first. ``left_out`` counts those that are not listed."""

    changes: Sequence[Change]
    left_out: int

    @property
    def latest(self) -> Change:
        return self.changes[0]

    @property
    def others(self) -> Sequence[Change]:
        return self.changes[1:]

    @property
    def other_count(self) -> int:
        return len(self.others) + self.left_out


@dataclass(frozen=True, slots=True)
class Panel:
    """Recent events, the newest first. ``left_out`` counts those that are not listed. Only operators see causes."""

    events: Sequence[Event]
    left_out: int
    shows_causes: bool


def panel_of(changes: Iterable[Change], *, shows_causes: bool) -> Panel:
    """``changes``: the newest first."""
    groups: dict[object, list[Change]] = {}
    for change in changes:
        groups.setdefault(_event_of(change), []).append(change)
    events = [Event(group[:MOST_OF_EVENT], max(0, len(group) - MOST_OF_EVENT)) for group in groups.values()]
    return Panel(events[:MOST_EVENTS], max(0, len(events) - MOST_EVENTS), shows_causes)


def recent_changes(newest_first: Iterable[Change], now: datetime) -> Iterator[Change]:
    """The changes of the last hour, up to the first that is older."""
    for change in newest_first:
        if now - change.published_at > RECENT:
            return
        yield change


def _event_of(change: Change) -> object:
    """Equal for changes with the same causes; a change without a known cause is an event of its own."""
    if not change.causes:
        return change.key, change.seq
    return tuple((cause.event_id, cause.subject) for cause in change.causes), change.cause_count
