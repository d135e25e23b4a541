"""Notices that the store has lost acknowledged writes, at a failover, a restart or a restore.

A process that reads the store is a *witness*: outside of Redis it remembers the last row of the change feed that it has
seen, and how far each server's history of writes went. At every poll it compares the memory with the store.

- A row that has disappeared, or a history that goes back, is a **step back**: sequence numbers that partners have seen
  will be used again for other content. The store begins a new epoch, which makes all cursors invalid.
- Another history of writes is a **move**: the failover may have lost writes that left no row, such as a mark. The
  keyspace records the histories that it has been compared under, so a move is noticed also if every witness is new.

After both everything is compared with its sources (:mod:`~schedules_pipeline.maintenance.repair`). Of several
witnesses one wins, because the store changes its epoch by compare and set.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

import structlog

from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.servers import Lineage
from schedules_pipeline.publishing.ports.feed import place

NOTHING_SEEN = FeedCursor("", "0")
_ATTEMPTS = 5

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Epoch:
    """One continuous history of the keyspace. ``before``: the latest epochs that it continues."""

    id: str
    before: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """A comparison of everything with its sources, because writes were or may be lost.

    ``went_back``: the feed or a server stepped back, so a new epoch began. ``repaired_at``: None until it is done.
    ``differed``: how many schedules it found to differ.
    """

    id: str
    reason: str
    noticed_by: str
    noticed_at: datetime
    went_back: bool
    repaired_at: datetime | None = None
    differed: int = 0


@dataclass(frozen=True, slots=True)
class KeyspaceState:
    """What a poll finds. ``histories``: the names of the servers' histories that the keyspace records, "" if it records
    none. ``lost``: positions of the question that the feed lacks, although it was not trimmed there. ``last``: the
    position of the newest row. ``is_covered``: replicas confirm every write.
    """

    epoch: Epoch | None
    histories: str
    servers: Sequence[Lineage]
    lost: Collection[str] = ()
    last: str = "0"
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A change of the keyspace's record. ``epoch``: unchanged or a new one. ``repair``: None if nothing can be lost."""

    epoch: Epoch
    histories: str
    repair: Repair | None


class ContinuityStore(Protocol):
    def read(self, positions: Collection[str]) -> KeyspaceState:
        """The state of the keyspace at its address, which is resolved again. ``positions``: rows to look for."""

    def record(self, found: KeyspaceState, change: Discontinuity) -> bool:
        """Record the change. False if epoch or histories are no longer what was found: another witness was first."""

    def epoch(self) -> Epoch | None: ...

    def pending_repair(self) -> Repair | None: ...

    def latest_repair(self) -> Repair | None:
        """The latest repair that is done."""

    def lead_repair(self, worker: str, lease_for: timedelta) -> bool:
        """Acquire or renew the lease on the repair."""

    def leave_repair(self, worker: str) -> None:
        """Give the lease back. It does not affect the lease of another worker, who has it if this one was too slow."""

    def end_repair(self, repair: Repair) -> None:
        """Record a repair that is done, unless another one has become necessary during it."""


@dataclass(frozen=True, slots=True)
class Witness:
    """The memory of one process. Without an epoch it has seen nothing."""

    epoch: str = ""
    servers: Sequence[Lineage] = ()
    seen: str = "0"


@dataclass(frozen=True, slots=True)
class Finding:
    """``reason``: what was or may be lost; "" if nothing."""

    reason: str = ""
    went_back: bool = False


def compare(witness: Witness, epoch: Epoch, found: KeyspaceState, seen: FeedCursor = NOTHING_SEEN) -> Finding:
    """Compare the memory, and a position that was seen since, with a keyspace in this epoch. Pure."""
    if back := _find_step_back(witness, epoch, found, seen):
        return Finding(back, went_back=True)
    return Finding(_find_move(witness, found))


def name_histories(servers: Sequence[Lineage]) -> str:
    return " ".join(sorted(map(_name, servers)))


def positions_of(witness: Witness, seen: FeedCursor) -> set[str]:
    """The rows that must still exist. The feed has no row at 0."""
    return {position for position in (witness.seen, seen.position) if place(position)[0]}


def _name(server: Lineage) -> str:
    return f"{server.run_id}/{server.replication_id}"


