"""The coldstart: what was asked for, how far it is, and what is left of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class Stage(StrEnum):
    """``REQUESTED``: nobody has begun. ``PREPARING``: the intake is stopped, queues are purged where asked,
    the work is listed. ``BUILDING``: schedule by schedule. The others are final: ``FINISHED``, ``REFUSED``
    (it would have taken too much from partners), ``ABANDONED`` by an operator.
    """

    REQUESTED = "requested"
    PREPARING = "preparing"
    BUILDING = "building"
    FINISHED = "finished"
    REJECTED = "refused"
    ABANDONED = "abandoned"

    @property
    def is_final(self) -> bool:
        return self in (Stage.FINISHED, Stage.REJECTED, Stage.ABANDONED)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, and why, in words for operators. ``purge``: throw away what waits in the queues.
    ``even_if_fewer``: also where the source lists far fewer schedules than partners have. ``by_itself``:
    nobody asked, the system protects itself.
    """

    reason: str
    requested_at: datetime
    purge: bool = False
    even_if_fewer: bool = False
    by_itself: bool = False


@dataclass(frozen=True, slots=True)
class Coldstart:
    """One coldstart as it stands. ``total`` and ``left`` count schedules, once they are listed;
    ``published`` those of which partners saw something new; ``failed`` those that could not be fetched,
    which the publisher goes on trying. ``is_settled``: it takes no more from partners than is meant, and is not
    refused any more. ``alive_at``: when somebody last worked at it.
    """

    id: str
    request: Request
    stage: Stage
    is_confirmed: bool = False
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


@dataclass(frozen=True, slots=True)
class Epoch:
    """Which life of our keyspace this is. ``pulse`` grows with every look, so one that has not grown since the
    last look says that the store has lost what it had acknowledged.
    """

    id: str
    pulse: int


class ColdstartStore(Protocol):
    """The coldstart that is open, or else the latest; what is left of it survives every crash.

    Every method that is given an id does nothing where another coldstart has been opened since.
    """

    def open(self, coldstart_id: str, request: Request) -> Coldstart:
        """Open one; where one is open already, that one is the answer."""

    def latest(self) -> Coldstart | None: ...

    def lead(self, coldstart_id: str, worker: str, now: datetime, lease_for: timedelta) -> bool:
        """Take or renew the leave to prepare it, which also says that somebody works at it; False where
        another worker has the leave, or it is prepared already.
        """

    def confirm(self, coldstart_id: str) -> None:
        """Say that it is not to be refused; from now on something may be thrown away for it."""

    def list_work(self, coldstart_id: str, shards: Sequence[Sequence[ScheduleKey]], now: datetime) -> None:
        """It is prepared: this is to be built, each shard in this order; building begins."""

    def next_keys(self, coldstart_id: str, shard: int, limit: int, now: datetime) -> list[ScheduleKey]:
        """The next of a shard, counted from 0, that are left; the last of another where it is done; none
        where nothing is left at all. They stay on the list until they are built.
        """

    def record_built(self, coldstart_id: str, keys: Sequence[ScheduleKey], counts: Mapping[str, int]) -> None:
        """Take these off the list; ``counts``: what to add to ``published`` and ``failed``."""

    def end(self, coldstart_id: str, stage: Stage, now: datetime, problem: str = "") -> bool:
        """Give it a final stage and let the intake go on; the first that is finished begins the epoch. False where
        it had ended already, or is refused although it is settled.
        """

    def pause_intake(self, for_: timedelta) -> None:
        """Nothing is to be received for so long, unless it is said again; so the intake goes on by itself
        where whoever stopped it has died.
        """

    def intake_is_paused(self) -> bool: ...

    def epoch(self) -> Epoch | None:
        """None in a keyspace that no coldstart has ever finished in."""

    def begin_epoch(self, epoch_id: str) -> None:
        """Where there is none, in a keyspace that was filled otherwise."""

    def renew_epoch(self, epoch_id: str) -> None:
        """Where there is one: it is another life from here on, since what was acknowledged in this one was lost."""

    def record_heartbeat(self) -> Epoch | None:
        """Let the pulse grow by one; answers with the epoch as it was before, None where there is none."""
