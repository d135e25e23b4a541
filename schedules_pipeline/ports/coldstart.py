"""The coldstart in progress: what was asked for, how far it is, and what is left of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class Stage(StrEnum):
    """``REQUESTED``: nobody works at it yet. ``PREPARING``: the intake is stopped; queues are purged where
    asked, all copies are compared with their source, the work is listed. ``BUILDING``: schedule by schedule.
    ``FINISHED``, ``REFUSED`` (it would have taken too much from partners) and ``ABANDONED`` are final.
    """

    REQUESTED = "requested"
    PREPARING = "preparing"
    BUILDING = "building"
    FINISHED = "finished"
    REFUSED = "refused"
    ABANDONED = "abandoned"

    @property
    def is_final(self) -> bool:
        return self in (Stage.FINISHED, Stage.REFUSED, Stage.ABANDONED)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. ``reason`` is shown to operators; ``purge``: throw away what waits in the queues;
    ``even_if_fewer``: also where the source lists far less than partners have.
    """

    reason: str
    requested_at: datetime
    purge: bool = False
    even_if_fewer: bool = False
    by_itself: bool = False


@dataclass(frozen=True, slots=True)
class Coldstart:
    """One coldstart as it stands. ``total`` is 0 until the work is listed; ``problem`` says why it was refused,
    abandoned, or what its latest run failed of; ``alive_at`` is when a run last worked at it.
    """

    id: str
    request: Request
    stage: Stage
    total: int = 0
    left: int = 0
    published: int = 0
    failed: int = 0
    alive_at: datetime | None = None
    building_since: datetime | None = None
    ended_at: datetime | None = None
    problem: str = ""

    @property
    def done(self) -> int:
        return self.total - self.left

    def rate(self, now: datetime) -> float:
        """Schedules a second since building began; 0.0 before there is anything to divide by."""
        if self.building_since is None:
            return 0.0
        seconds = ((self.ended_at or now) - self.building_since).total_seconds()
        return self.done / seconds if seconds > 0 else 0.0

    def time_left(self, now: datetime) -> timedelta | None:
        """At the rate so far; None where there is none."""
        rate = self.rate(now)
        return timedelta(seconds=self.left / rate) if rate > 0 else None


class ColdstartBook(Protocol):
    """The one coldstart that is open, or the latest that was. What is left of it survives every crash."""

    def request(self, request: Request, id: str) -> Coldstart:  # noqa: A002 - it is the id
        """Open one; where one is open already, that one is the answer."""

    def latest(self) -> Coldstart | None: ...

    def enter(self, id: str, worker: str, now: datetime, for_: timedelta) -> bool:  # noqa: A002
        """Take the lease of the preparation, or renew it; False where another worker has it."""

    def list_work(self, id: str, work: Mapping[int, Sequence[ScheduleKey]]) -> None:  # noqa: A002
        """The preparation is done: what is to be built, by shard, in order; building begins."""
