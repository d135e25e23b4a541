"""A schedule as partners see it: every slot joined to its programme."""

from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.programme import Programme
from schedules_pipeline.domain.schedule import Slot


@dataclass(frozen=True, kw_only=True)
class Broadcast(Programme, Slot):
    """One broadcast: what its schedule says of the slot, then what the catalogue says of its programme."""


@dataclass(frozen=True, slots=True)
class PublishedSchedule:
    """One published version, its broadcasts in order of start, then of pid."""

    key: ScheduleKey
    seq: int
    published_at: datetime
    etag: str
    broadcasts: tuple[Broadcast, ...]
