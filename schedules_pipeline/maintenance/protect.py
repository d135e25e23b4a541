"""Protection: a coldstart begins by itself where following single events has become hopeless or pointless.

That is, where more catalogue events wait than are worth taking one by one, and where the store is not what it
was: empty, another one, or gone back to an earlier state. The memory of what the store was must live
outside it; the caller keeps it.
"""

from dataclasses import dataclass, replace

from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore, Epoch
from schedules_pipeline.publishing.ports.upstream import NotificationQueue


@dataclass(frozen=True, slots=True)
class ProtectionMemory:
    """What was seen at the last look. ``epoch`` is None before the first, and after a coldstart was asked
    for because of it: then whatever epoch comes is the right one. ``in_storm``: too many events waited, and
    were answered to. ``owed``: what was found while a coldstart was open, and may have undone some of it.
    """

    epoch: Epoch | None = None
    in_storm: bool = False
    owed: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason``: why a coldstart is wanted; "" if none is. ``purge``: what waits would only be in its way.
    ``has_gone_back``: what was acknowledged in this epoch was lost.
    """

    remembered: ProtectionMemory
    reason: str = ""
    purge: bool = False
    has_gone_back: bool = False


class Protector:
    def __init__(
        self,
        book: ColdstartStore,
        catalogue_queue: NotificationQueue,
        coldstarter: Coldstarter,
        threshold: int,
    ) -> None:
        """``threshold``: of waiting catalogue messages, beyond which they are not taken one by one."""
        self._book = book
        self._queue = catalogue_queue
        self._coldstarter = coldstarter
        self._threshold = threshold

    def look(self, remembered: ProtectionMemory, new_id: str) -> Verdict:
        """Look, and ask for a coldstart where one is wanted and none is open."""
        found, waiting = self._book.record_heartbeat(), self._queue.depth().waiting
        verdict = judge(remembered, found, waiting, self._threshold)
        if found is not None and verdict.has_gone_back:
            # Before anything else: versions that partners have seen will be numbered again, with other content.
            self._book.renew_epoch(new_id)
            found = replace(found, id=new_id)
        latest = self._book.latest()
        if latest is not None and not latest.stage.is_final:
            return Verdict(_put_off(verdict, remembered, found))
        # A keyspace without an epoch that knows of a coldstart is not a lost one: somebody abandoned it.
        if verdict.reason and (latest is None or found is not None):
            self._coldstarter.request(new_id, verdict.reason, purge=verdict.purge, by_itself=True)
        return verdict


def judge(remembered: ProtectionMemory, found: Epoch | None, waiting: int, threshold: int) -> Verdict:
    """Decide from what was remembered and what is found. Pure.

    A storm is answered once: it has to fall to half of the threshold before another counts.
    """
    in_storm = waiting > (threshold // 2 if remembered.in_storm else threshold)
    if lost := _find_lost(remembered.epoch, found) or remembered.owed:
        return Verdict(
            ProtectionMemory(None, in_storm), lost, has_gone_back=_lost_looks(remembered.epoch, found) > 0
        )
    kept = ProtectionMemory(found, in_storm)
    if in_storm and not remembered.in_storm:
        reason = f"{waiting} catalogue events wait, more than the {threshold} that are taken one by one"
        return Verdict(kept, reason, purge=True)
    return Verdict(kept)


def _put_off(verdict: Verdict, remembered: ProtectionMemory, found: Epoch | None) -> ProtectionMemory:
    """While a coldstart is open: it answers to an empty keyspace, but neither to a store that goes back meanwhile
    nor to a storm that it was not begun for.
    """
    went_back = bool(verdict.reason) and None not in (found, remembered.epoch)
    return ProtectionMemory(
        epoch=found,
        in_storm=remembered.in_storm and verdict.remembered.in_storm,
        owed=verdict.reason if went_back and not verdict.purge else remembered.owed,
    )


def _find_lost(remembered: Epoch | None, found: Epoch | None) -> str:
    if found is None:
        return "our keyspace is empty: nothing was ever built in it, or everything was lost"
    if remembered is None:
        return ""
    if found.id != remembered.id:
        return f"our keyspace is another one: epoch {found.id}, remembered was {remembered.id}"
    if (lost := _lost_looks(remembered, found)) > 0:
        return f"our keyspace has gone back in time, by {lost} of the looks that it has counted"
    return ""


def _lost_looks(remembered: Epoch | None, found: Epoch | None) -> int:
    """How many looks the same epoch has forgotten. The look that remembered a pulse has let it grow, so one that has
    not grown was lost.
    """
    if remembered is None or found is None or found.id != remembered.id:
        return 0
    return max(0, remembered.pulse + 1 - found.pulse)
