"""The fake continuity of a keyspace."""

from collections.abc import Collection
from datetime import timedelta

from fakes.coldstart import FakeColdstartStore
from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from fakes.feed import FakeChangeFeed
from fakes.servers import FakeServers
from schedules_pipeline.maintenance.continuity import Discontinuity, Epoch, KeyspaceState, Repair


class FakeContinuityStore(Fake):
    """Implements :class:`ContinuityStore`, over the fakes that hold the epoch, the feed and the servers."""

    def __init__(
        self,
        conditions: Conditions,
        clock: FakeClock,
        coldstarts: FakeColdstartStore,
        feed: FakeChangeFeed,
        server: FakeServers,
    ) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._coldstarts = coldstarts
        self._feed = feed
        self._server = server
        self._leader, self._leads_until = "", clock()
        self.histories = ""
        self.pending: Repair | None = None
        self.latest: Repair | None = None
        self.is_covered = False

    @answered
    @step
    def read(self, positions: Collection[str]) -> KeyspaceState:
        last = len(self._feed.rows)
        return KeyspaceState(
            self._coldstarts.current_epoch,
            self.histories,
            tuple(server.lineage for server in self._server.found),
            {position for position in positions if int(position) > last},
            str(last),
            self.is_covered,
        )

    @answered
    @step
    def record(self, found: KeyspaceState, change: Discontinuity) -> bool:
        if (found.epoch, found.histories) != (self._coldstarts.current_epoch, self.histories):
            return False
        self._coldstarts.current_epoch, self.histories = change.epoch, change.histories
        self.pending = change.repair or self.pending
        return True

    @answered
    @step
    def epoch(self) -> Epoch | None:
        return self._coldstarts.current_epoch

    @answered
    @step
    def pending_repair(self) -> Repair | None:
        return self.pending

    @answered
    @step
    def latest_repair(self) -> Repair | None:
        return self.latest

    @answered
    @step
    def lead_repair(self, worker: str, lease_for: timedelta) -> bool:
        if self._leader not in ("", worker) and self._clock() < self._leads_until:
            return False
        self._leader, self._leads_until = worker, self._clock() + lease_for
        return True

    @answered
    @step
    def leave_repair(self, worker: str) -> None:
        if self._leader == worker:
            self._leader = ""

    @answered
    @step
    def end_repair(self, repair: Repair) -> None:
        if self.pending is not None and self.pending.id == repair.id:
            self.pending, self.latest = None, repair