def _find_step_back(witness: Witness, epoch: Epoch, found: KeyspaceState, seen: FeedCursor) -> str:
    if witness.epoch and witness.epoch != epoch.id:
        is_known = witness.epoch in epoch.before
        return "" if is_known else f"epoch {epoch.id} does not continue epoch {witness.epoch}"
    known = [FeedCursor(witness.epoch, witness.seen), seen]
    for cursor in known:
        if cursor.epoch == epoch.id and cursor.position in found.lost:
            return f"the change feed has lost its row {cursor.position}"
    before = {server.replication_id: server.offset for server in witness.servers}
    for server in found.servers:
        if server.offset < before.get(server.replication_id, 0):
            return f"the server went back from offset {before[server.replication_id]} to {server.offset}"
    return ""


def _find_move(witness: Witness, found: KeyspaceState) -> str:
    """A keyspace that records no history was last used by an older release; what it lost before is not known."""
    recorded = [history.split("/") for history in found.histories.split()]
    processes, histories = {process for process, _ in recorded}, {history for _, history in recorded}
    for server in found.servers:
        # Redis begins another history without a loss an hour after its last replica has gone.
        is_same_process = server.run_id in processes and not server.previous_id
        if not recorded or server.replication_id in histories or is_same_process:
            continue
        if not (found.is_covered and server.previous_id in histories and _has_all(witness, server)):
            return f"another server or process answers: its history of writes is {server.replication_id}"
    return ""


def _has_all(witness: Witness, server: Lineage) -> bool:
    """Whether a promoted replica had everything that the witness knows to be written."""
    return all(
        before.offset <= server.previous_offset
        for before in witness.servers
        if before.replication_id == server.previous_id
    )


class ContinuityObserver:
    """The witness in one process. ``name``: for operators. ``every_seconds``: polls in between read the epoch alone."""

    def __init__(
        self,
        store: ContinuityStore,
        name: str,
        clock: Clock,
        witness: Witness = Witness(),
        every_seconds: float = 0.5,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.witness = witness
        self._store = store
        self._name = name
        self._clock = clock
        self._every_seconds = every_seconds
        self._timer = timer
        self._due_at = timer()

    def observe(self, seen: FeedCursor = NOTHING_SEEN) -> Epoch | None:
        """Compare, and record what was noticed. Returns the epoch, a new one after a step back; None without one.

        ``seen``: the position up to which the caller has followed the feed. Raises :class:`ServiceError` if the store
        does not answer.
        """
        if self._timer() < self._due_at:
            return self._store.epoch()
        for _ in range(_ATTEMPTS):
            found = self._store.read(positions_of(self.witness, seen))
            if found.epoch is None:
                # A coldstart fills the keyspace, and its epoch is then accepted.
                self.witness = Witness()
                return None
            finding = compare(self.witness, found.epoch, found, seen)
            change = self._plan(found.epoch, found, finding)
            if change is None or self._store.record(found, change):
                epoch = change.epoch if change else found.epoch
                self.witness = Witness(epoch.id, tuple(found.servers), found.last)
                self._due_at = self._timer() + self._every_seconds
                _report(finding)
                return epoch
        raise ServiceError("the epoch of the keyspace keeps changing")

    def _plan(self, current: Epoch, found: KeyspaceState, finding: Finding) -> Discontinuity | None:
        """The change to record; None if the record is right."""
        histories = name_histories(found.servers)
        if not finding.reason:
            is_recorded = set(histories.split()) <= set(found.histories.split())
            return None if is_recorded else Discontinuity(current, histories, None)
        now = self._clock()
        repair = Repair(str(uuid4()), finding.reason, self._name, now, finding.went_back)
        if not finding.went_back:
            return Discontinuity(current, histories, repair)
        # The witness's own epoch too, or every other witness of it would begin an epoch of its own.
        before = dict.fromkeys((current.id, self.witness.epoch or current.id, *current.before))
        return Discontinuity(Epoch(repair.id, tuple(before)), histories, repair)


def _report(finding: Finding) -> None:
    if finding.reason:
        what = "the store went back in time" if finding.went_back else "the store may have lost writes"
        _log.error(f"{what}; everything is compared with its sources", reason=finding.reason)
