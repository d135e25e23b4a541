"""A schedule as its source gives it: which programme is shown when, by pid, with nothing joined to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


class Broadcast(NamedTuple):
    """One showing. Its pid stays the same when its time moves.

    A blanked broadcast keeps its slot and names neither episode nor version.
    """

    broadcast_pid: Pid
    version_pid: Pid | None
    episode_pid: Pid | None
    start: datetime
    end: datetime
    is_repeat: bool
    is_blanked: bool
    is_signed: bool
    is_audio_described: bool


@dataclass(frozen=True, slots=True)
class SourceSchedule:
    """An accepted source document: its broadcasts in order of start, then of pid."""

    key: ScheduleKey
    published_at: datetime
    broadcasts: tuple[Broadcast, ...]


def in_order(broadcasts: list[Broadcast]) -> tuple[Broadcast, ...]:
    """The one order in which a schedule lists its broadcasts."""
    return tuple(sorted(broadcasts, key=lambda b: (b.start, b.broadcast_pid)))
