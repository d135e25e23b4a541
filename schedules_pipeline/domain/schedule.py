"""A schedule as its source gives it: which programme is shown when, by pid, with nothing joined to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from schedules_pipeline.domain.identifiers import OptionalPid, Pid, ScheduleKey
from schedules_pipeline.domain.interval import Interval


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What the source says of one broadcast. A blanked broadcast names neither episode nor version.

    Declaration order is the order of the fields in every document.
    """

    broadcast_pid: Pid = field(metadata={"description": "Stays the same when the time moves."})
    version_pid: OptionalPid = field(
        metadata={"description": "Empty if it is unknown or the broadcast is blanked."}
    )
    start: datetime
    end: datetime
    duration_seconds: int = field(metadata={"description": "Elapsed time."})
    is_repeat: bool
    is_blanked: bool = field(metadata={"description": "The broadcast keeps its slot and shows no programme."})
    is_signed: bool
    is_audio_described: bool
    episode_pid: OptionalPid = field(
        metadata={"description": "Empty if there is none or the broadcast is blanked."}
    )

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)


@dataclass(frozen=True, slots=True)
class SourceSchedule:
    """An accepted source document: its slots in order of start, then of pid."""

    key: ScheduleKey
    published_at: datetime
    slots: tuple[Slot, ...]


_AnySlot = TypeVar("_AnySlot", bound=Slot)


def in_order(slots: Iterable[_AnySlot]) -> tuple[_AnySlot, ...]:
    """Slots in the order of every document: by start, then by pid."""
    return tuple(sorted(slots, key=lambda slot: (slot.start, slot.broadcast_pid)))


@dataclass(frozen=True, slots=True)
class QuarantinedBroadcast:
    broadcast_pid: str
    reason: str
    is_blanked: bool


@dataclass(frozen=True, slots=True)
class SourceDocument:
    schedule: SourceSchedule
    quarantined: tuple[QuarantinedBroadcast, ...]
    mended: tuple[str, ...]


def keep_last_good(document: SourceDocument, committed: Iterable[Slot]) -> SourceSchedule:
    return document.schedule
