"""Compares the stored state with the sources, repairs differences, and counts them.

A store may lose acknowledged writes, and an upstream may lose a notification. Neither causes an event, so this
pass compares at intervals. A difference is suspected first, because a change may be on its way. It counts if it
remains after a grace period, in the same committed state, with nothing pending.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zlib import crc32

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.find_differences import (
    NOTHING_FOUND,
    Difference,
    DifferenceFinder,
    FoundDifferences,
    Part,
)
from schedules_pipeline.maintenance.ports import MaintenanceSources, MaintenanceStore, PassName, PassReport
from schedules_pipeline.maintenance.record_pass import Say, recorded_pass, say_nothing
from schedules_pipeline.publishing.publish import LEASE_FOR, Publisher, in_batches

MAY_WAIT = "may wait in a queue"
"""The count of differing schedules whose change a waiting message may announce, so that nothing was lost."""

_NAMED = 5

Differences = Mapping[ScheduleKey, Difference]


@dataclass(frozen=True, slots=True)
class Share:
    """The ``number``-th of ``of`` shares of all schedules, from 1. A schedule is always in the same share."""

    number: int
    of: int

    def has(self, key: ScheduleKey) -> bool:
        return crc32(str(key).encode()) % self.of == self.number - 1


EVERYTHING = Share(1, 1)


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """``grace_seconds``: how long the notification of an upstream change may take. While messages wait for longer in a
    queue, a difference may be a change that they announce, and is no sign of a loss.
    """

    grace_seconds: float = 30
    horizon: RetentionHorizon = KEEPS_EVERYTHING


@dataclass(frozen=True, slots=True)
class Reconciler:
    store: MaintenanceStore
    sources: MaintenanceSources
    finder: DifferenceFinder
    publisher: Publisher
    queue_lag: Callable[[], timedelta]
    wait: Callable[[float], None]
    policy: ReconcilePolicy

    @property
    def clock(self) -> Clock:
        return self.finder.clock

    def reconcile(self, share: Share = EVERYTHING, say: Say = say_nothing) -> PassReport:
        """Reconcile a share of all schedules. The problem names schedules that differ even after their repair."""
        with recorded_pass(PassName.RECONCILIATION, self.store.passes, self.clock) as record:
            longest = self.queue_lag()
            keys = self._list(share)
            found = self._compare(keys, say)
            differing = self._confirm(found.standing)
            longest = max(longest, self.queue_lag())
            say(f"{len(differing)} of {len(keys)} schedules differ from their sources")
            self._repair(differing)
            counts, problem = self._result(keys, found, differing)
            may_wait = longest > timedelta(seconds=self.policy.grace_seconds)
            return record({**counts, MAY_WAIT: len(differing) if may_wait else 0}, problem)

    def repair_everything(self, say: Say = say_nothing) -> PassReport:
        """Reconcile everything at once, after a loss of writes.

        A schedule with a pending change is rebuilt from the sources too, because the build of that change would trust
        a state that may be old. Raises :class:`ServiceError` if a source could not be read.
        """
        with recorded_pass(PassName.RECONCILIATION, self.store.passes, self.clock) as record:
            keys = self._list(EVERYTHING)
            found = self._compare(keys, say)
            differing = {**found.moving, **found.standing}
            say(f"{len(differing)} of {len(keys)} schedules differ from their sources")
            self._repair(differing)
            if found.unread:
                raise ServiceError(f"the sources of {found.unread} schedules could not be read")
            return record(*self._result(keys, found, differing))

    def _result(
        self, keys: Sequence[ScheduleKey], found: FoundDifferences, differing: Differences
    ) -> tuple[Mapping[str, int], str]:
        """The counts after the repair, and the problem."""
        remaining = self._compare(list(differing))
        wrong, pending = remaining.standing.keys(), remaining.moving.keys()
        counts = {
            "schedules": len(keys),
            "passed over": found.unread + len(found.moving.keys() - differing.keys()),
            "suspected": len(found.standing),
            "differed": len(differing),
            **{part.value: sum(part in d.parts for d in differing.values()) for part in Part},
            "mended": len(differing) - len(wrong) - len(pending),
            "being mended": len(pending),
            "not mended": len(wrong),
        }
        return counts, _problem(sorted(wrong))

    def _list(self, share: Share) -> list[ScheduleKey]:
        """All schedules that the source lists, or that are stored or announced, within the horizon.

        Sorted by date, so that one batch holds the variants that share their episodes.
        """
        everything = set(self.sources.schedule_source.list_keys()) | self.store.feed.heads().keys()
        everything.update(key for keys in self.store.schedules.stored_keys() for key in keys)
        kept = self.policy.horizon.select(filter(share.has, everything), self.clock())
        return sorted(kept, key=lambda key: (key.date, key.sid))

    def _compare(self, keys: Sequence[ScheduleKey], say: Say = say_nothing) -> FoundDifferences:
        found, done = NOTHING_FOUND, 0
        for batch in in_batches(keys):
            found += self.finder.find(batch)
            done += len(batch)
            say(f"{done} of {len(keys)} schedules compared, {len(found.standing)} suspected to differ")
        return found

    def _confirm(self, suspected: Differences) -> Differences:
        """The differences that remain in the same state after the grace period."""
        if not suspected:
            return {}
        self.wait(self.policy.grace_seconds)
        remaining = self._compare(list(suspected)).standing
        return {key: now for key, now in remaining.items() if _is_same(suspected[key], now)}

    def _repair(self, differing: Differences) -> None:
        """Rebuild from the sources. Publishers retry the schedules that cannot be built now."""
        for keys in in_batches(list(differing)):
            cause = Cause("reconcile", Origin.RECONCILIATION, "differs from its sources", self.clock())
            self._invalidate({key: differing[key] for key in keys if differing[key].is_hidden}, cause)
            self.publisher.rebuild_from_sources(keys, cause)

    def _invalidate(self, hidden: Differences, cause: Cause) -> None:
        """Make the next commit publish, although the stored state says that nothing has changed.

        The source is marked as changed and the schedules are claimed first. If the process dies after a state was
        invalidated, the next holder of the claim fetches the source and publishes.
        """
        if not hidden:
            return
        keys = list(hidden)
        self.store.schedules.count_source_change(keys)
        claim = self.store.work.claim_exactly(keys, cause, self.clock(), LEASE_FOR)
        self.store.schedules.invalidate({key: hidden[key].announced_seq for key in keys}, claim.token)


def _is_same(before: Difference, now: Difference) -> bool:
    return now.token == before.token and not before.parts.isdisjoint(now.parts)


def _problem(wrong: Sequence[ScheduleKey]) -> str:
    if not wrong:
        return ""
    named = ", ".join(map(str, wrong[:_NAMED])) + (", …" if len(wrong) > _NAMED else "")
    return f"{len(wrong)} schedules still differ from their sources after they were rebuilt: {named}"
