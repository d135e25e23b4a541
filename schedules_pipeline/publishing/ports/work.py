"""The work queue: the schedules that wait for a rebuild, and those that are being rebuilt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey

RISKY_ATTEMPTS = 2
"""After so many failed or dead builds, a schedule is claimed alone."""

LONGEST_PAUSE = timedelta(minutes=10)
"""The longest time to the next attempt, even if a clock was wrong."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A schedule to rebuild. The earliest ``due_at`` is claimed first."""

    key: ScheduleKey
    due_at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed schedule. ``causes``: the first few of ``cause_count``, oldest first. ``attempts``: how many builds
    have failed or died before.
    """

    key: ScheduleKey
    causes: tuple[Cause, ...]
    cause_count: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to build some schedules. ``token`` grows with every claim, so the build with the greater token began
    later.
    """

    token: int
    work: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed build. It is repeated at ``retry_at``; None puts the schedule into quarantine."""

    reason: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of schedules in each state. ``oldest_due_at`` is None if none is pending."""

    pending: int
    in_progress: int
    waiting: int
    quarantined: int
    oldest_due_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether no build is pending, running or waiting for a retry."""
        return not (self.pending or self.in_progress or self.waiting)


class WorkQueue(Protocol):
    """Durable: a marked schedule is claimed again and again until a build of it is released.

    A schedule is *pending* (to be claimed), *in progress* (claimed under a lease; a mark makes it pending again after
    the build), *waiting* (its build failed and is retried later), or *quarantined* (its build failed too often; only a
    new mark makes it pending).
    """

    def mark(self, marks: Sequence[Mark]) -> int:
        """Make schedules pending. Of several marks for one schedule the earliest due time counts.

        Returns how many schedules are pending then; without marks 0.
        """

    def require_writable(self) -> None:
        """Raise :class:`ServiceError` if the store refuses writes."""

    def claim(self, limit: int, now: datetime, lease_for: timedelta) -> Claim | None:
        """Claim the most urgent pending schedules; None if there are none.

        First, expired leases and due retries make their schedules pending. An expired lease counts as a failed
        attempt, unless it expired more than :data:`LONGEST_PAUSE` ago: then a clock or an outage is the likelier
        reason. Leases and retries further ahead than that pause are cut to it, because only a wrong clock sets them.
        A schedule with :data:`RISKY_ATTEMPTS` is claimed alone, so that it cannot fail the others.
        """

    def claim_exactly(
        self, keys: Sequence[ScheduleKey], cause: Cause, now: datetime, lease_for: timedelta
    ) -> Claim:
        """Claim these schedules in any state. A worker that has claimed one of them has the older token now, so it
        cannot commit. The cause is added to those of the marks.
        """

    def renew(self, claim: Claim, until: datetime) -> None:
        """Extend the lease. It does not affect schedules that were claimed again since."""

    def skip_tokens(self) -> None:
        """Make later claims get tokens that no claim can have had, also if the store has lost the latest ones."""

    def release(self, claim: Claim, keys: Sequence[ScheduleKey]) -> None:
        """These were built. It does not affect schedules that were claimed again since."""

    def postpone(self, claim: Claim, failures: Mapping[ScheduleKey, Failure], *, counts: bool) -> None:
        """Retry the failed builds later, or quarantine them. ``counts``: as an attempt."""

    def wait(self, seconds: float) -> None:
        """Return at the next mark, or after so many seconds; may return earlier."""

    def backlog(self) -> Backlog: ...

    def pending_since(self) -> dict[Origin, datetime]:
        """When the oldest unanswered notification was sent, by origin; origins with none are left out."""

    def unfinished(self, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        """The keys that are pending, in progress or waiting, so that their published state may change."""

    def quarantined(self) -> dict[ScheduleKey, str]:
        """The schedules that failed too often, with the last reason."""

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """Forget the failed attempts and the quarantine of these."""
