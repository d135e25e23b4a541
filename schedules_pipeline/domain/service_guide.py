"""What one service shows in one stretch of time, cut from its published schedules: what the formats for partners
render. How the stretch is chosen is in :mod:`~schedules_pipeline.domain.day_cut`.
"""

from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast


@dataclass(frozen=True, slots=True)
class ServiceGuide:
    """``name``: what people call the service. ``broadcasts``: each broadcast once, in order of start, then of pid;
    one that straddles the window's edge is whole, its times are never cut.

    ``version`` is the sum of the sequence numbers of the schedules that it is cut from, so it grows with every
    change of any of them. ``published_at`` is when the latest of them was published; None where there is none.
    """

    sid: Sid
    name: str
    window: Interval
    broadcasts: tuple[Broadcast, ...]
    version: int
    published_at: datetime | None
