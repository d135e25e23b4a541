"""Subscriptions: what operators decide, how far each one is delivered, and what a failure leads to.

A subscription is a position in the change feed, and every change after that position is pending. Publishing therefore
writes nothing for subscribers.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.errors import InvalidIdentifier

SECRET_OVERLAPS_FOR = timedelta(hours=24)
"""For this long after a rotation the previous secret signs as well."""

LONGEST_WAIT = timedelta(hours=1)
"""The longest ``Retry-After`` that is obeyed."""

MOST_REMEMBERED = 2_000
"""Versions beyond its position that a progress lists; more than these are sent again in a later turn."""

MOST_ANSWERS = 20
"""Latest answers that a progress lists."""

MOST_CONCURRENCY, MOST_BATCH = 16, 100

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=15)
_FEWEST_FAILURES = 10
_PROBLEM_CHARACTERS = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def subscription_name(text: str) -> str:
    """Return the name. Raises :class:`InvalidIdentifier` unless it is lower-case letters, digits and hyphens, at
    most 60.
    """
    if not _NAME.fullmatch(text):
        raise InvalidIdentifier(f"not a subscription's name: {text[:80]!r} (pattern [a-z0-9-]+, at most 60)")
    return text


class SubscriptionKind(StrEnum):
    """``WEBHOOK``: one signed request for each change. ``FILES``: files in a bucket, listed by manifests."""

    WEBHOOK = "webhook"
    FILES = "files"


class Envelope(StrEnum):
    """The form of a webhook's events: as Standard Webhooks suggests, or CloudEvents 1.0 in structured mode."""

    STANDARD = "standard"
    CLOUDEVENTS = "cloudevents"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What operators decide. ``target`` is an address, or the prefix of the files; only files have ``formats``.

    ``generation`` counts the secrets. ``rotated_at``: when the latest one replaced the one before it. Of webhooks:
    ``concurrency`` requests may be under way at once, for different schedules, each with up to ``batch`` events.
    """

    name: str
    partner: str
    kind: SubscriptionKind
    target: str
    created_at: datetime
    formats: tuple[str, ...] = ()
    generation: int = 1
    rotated_at: datetime | None = None
    is_paused: bool = False
    envelope: Envelope = Envelope.STANDARD
    concurrency: int = 1
    batch: int = 1

    def rotated(self, now: datetime) -> "Subscription":
        return replace(self, generation=self.generation + 1, rotated_at=now)

    def configured(
        self, envelope: str | None = None, concurrency: int | None = None, batch: int | None = None
    ) -> "Subscription":
        """None leaves a choice as it is."""
        return replace(
            self,
            envelope=Envelope(envelope) if envelope else self.envelope,
            concurrency=concurrency or self.concurrency,
            batch=batch or self.batch,
        )

    def signing_generations(self, now: datetime) -> tuple[int, ...]:
        """The generations whose secrets sign now, the newest first."""
        if self.rotated_at is None or now - self.rotated_at >= SECRET_OVERLAPS_FOR:
            return (self.generation,)
        return (self.generation, self.generation - 1)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Nothing is sent until an operator resumes the subscription."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to a receiver: when it ended, the ``status`` of the answer (0 without one, ``problem`` says why), its
    duration, and the number of changes in it: 0 for a ping or a reset.
    """

    at: datetime
    status: int
    seconds: float
    changes: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Every change up to ``position`` of the feed, in the keyspace ``epoch``, was delivered or skipped.

    ``failures`` counts the failures in a row since ``failing_since``; ``problem`` is the latest one, "" after a
    success. Nothing is sent before ``next_at``. ``full_at``: when all files were last written. ``ahead``: schedules
    with changes after ``position`` of which the receiver has this version already, at most :data:`MOST_REMEMBERED`.
    ``ping_at``: when a ping was asked for that the receiver has not accepted yet. ``attempts``: the latest requests,
    the newest last, at most :data:`MOST_ANSWERS`.
    """

    position: str
    epoch: str
    failures: int = 0
    failing_since: datetime | None = None
    next_at: datetime | None = None
    problem: str = ""
    quarantine: Annotated[Quarantine | None, Field(alias="set_aside")] = None
    delivered_at: datetime | None = None
    full_at: datetime | None = None
    ahead: tuple[tuple[str, int], ...] = ()
    ping_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()

    def is_due(self, now: datetime) -> bool:
        """Whether pending changes may be sent now."""
        return self.quarantine is None and (self.next_at is None or self.next_at <= now)

    def attempted(self, attempt: Attempt) -> "Progress":
        kept = replace(attempt, problem=_short(attempt.problem))
        return replace(self, attempts=(*self.attempts, kept)[-MOST_ANSWERS:])

    def moved_to(self, position: str) -> "Progress":
        return replace(self, position=position)

    def delivered(self, position: str, epoch: str, now: datetime) -> "Progress":
        """The progress after a successful delivery of everything up to a position."""
        return replace(self.recovered(), position=position, epoch=epoch, delivered_at=now)

    def recovered(self) -> "Progress":
        """The same position without any failure or quarantine."""
        return replace(self, failures=0, failing_since=None, next_at=None, problem="", quarantine=None)

    def pinged(self, now: datetime) -> "Progress":
        """A ping is sent at once, also during the wait after a failure."""
        return replace(self, ping_at=now, next_at=None)

    def rewound(self, position: str, epoch: str) -> "Progress":
        """The progress from which every change after a position is sent again."""
        return replace(self.recovered(), position=position, epoch=epoch, ahead=())

    def quarantined(self, reason: str, now: datetime) -> "Progress":
        return replace(self, quarantine=Quarantine(now, _short(reason)), problem=_short(reason), next_at=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription and its progress."""

    subscription: Subscription
    progress: Progress

    def is_due(self, now: datetime) -> bool:
        return not self.subscription.is_paused and self.progress.is_due(now)

    @property
    def stopped(self) -> str:
        """Why nothing is sent until the subscription is resumed: "quarantined" or "paused"; otherwise ""."""
        if self.progress.quarantine is not None:
            return "quarantined"
        return "paused" if self.subscription.is_paused else ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a delivery failed. ``wait``: the pause that the receiver asked for. ``is_final``: retrying is pointless."""

    reason: str
    wait: timedelta = timedelta(0)
    is_final: bool = False


def after_failure(
    progress: Progress, failure: Failure, now: datetime, jitter: float, quarantine_after: timedelta
) -> Progress:
    """The progress with the time of the next attempt, or quarantined.

    A subscription is quarantined at a final failure, or once it has failed for ``quarantine_after`` and at least ten
    times. The number matters if the pusher itself was down for most of that time. ``jitter`` is from 0 to 1 and spreads
    the attempts of subscriptions that failed together.
    """
    failures, since = progress.failures + 1, progress.failing_since or now
    failed = replace(progress, failures=failures, failing_since=since, problem=_short(failure.reason))
    if failure.is_final:
        return failed.quarantined(failure.reason, now)
    if now - since >= quarantine_after and failures >= _FEWEST_FAILURES:
        return failed.quarantined(
            f"failed {failures} times since {since:%Y-%m-%d %H:%M}Z: {failure.reason}", now
        )
    wait = max(pause_after(failures, jitter), min(failure.wait, LONGEST_WAIT))
    return replace(failed, next_at=now + wait)


def pause_after(failures: int, jitter: float) -> timedelta:
    """From half of the full pause to all of it. The full pause starts at 5 seconds and doubles, up to 15 minutes."""
    doubled = _FIRST_PAUSE * 2.0 ** min(failures - 1, 20)
    return min(doubled, _LONGEST_PAUSE) * (0.5 + jitter / 2)


def _short(reason: str) -> str:
    return shorten(printable(reason), _PROBLEM_CHARACTERS)
