"""How many publishers the backlog wants: pure rules."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.work import Backlog


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """``most``: publishers at once. ``idle``: how many stay while nothing is pending. ``schedules_each``: for each
    further publisher so many schedules must be pending, because starting one costs as much as building some thousands;
    or the first must be due for ``overdue_each``.
    """

    most: int = 2
    idle: int = 0
    schedules_each: int = 5_000
    overdue_each: timedelta = timedelta(seconds=10)


def publishers_wanted(backlog: Backlog, publishers: Publishers, policy: ScalePolicy, now: datetime) -> int:
    """How many publishers the pending schedules want at work: one for any, more for many or for old ones.

    The age counts only while a publisher runs: without one it shows that none ran, and not that one is too slow. One
    that leaves wants a successor, because it publishes until there is one.
    """
    least = 1 if publishers.leaving or not backlog.is_empty else policy.idle
    by_size = backlog.pending // policy.schedules_each
    by_age = 0
    if publishers.running and backlog.pending and backlog.oldest_due_at is not None:
        by_age = max(timedelta(0), now - backlog.oldest_due_at) // policy.overdue_each
    return min(policy.most, least + max(by_size, by_age))


def publishers_missing(wanted: int, publishers: Publishers, not_started: int = 0) -> int:
    """How many to ask for. ``not_started``: runs of publishers that Dagster has accepted and not started, such as those
    that wait in its queue. Most of them have a reservation too.
    """
    return max(0, wanted - len(publishers.running) - max(publishers.starting, not_started))


def is_surplus(name: str, wanted: int, publishers: Publishers) -> bool:
    """Whether this publisher is one more than the backlog wants. The one that has run longest never is."""
    return name in publishers.running[max(1, wanted) :]
