"""The repair after a loss of writes: everything is compared with its sources at once, and rebuilt where it differs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports import MaintenanceStore, PassReport
from schedules_pipeline.maintenance.reconcile import Reconciler
from schedules_pipeline.maintenance.record_pass import Say
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.publish import KeepAlive

LEASE_FOR = timedelta(seconds=30)
_LONGEST_REPAIR = timedelta(hours=12)
"""A hundred thousand schedules alone take nine minutes to compare, if all sources answer fast."""


@dataclass(frozen=True, slots=True)
class Repairer:
    store: MaintenanceStore
    follower: CatalogueFollower
    reconciler: Reconciler
    clock: Clock
    keep_alive: KeepAlive

    def repair_if_needed(self, worker: str, say: Say) -> PassReport | None:
        """Carry out the pending repair, if no other worker does and no coldstart is open.

        Raises :class:`ServiceError` if a store or source failed; the repair stays pending.
        """
        continuity = self.store.continuity
        repair = continuity.pending_repair()
        if repair is None or self._is_being_coldstarted() or not continuity.lead_repair(worker, LEASE_FOR):
            return None
        try:
            with self.keep_alive(lambda: self._renew(worker), _LONGEST_REPAIR):
                self._invalidate_tokens()
                self._compare_copies(repair.reason)
                report = self.reconciler.repair_everything(say)
            done = replace(repair, repaired_at=self.clock(), differed=report.counts["differed"])
            continuity.end_repair(done)
            return report
        finally:
            with suppress(ServiceError):
                continuity.leave_repair(worker)

    def _is_being_coldstarted(self) -> bool:
        latest = self.store.coldstarts.latest()
        return latest is not None and not latest.stage.is_final

    def _renew(self, worker: str) -> None:
        self.store.continuity.lead_repair(worker, LEASE_FOR)

    def _invalidate_tokens(self) -> None:
        """The counters went back too, and a worker from before the loss must not share a token with a later one."""
        self.store.work.skip_tokens()
        for pids in self.store.copies.tracked_pids():
            self.store.copies.invalidate_tokens(pids)

    def _compare_copies(self, reason: str) -> None:
        """All copies, also those that no schedule uses: the next one would use an old copy."""
        for pids in self.store.copies.stored_pids():
            self._follow(pids, Cause("repair", Origin.RECONCILIATION, reason, self.clock()))

    def _follow(self, pids: Sequence[Pid], cause: Cause) -> None:
        self.follower.follow(dict.fromkeys(pids, cause))
