"""The broadcasts of one service in one window, cut from its published schedules. The formats for partners render it,
and :mod:`~schedules_pipeline.domain.day_cut` chooses the window.
"""

from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast


@dataclass(frozen=True, slots=True)
class ServiceGuide:
    """``name``: the service's name for people. ``broadcasts``: each once, in order of start, then of pid; a broadcast
    across the window's edge keeps its times.

    ``version`` is the sum of the sequence numbers of the schedules that the guide is cut from, so it grows with every
    change of any of them. ``published_at`` is the latest of their publications; None without a schedule.
    """

    sid: Sid
    name: str
    window: Interval
    broadcasts: tuple[Broadcast, ...]
    version: int
    published_at: datetime | None
