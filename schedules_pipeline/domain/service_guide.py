"""The broadcasts of one service in one window, cut from its published schedules. The formats for partners render it,
and :mod:`~schedules_pipeline.domain.day_cut` chooses the window.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast


class DayVersion(NamedTuple):
    """The version of one of the schedules that a guide is cut from."""

    date: date
    seq: int
    etag: str


@dataclass(frozen=True, slots=True)
class ServiceGuide:
    """``name``: the service's name for people. ``broadcasts``: each once, in order of start, then of pid; a broadcast
    across the window's edge keeps its times.

    ``version`` is the sum of the sequence numbers of the schedules that the guide is cut from, so it grows with every
    change of any of them. ``published_at`` is the latest of their publications; None without a schedule.
    ``versions``: those of the published ones, by date.
    """

    sid: Sid
    name: str
    window: Interval
    broadcasts: tuple[Broadcast, ...]
    version: int
    published_at: datetime | None
    versions: tuple[DayVersion, ...] = ()
