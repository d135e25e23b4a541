"""Requests a coldstart automatically when following single events no longer works.

There are two reasons: more catalogue events wait than the threshold, or the keyspace is empty. A store that went back
in time is repaired (:mod:`~schedules_pipeline.maintenance.continuity`); this check is one of its witnesses, whose
memory is outside of every process. The caller keeps the memory of earlier checks, outside the store.
"""

from dataclasses import dataclass, field

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.continuity import ContinuityObserver, Epoch, Witness
from schedules_pipeline.maintenance.ports import MaintenanceSources, MaintenanceStore

_NAME = "the sensor coldstart_control"
_EMPTY = "the keyspace is empty: nothing was built in it yet, or everything was lost"


@dataclass(frozen=True, slots=True)
class ProtectionMemory:
    """The result of the last check. ``in_storm``: a coldstart was requested for too many events."""

    witness: Witness = field(default_factory=Witness)
    in_storm: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason``: why a coldstart is needed, or "". ``purge``: whether it should purge the queues first."""

    remembered: ProtectionMemory
    reason: str = ""
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Protector:
    """``threshold``: more waiting catalogue messages than this are a storm."""

    store: MaintenanceStore
    sources: MaintenanceSources
    coldstarter: Coldstarter
    clock: Clock
    threshold: int

    def check(self, remembered: ProtectionMemory, new_id: str) -> Verdict:
        """Check the store and the queue; request a coldstart if one is needed and none is open."""
        observer = ContinuityObserver(self.store.continuity, _NAME, self.clock, remembered.witness)
        epoch = observer.observe()
        waiting = self.sources.catalogue_queue.depth().waiting
        verdict = judge(epoch, observer.witness, waiting, self.threshold, in_storm=remembered.in_storm)
        latest = self.store.coldstarts.latest()
        if latest is not None and not latest.stage.is_final:
            # It does not end a storm that it was not requested for.
            in_storm = remembered.in_storm and verdict.remembered.in_storm
            return Verdict(ProtectionMemory(observer.witness, in_storm))
        # A keyspace without an epoch that holds a coldstart is not a lost one: an operator abandoned the coldstart.
        if verdict.reason and (latest is None or epoch is not None):
            is_first = epoch is None and not remembered.witness.epoch
            self.coldstarter.request(
                new_id, verdict.reason, purge=verdict.purge, by_itself=True, is_first=is_first
            )
        return verdict


def judge(epoch: Epoch | None, witness: Witness, waiting: int, threshold: int, *, in_storm: bool) -> Verdict:
    """Whether a coldstart is needed. Pure.

    A storm causes one coldstart: the backlog must fall to half of the threshold before another storm counts.
    """
    remembered = ProtectionMemory(witness, waiting > (threshold // 2 if in_storm else threshold))
    if epoch is None:
        return Verdict(remembered, _EMPTY)
    if remembered.in_storm and not in_storm:
        reason = f"{waiting} catalogue events wait, more than the threshold of {threshold}"
        return Verdict(remembered, reason, purge=True)
    return Verdict(remembered)
