"""A schedule as partners see it: every showing joined to its programme. What it was made from is in
:mod:`~schedules_pipeline.domain.schedule` and :mod:`~schedules_pipeline.domain.programme`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.interval import Interval


class TitledItem(NamedTuple):
    """A series or a brand, as far as partners see it."""

    pid: Pid
    title: str


class ShownEpisode(NamedTuple):
    """``image_pid`` is "" where neither the episode nor an ancestor has one."""

    pid: Pid
    title: str
    synopses: Synopses
    image_pid: str
    warning_text: str | None


class Showing(NamedTuple):
    """One broadcast. Blanked: it keeps its slot, names no episode, and ``title`` is "".

    ``episode_pid`` is kept where the catalogue lacks the episode; then ``episode`` is None and the titles are "".
    ``series`` is the nearest series above the episode, ``brand`` the topmost brand.
    """

    broadcast_pid: Pid
    version_pid: Pid | None
    start: datetime
    end: datetime
    is_repeat: bool
    is_blanked: bool
    is_signed: bool
    is_audio_described: bool
    episode_pid: Pid | None
    episode: ShownEpisode | None
    series: TitledItem | None
    brand: TitledItem | None
    title: str
    subtitle: str

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)


@dataclass(frozen=True, slots=True)
class PublishedSchedule:
    """One published version, its showings in order of start, then of pid."""

    key: ScheduleKey
    seq: int
    published_at: datetime
    etag: str
    showings: tuple[Showing, ...]
