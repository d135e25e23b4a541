"""The coldstart: everything is rebuilt from the sources, while partners go on being served.

Any number of workers may be at it, each in a loop of small steps whose outcome is in the book; so whoever dies
leaves no more undone than one batch, and whoever comes later goes on where the others are. The order of the
preparation matters: the intake is stopped, then it is settled that the coldstart will not be refused, then the
queues are purged, and only then are the sources read. So whatever a purged message announced is read from its
source. That is why every copy that we hold is compared, not only those that some schedule uses; and why whoever
read an item before is kept from storing it, as the message would have done.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, ColdstartStore, Request, Stage
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport, PassStore
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports.catalogue import CopyStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.schedules import Outcome, ScheduleStore
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, ScheduleSource
from schedules_pipeline.publishing.publish import BATCH_SIZE, Publisher

LEASE_FOR = timedelta(minutes=1)
"""How long a worker may be silent, before another prepares in its place and the intake goes on."""

_LOOK_AGAIN_SECONDS = 1.0
_RENEW_EVERY_SECONDS = 10.0

Tell = Callable[[Coldstart], None]


class Coldstarter:
    def __init__(
        self,
        book: ColdstartStore,
        queues: Sequence[NotificationQueue],
        source: ScheduleSource,
        schedules: ScheduleStore,
        feed: ChangeFeed,
        copies: CopyStore,
        follower: CatalogueFollower,
        publisher: Publisher,
        passes: PassStore,
        clock: Clock,
        wait: Callable[[float], None],
        shards: int,
        horizon: RetentionHorizon,
        smallest_share: float,
        purge_settles_for: timedelta,
    ) -> None:
        """``smallest_share``: of what partners have, the source must list at least so much.
        ``purge_settles_for``: how long after a purge messages may still vanish.
        """
        self._book = book
        self._queues = queues
        self._source = source
        self._schedules = schedules
        self._feed = feed
        self._copies = copies
        self._follower = follower
        self._publisher = publisher
        self._passes = passes
        self._clock = clock
        self._wait = wait
        self._shards = shards
        self._horizon = horizon
        self._smallest_share = smallest_share
        self._purge_settles_for = purge_settles_for

    def request(
        self,
        coldstart_id: str,
        reason: str,
        *,
        purge: bool = False,
        even_if_fewer: bool = False,
        by_itself: bool = False,
    ) -> Coldstart:
        """Ask for one; where one is open already, that one is the answer. The workers begin it."""
        return self._book.open(coldstart_id, Request(reason, self._clock(), purge, even_if_fewer, by_itself))

    def work_at(self, coldstart_id: str, worker: str, shard: int, tell: Tell) -> Coldstart:
        """Take part until it has ended, first at one shard, then wherever something is left.

        ``coldstart_id`` is the one that this worker was started for; it is opened where it is new, and whichever
        is open already is worked at instead. ``tell`` hears how it stands after every step.
        """
        coldstart = self._join(coldstart_id)
        joined = coldstart.id
        while coldstart.id == joined and not coldstart.stage.is_final:
            if coldstart.stage is Stage.BUILDING:
                self._build_next(coldstart, worker, shard)
            elif self._lead(coldstart, worker):
                self._prepare(coldstart, worker)
            else:
                self._wait(_LOOK_AGAIN_SECONDS)
            coldstart = self._book.latest() or coldstart
            tell(coldstart)
        return coldstart

    def abandon(self, reason: str) -> bool:
        """End the open one where it is; what was not built keeps what it has. False where none is open."""
        latest = self._book.latest()
        return latest is not None and self._end(latest, Stage.ABANDONED, reason)

    def _join(self, coldstart_id: str) -> Coldstart:
        """A worker that comes when its coldstart has ended must not begin it again."""
        latest = self._book.latest()
        if latest is not None and latest.id == coldstart_id:
            return latest
        return self.request(coldstart_id, "launched by hand")

    # Prepare

    def _lead(self, coldstart: Coldstart, worker: str) -> bool:
        leads = self._book.lead(coldstart.id, worker, self._clock(), LEASE_FOR)
        if leads:
            self._book.pause_intake(LEASE_FOR)
        return leads

    def _prepare(self, coldstart: Coldstart, worker: str) -> None:
        if not coldstart.is_confirmed:
            self._settle_or_reject(coldstart)
            return
        if coldstart.request.purge:
            self._purge(coldstart, worker)
            self._outdate_readers(coldstart, worker)
            self._compare_copies(coldstart, worker)
        # Those of which nothing is shown too: somebody may be about to publish what the source has removed since.
        held = self._within_horizon(key for keys in self._schedules.stored_keys() for key in keys)
        shards = plan_shards(self._listed() | self._shown() | held, self._shards)
        self._book.list_work(coldstart.id, shards, self._clock())

    def _settle_or_reject(self, coldstart: Coldstart) -> None:
        """Before anything is thrown away: what was purged for a coldstart that is then refused would be lost."""
        loss = find_loss(self._listed(), self._within_horizon(self._shown()), self._smallest_share)
        if loss and not coldstart.request.even_if_fewer:
            self._end(coldstart, Stage.REJECTED, loss)
        else:
            self._book.confirm(coldstart.id)

    def _listed(self) -> set[ScheduleKey]:
        return self._within_horizon(self._source.list_keys())

    def _shown(self) -> set[ScheduleKey]:
        return {key for key, change in self._feed.heads().items() if not change.is_removal}

    def _within_horizon(self, keys: Iterable[ScheduleKey]) -> set[ScheduleKey]:
        now = self._clock()
        return {key for key in keys if self._horizon.keeps(key.date, now)}

    def _purge(self, coldstart: Coldstart, worker: str) -> None:
        for queue in self._queues:
            # Who lost the leave meanwhile may be late: what waits by now was sent after the sources were read.
            if self._lead(coldstart, worker):
                queue.purge()
        until = self._clock() + self._purge_settles_for
        while self._clock() < until:
            self._wait(min(_RENEW_EVERY_SECONDS, (until - self._clock()).total_seconds()))
            self._lead(coldstart, worker)

    def _outdate_readers(self, coldstart: Coldstart, worker: str) -> None:
        for pids in self._copies.tracked_pids():
            self._copies.invalidate_tokens(pids)
            self._lead(coldstart, worker)

    def _compare_copies(self, coldstart: Coldstart, worker: str) -> None:
        cause = self._cause(coldstart, worker)
        for pids in self._copies.stored_pids():
            self._follower.follow(dict.fromkeys(pids, cause))
            self._lead(coldstart, worker)

    # Build

    def _build_next(self, coldstart: Coldstart, worker: str, shard: int) -> None:
        keys = self._book.next_keys(coldstart.id, shard, BATCH_SIZE, self._clock())
        if not keys:
            self._end(coldstart, Stage.FINISHED)
            return
        self._book.pause_intake(LEASE_FOR)
        batch = self._publisher.rebuild_from_sources(keys, self._cause(coldstart, worker))
        # What failed waits in the work queue, where the publishers go on trying.
        counts = {"published": batch.count(Outcome.PUBLISHED), "failed": len(batch.failed)}
        self._book.record_built(coldstart.id, keys, counts)

    def _end(self, coldstart: Coldstart, stage: Stage, problem: str = "") -> bool:
        now = self._clock()
        if not self._book.end(coldstart.id, stage, now, problem):
            return False
        if stage is Stage.ABANDONED:
            return True
        ended = self._book.latest() or coldstart
        counts = {"schedules": ended.total, "published": ended.published, "failed": ended.failed}
        began_at = coldstart.request.requested_at
        self._passes.record(PassReport(PassName.COLDSTART, began_at, now, counts, problem))
        return True

    def _cause(self, coldstart: Coldstart, worker: str) -> Cause:
        return Cause(worker, Origin.COLDSTART, coldstart.id, self._clock())


def plan_shards(keys: Iterable[ScheduleKey], shards: int) -> list[list[ScheduleKey]]:
    """Divide by date, and keep dates together: regional variants share their episodes, and then a batch too."""
    planned: list[list[ScheduleKey]] = [[] for _ in range(shards)]
    for key in sorted(keys, key=lambda key: (key.date, key.sid)):
        planned[key.date.toordinal() % shards].append(key)
    return planned


def find_loss(listed: Collection[ScheduleKey], shown: Collection[ScheduleKey], smallest_share: float) -> str:
    """Say what partners would lose, if that is too much to be meant; "" otherwise.

    An empty bucket, or the wrong one, must not empty every guide.
    """
    kept = sum(key in listed for key in shown)
    if not shown or kept >= smallest_share * len(shown):
        return ""
    return (
        f"the source lists only {kept} of the {len(shown)} schedules that partners have: is it the right bucket? "
        "Ask for a coldstart even if fewer, where that is meant"
    )
