"""The work queue: which schedules are to be rebuilt, which are being rebuilt, and by whose leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class Mark:
    """One schedule that is to be rebuilt. The earlier ``due_at``, the earlier it is claimed."""

    key: ScheduleKey
    due_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed schedule: why (oldest cause first, the first few of ``cause_count``), and how often its
    build has failed before.
    """

    key: ScheduleKey
    causes: tuple[Cause, ...]
    cause_count: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave to build some schedules. ``token`` grows with every claim, so of two builds of one schedule
    the one with the greater token began later.
    """

    token: int
    work: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A build that failed: tried again at ``retry_at``, or set aside where that is None."""

    reason: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many schedules stand where. ``oldest_due_at`` is None where nothing is dirty."""

    pending: int
    in_progress: int
    waiting: int
    quarantined: int
    oldest_due_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not (self.pending or self.in_progress or self.waiting)


RISKY_ATTEMPTS = 2
"""A schedule whose builds failed or died so often is handed out alone."""

LONGEST_PAUSE = timedelta(minutes=10)
"""No schedule waits longer than this for its next attempt, whatever some clock says."""


class WorkQueue(Protocol):
    """Durable: what has been marked is claimed again and again until a build of it is released.

    *dirty*: to be built. *in progress*: claimed, under a lease; may be marked again meanwhile, and is
    then built again. *waiting*: failed, to be tried again later. *set aside*: failed too often; only a
    new mark brings it back.
    """

    def mark(self, marks: Sequence[Mark]) -> None:
        """Make schedules dirty. Of several marks for one schedule the earliest due time counts."""

    def require_writable(self) -> None:
        """Raise :class:`ServiceError` where nothing could be marked just now."""

    def claim(self, limit: int, now: datetime, lease_for: timedelta) -> Claim | None:
        """Take the most urgent dirty schedules that nobody has in progress; None where there are none.

        First returns expired leases, and waiting schedules whose time has come, to dirty. A lease that
        has longer to go than the longest pause is a clock's mistake, and ends like one that begins now;
        nothing waits longer than that pause. A lease that expired is an attempt that died, unless it expired
        longer ago than that: then a clock, or an outage, is the likelier reason. A schedule
        whose build failed or died repeatedly is handed out alone, so that it cannot drag others down.
        """

    def claim_exactly(
        self, keys: Sequence[ScheduleKey], cause: Cause, now: datetime, lease_for: timedelta
    ) -> Claim:
        """Take these schedules, dirty or not and whoever has them: that one's token is now the older, so it
        cannot harm. The cause joins those that they were marked for.
        """

    def renew(self, claim: Claim, until: datetime) -> None:
        """Have the lease end later. Without effect on schedules that were claimed anew since."""

    def release(self, claim: Claim, keys: Sequence[ScheduleKey]) -> None:
        """Say that these were built. Without effect on those that were claimed anew since."""

    def postpone(self, claim: Claim, failures: Mapping[ScheduleKey, Failure], *, counts: bool) -> None:
        """Put failed ones back for later, or aside; ``counts`` says whether it was an attempt."""

    def wait(self, seconds: float) -> None:
        """Return when something is marked, or after so many seconds; may return for no reason."""

    def backlog(self) -> Backlog:
        """Count what stands where, now."""

    def pending_since(self) -> dict[Origin, datetime]:
        """When the oldest notification was sent that no build has answered yet, by the origin of the cause:
        of everything that is dirty, in progress or waiting, as far as its causes are kept. Origins that
        nothing is pending of are absent.
        """

    def unfinished(self, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        """Those that are dirty, in progress or waiting: their published state is about to change."""

    def quarantined(self) -> dict[ScheduleKey, str]:
        """The schedules that failed too often, with the last reason."""

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """Forget how often builds of these have failed, and that they were set aside."""
