"""Subscriptions: who is told of changes by us, how far each has been told, and what a failure leads to.

Belongs here: the values, the rule of backoff, and when a subscription is set aside. Does not belong here: how anybody
is told (``workflows/push_changes.py``, ``workflows/push_files.py``), and where all this is kept.

A subscription is a place in the change feed that moves along it. Everything after that place is still to be told, so
nothing has to be booked when something is published.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.errors import InvalidIdentifier

SECRET_OVERLAPS_FOR = timedelta(hours=24)
"""How long the secret before the last rotation signs as well."""

LONGEST_WAIT = timedelta(hours=1)
"""No receiver can ask to be left alone for longer."""

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=15)
_FEWEST_FAILURES = 10
_PROBLEM_CHARACTERS = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def subscription_name(text: str) -> str:
    """Raise :class:`InvalidIdentifier` for anything but lower-case letters, digits and hyphens, at most 60."""
    if not _NAME.fullmatch(text):
        raise InvalidIdentifier(f"not a subscription's name: {text[:80]!r} (pattern [a-z0-9-]+, at most 60)")
    return text


class SubscriptionKind(StrEnum):
    """``WEBHOOK``: one signed request a change. ``FILES``: files in a bucket, and manifests of them."""

    WEBHOOK = "webhook"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What operators decide. ``target``: an address, or the prefix of the files. ``formats``: of files alone.

    ``generation`` counts the secrets, and ``rotated_at`` is when the latest took the place of the one before it.
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

    def rotated(self, now: datetime) -> "Subscription":
        return replace(self, generation=self.generation + 1, rotated_at=now)

    def signing_generations(self, now: datetime) -> tuple[int, ...]:
        """Whose secrets sign now, the newest first."""
        if self.rotated_at is None or now - self.rotated_at >= SECRET_OVERLAPS_FOR:
            return (self.generation,)
        return (self.generation, self.generation - 1)


@dataclass(frozen=True, slots=True)
class SetAside:
    """Nothing is sent until an operator resumes it."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a subscription has been told: everything up to ``position`` of the feed, in this life of the keyspace.

    ``failures`` counts those in a row since ``failing_since``; ``problem`` is the latest one's, "" where the latest
    attempt succeeded. Before ``next_at`` nothing is tried. ``full_at``: when files were last written in full.
    """

    position: str
    epoch: str
    failures: int = 0
    failing_since: datetime | None = None
    next_at: datetime | None = None
    problem: str = ""
    set_aside: SetAside | None = None
    delivered_at: datetime | None = None
    full_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether something may be tried now, if there is something to tell."""
        return self.set_aside is None and (self.next_at is None or self.next_at <= now)

    def passed(self, position: str) -> "Progress":
        """Everything up to there is none of its business, or has been told before."""
        return replace(self, position=position)

    def delivered(self, position: str, epoch: str, now: datetime) -> "Progress":
        """Everything up to there was taken; what had failed before is over."""
        return replace(self.healed(), position=position, epoch=epoch, delivered_at=now)

    def healed(self) -> "Progress":
        """As if nothing had ever failed; it goes on from where it is."""
        return replace(self, failures=0, failing_since=None, next_at=None, problem="", set_aside=None)

    def replayed(self, position: str, epoch: str) -> "Progress":
        """Told once more from there on."""
        return replace(self.healed(), position=position, epoch=epoch)

    def given_up(self, reason: str, now: datetime) -> "Progress":
        return replace(self, set_aside=SetAside(now, _short(reason)), problem=_short(reason), next_at=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription and how far it is."""

    subscription: Subscription
    progress: Progress

    def is_due(self, now: datetime) -> bool:
        return not self.subscription.is_paused and self.progress.is_due(now)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not taken. ``wait``: for how long the receiver asked to be left alone. ``is_final``: it has
    said that it wants nothing any more.
    """

    reason: str
    wait: timedelta = timedelta(0)
    is_final: bool = False


def after_failure(
    progress: Progress, failure: Failure, now: datetime, jitter: float, patience: timedelta
) -> Progress:
    """When it is tried again, or that it is set aside: at a final failure, and where it has failed for longer than
    ``patience``, and often enough for that to be no accident of when we looked.

    ``jitter`` is from 0 to 1, so that those who failed together do not come again together.
    """
    failures, since = progress.failures + 1, progress.failing_since or now
    failed = replace(progress, failures=failures, failing_since=since, problem=_short(failure.reason))
    if failure.is_final:
        return failed.given_up(failure.reason, now)
    if now - since >= patience and failures >= _FEWEST_FAILURES:
        return failed.given_up(
            f"failed {failures} times since {since:%Y-%m-%d %H:%M}Z: {failure.reason}", now
        )
    wait = max(pause_after(failures, jitter), min(failure.wait, LONGEST_WAIT))
    return replace(failed, next_at=now + wait)


def pause_after(failures: int, jitter: float) -> timedelta:
    """5 seconds after the first failure, doubled with each, at most 15 minutes; of that half to the whole."""
    doubled = _FIRST_PAUSE * 2.0 ** min(failures - 1, 20)
    return min(doubled, _LONGEST_PAUSE) * (0.5 + jitter / 2)


def _short(reason: str) -> str:
    return shorten(printable(reason), _PROBLEM_CHARACTERS)
