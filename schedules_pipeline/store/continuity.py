"""The continuity of the keyspace on Redis: its epoch, the histories of its servers, and the repair that is pending."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from schedules_pipeline.documents.record import Record
from schedules_pipeline.maintenance.continuity import Discontinuity, Epoch, KeyspaceState, Repair
from schedules_pipeline.publishing.ports.feed import place
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.lease import RedisLease
from schedules_pipeline.store.link import RedisLink
from schedules_pipeline.store.servers import parse_lineage

_REPAIR = Record(Repair, "repair")
_EPOCHS_KEPT = 20


class RedisContinuityStore:
    """Implements :class:`ContinuityStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._epoch, self._repairer = keys.coldstart("epoch"), RedisLease(link, keys.coldstart("repairer"))
        self._changes, self._trimmed = keys.feed("changes"), keys.feed("trimmed")
        self._record, self._end = link.script("record_discontinuity"), link.script("end_repair")

    def read(self, positions: Collection[str]) -> KeyspaceState:
        """Reads the trimmed position after the rows, because a trim records it first."""
        asked = list(positions)
        infos, (fields, newest, *rows, trimmed) = self._link.run_with_info(
            [
                ("HMGET", self._epoch, "id", "before", "servers"),
                ("XREVRANGE", self._changes, "+", "-", "COUNT", 1),
                *(("XRANGE", self._changes, position, position) for position in asked),
                ("GET", self._trimmed),
            ]
        )
        end = place((trimmed or b"0").decode())
        return KeyspaceState(
            epoch=_epoch(*fields[:2]),
            histories=(fields[2] or b"").decode(),
            servers=tuple(map(parse_lineage, infos.values())),
            lost={p for p, found in zip(asked, rows, strict=True) if not found and place(p) > end},
            last=newest[0][0].decode() if newest else "0",
            is_covered=self._link.waits_for_replicas,
        )

    def record(self, found: KeyspaceState, change: Discontinuity) -> bool:
        before = " ".join(change.epoch.before[:_EPOCHS_KEPT])
        repair = _REPAIR.render(change.repair) if change.repair else b""
        expected = found.epoch.id if found.epoch else ""
        arguments = (expected, found.histories, change.epoch.id, before, change.histories, repair)
        return bool(self._link.call(*self._record.command([self._epoch], arguments)))

    def epoch(self) -> Epoch | None:
        return read_epoch(self._link, self._epoch)

    def pending_repair(self) -> Repair | None:
        return self._repair("repair")

    def latest_repair(self) -> Repair | None:
        return self._repair("repaired")

    def lead_repair(self, worker: str, lease_for: timedelta) -> bool:
        return self._repairer.acquire(worker, lease_for)

    def leave_repair(self, worker: str) -> None:
        self._repairer.release(worker)

    def end_repair(self, repair: Repair) -> None:
        self._link.call(*self._end.command([self._epoch], [repair.id, _REPAIR.render(repair)]))

    def _repair(self, field: str) -> Repair | None:
        found = self._link.call("HGET", self._epoch, field)
        return None if found is None else _REPAIR.parse(found)


def read_epoch(link: RedisLink, key: str) -> Epoch | None:
    return _epoch(*link.call("HMGET", key, "id", "before"))


def _epoch(epoch_id: Any, before: Any) -> Epoch | None:
    return None if epoch_id is None else Epoch(epoch_id.decode(), tuple((before or b"").decode().split()))
