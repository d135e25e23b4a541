"""Compares what is stored with the sources, repairs what differs, and counts it.

A store may lose what it had acknowledged, and a notification may be lost upstream. Neither is an event, so
somebody has to look. What differs is only suspected at first, for a change may be on its way; it counts if it
still differs after a while, in the same committed state, with nothing pending.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.maintenance.find_differences import Difference, DifferenceFinder, Look, Part
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport, PassStore
from schedules_pipeline.maintenance.record_pass import Counts, Say, remember_pass, say_nothing
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.schedules import ScheduleStore
from schedules_pipeline.publishing.ports.upstream import ScheduleSource
from schedules_pipeline.publishing.ports.work import WorkQueue
from schedules_pipeline.publishing.publish import BATCH_SIZE, LEASE_FOR, Publisher

_NAMED = 5

Differences = Mapping[ScheduleKey, Difference]


@dataclass(frozen=True, slots=True)
class Share:
    """The ``number``-th of ``of`` shares of all schedules, from 1; always the same schedules."""

    number: int
    of: int

    def has(self, key: ScheduleKey) -> bool:
        return crc32(str(key).encode()) % self.of == self.number - 1


EVERYTHING = Share(1, 1)


class Reconciler:
    def __init__(
        self,
        finder: DifferenceFinder,
        schedules: ScheduleStore,
        work: WorkQueue,
        feed: ChangeFeed,
        passes: PassStore,
        source: ScheduleSource,
        publisher: Publisher,
        clock: Clock,
        horizon: RetentionHorizon,
        wait: Callable[[float], None],
        grace_seconds: float,
    ) -> None:
        """``grace_seconds``: how long a change that is written upstream may take to be known here."""
        self._finder = finder
        self._schedules = schedules
        self._work = work
        self._feed = feed
        self._passes = passes
        self._source = source
        self._publisher = publisher
        self._clock = clock
        self._horizon = horizon
        self._wait = wait
        self._grace_seconds = grace_seconds

    def reconcile(self, share: Share = EVERYTHING, say: Say = say_nothing) -> PassReport:
        """Reconcile a share of all schedules; ``say`` is told how far it is. The report is remembered.

        Its problem names schedules that still differ after they were repaired.
        """
        return remember_pass(
            PassName.RECONCILIATION, self._passes, self._clock, lambda counts: self._do(share, counts, say)
        )

    def _do(self, share: Share, counts: Counts, say: Say) -> str:
        keys = self._list(share)
        suspected = self._look_at(keys, counts, say)
        differing = self._look_again(suspected)
        counts |= {"suspected": len(suspected), "differed": len(differing)}
        counts |= {part.value: sum(part in d.parts for d in differing.values()) for part in Part}
        say(f"{len(differing)} of {len(keys)} schedules differ from what their sources say")
        self._repair(differing)
        wrong, pending = self._find_wrong(differing)
        mended = len(differing) - len(wrong) - len(pending)
        counts |= {"mended": mended, "being mended": len(pending), "not mended": len(wrong)}
        return _name(sorted(wrong))

    def _list(self, share: Share) -> list[ScheduleKey]:
        """Of all that the source lists or that we hold or have announced; what is past the horizon is left
        to the collection. By date first, so that a batch holds the variants that share their episodes.
        """
        now = self._clock()
        everything = set(self._source.list_keys()) | self._feed.heads().keys()
        everything.update(key for keys in self._schedules.stored_keys() for key in keys)
        return sorted(
            (key for key in everything if share.has(key) and self._horizon.keeps(key.date, now)),
            key=lambda key: (key.date, key.sid),
        )

    def _look_at(self, keys: Sequence[ScheduleKey], counts: Counts, say: Say) -> Differences:
        suspected: dict[ScheduleKey, Difference] = {}
        counts |= {"schedules": len(keys), "passed over": 0}
        done = 0
        for batch, look in self._looks(keys):
            suspected |= look.differences
            counts["passed over"] += look.unread + len(look.moving)
            done += len(batch)
            say(f"{done} of {len(keys)} schedules looked at, {len(suspected)} suspected to differ")
        return suspected

    def _look_again(self, suspected: Differences) -> Differences:
        """What still differs, in the same state, when a change that was on its way would have come."""
        if not suspected:
            return {}
        self._wait(self._grace_seconds)
        standing: dict[ScheduleKey, Difference] = {}
        for _, look in self._looks(list(suspected)):
            for key, difference in look.differences.items():
                before = suspected[key]
                if difference.token == before.token and not before.parts.isdisjoint(difference.parts):
                    standing[key] = difference
        return standing

    def _find_wrong(self, repaired: Differences) -> tuple[list[ScheduleKey], list[ScheduleKey]]:
        """Those that still differ though nothing is pending, and those that wait for another attempt."""
        looks = [look for _, look in self._looks(list(repaired))]
        return [key for look in looks for key in look.differences], [k for look in looks for k in look.moving]

    def _looks(self, keys: Sequence[ScheduleKey]) -> Iterator[tuple[Sequence[ScheduleKey], Look]]:
        for batch in _batches(keys):
            yield batch, self._finder.look_at(batch)

    def _repair(self, differing: Differences) -> None:
        """Build them from their sources. Those that cannot be built are put back, and tried again by publishers."""
        for keys in _batches(list(differing)):
            cause = Cause("reconcile", Origin.RECONCILIATION, "differs from its sources", self._clock())
            self._invalidate({key: differing[key] for key in keys if differing[key].is_hidden}, cause)
            self._publisher.rebuild_from_sources(keys, cause)

    def _invalidate(self, hidden: Differences, cause: Cause) -> None:
        """Have the next commit of these publish, though the state says that all is well.

        First it is said that the source has changed, and they are claimed: if we die after a state has
        forgotten what is published, whoever takes over the claim fetches the source and publishes.
        """
        if not hidden:
            return
        keys = list(hidden)
        self._schedules.count_source_change(keys)
        claim = self._work.claim_exactly(keys, cause, self._clock(), LEASE_FOR)
        self._schedules.invalidate({key: hidden[key].announced_seq for key in keys}, claim.token)


def _batches(keys: Sequence[ScheduleKey]) -> Iterator[Sequence[ScheduleKey]]:
    for start in range(0, len(keys), BATCH_SIZE):
        yield keys[start : start + BATCH_SIZE]


def _name(wrong: Sequence[ScheduleKey]) -> str:
    """One line about what could not be mended."""
    if not wrong:
        return ""
    named = ", ".join(map(str, wrong[:_NAMED])) + (", …" if len(wrong) > _NAMED else "")
    return f"{len(wrong)} schedules still differ from their sources after they were rebuilt: {named}"
