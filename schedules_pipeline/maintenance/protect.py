"""Requests a coldstart automatically when following single events no longer works.

There are two reasons: more catalogue events wait than the threshold, or the store has lost data (it is empty, it
was replaced, or it went back in time). The caller keeps the memory of earlier checks, outside the store.
"""

from dataclasses import dataclass, replace

from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.ports import Epoch, MaintenanceSources, MaintenanceStore


@dataclass(frozen=True, slots=True)
class ProtectionMemory:
    """The result of the last check.

    ``epoch``: None before the first check and after a coldstart was requested because of it; the next epoch is
    then accepted. ``in_storm``: a coldstart was requested for too many events. ``postponed``: a loss found while
    a coldstart was open, which may have undone part of it.
    """

    epoch: Epoch | None = None
    in_storm: bool = False
    postponed: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason``: why a coldstart is needed, or "". ``purge``: whether it should purge the queues first.
    ``has_gone_back``: the store has lost acknowledged writes of this epoch.
    """

    remembered: ProtectionMemory
    reason: str = ""
    purge: bool = False
    has_gone_back: bool = False


@dataclass(frozen=True, slots=True)
class Protector:
    """``threshold``: more waiting catalogue messages than this are a storm."""

    store: MaintenanceStore
    sources: MaintenanceSources
    coldstarter: Coldstarter
    threshold: int

    def check(self, remembered: ProtectionMemory, new_id: str) -> Verdict:
        """Check the store and the queue; request a coldstart if one is needed and none is open."""
        found = self.store.coldstarts.record_heartbeat()
        waiting = self.sources.catalogue_queue.depth().waiting
        verdict = judge(remembered, found, waiting, self.threshold)
        if found is not None and verdict.has_gone_back:
            # Before anything else: sequence numbers that partners have seen will be used again for other content.
            self.store.coldstarts.renew_epoch(new_id)
            found = replace(found, id=new_id)
        latest = self.store.coldstarts.latest()
        if latest is not None and not latest.stage.is_final:
            return Verdict(_postpone(verdict, remembered, found))
        # A keyspace without an epoch that holds a coldstart is not a lost one: an operator abandoned the coldstart.
        if verdict.reason and (latest is None or found is not None):
            is_first = found is None and remembered.epoch is None
            self.coldstarter.request(
                new_id, verdict.reason, purge=verdict.purge, by_itself=True, is_first=is_first
            )
        return verdict


def judge(remembered: ProtectionMemory, found: Epoch | None, waiting: int, threshold: int) -> Verdict:
    """Compare the memory with the keyspace. Pure.

    A storm causes one coldstart: the backlog must fall to half of the threshold before another storm counts.
    """
    in_storm = waiting > (threshold // 2 if remembered.in_storm else threshold)
    if lost := _describe_loss(remembered.epoch, found) or remembered.postponed:
        gone_back = _lost_heartbeats(remembered.epoch, found) > 0
        return Verdict(ProtectionMemory(None, in_storm), lost, has_gone_back=gone_back)
    kept = ProtectionMemory(found, in_storm)
    if in_storm and not remembered.in_storm:
        reason = f"{waiting} catalogue events wait, more than the threshold of {threshold}"
        return Verdict(kept, reason, purge=True)
    return Verdict(kept)


def _postpone(verdict: Verdict, remembered: ProtectionMemory, found: Epoch | None) -> ProtectionMemory:
    """What to remember while a coldstart is open.

    The coldstart mends an empty keyspace. It does not mend a store that goes back in time during it, or a storm
    that it was not requested for.
    """
    went_back = bool(verdict.reason) and None not in (found, remembered.epoch)
    return ProtectionMemory(
        epoch=found,
        in_storm=remembered.in_storm and verdict.remembered.in_storm,
        postponed=verdict.reason if went_back and not verdict.purge else remembered.postponed,
    )


def _describe_loss(remembered: Epoch | None, found: Epoch | None) -> str:
    if found is None:
        return "the keyspace is empty: nothing was built in it yet, or everything was lost"
    if remembered is None:
        return ""
    if found.id != remembered.id:
        return f"the keyspace was replaced: its epoch is {found.id}, the epoch before was {remembered.id}"
    if (lost := _lost_heartbeats(remembered, found)) > 0:
        return f"the keyspace has gone back in time, by {lost} heartbeats"
    return ""


def _lost_heartbeats(remembered: Epoch | None, found: Epoch | None) -> int:
    """How many heartbeats of the same epoch are gone. Every check adds one, so an unchanged count is a loss too."""
    if remembered is None or found is None or found.id != remembered.id:
        return 0
    return max(0, remembered.heartbeats + 1 - found.heartbeats)
