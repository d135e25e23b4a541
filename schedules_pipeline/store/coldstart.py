"""The coldstart on Redis: a hash of its state, and a sorted set of the schedules to build."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.continuity import Epoch
from schedules_pipeline.maintenance.ports import Coldstart, Request, Stage
from schedules_pipeline.store.continuity import read_epoch
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, Script

_REQUEST = Record(Request, "coldstart request")
_LISTED_AT_ONCE = 1_000
_PLACES = 10_000_000
"""Places in the order are shard × this + position; no shard has as many schedules."""


class RedisColdstartStore:
    """Implements :class:`ColdstartStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.coldstart
        self._open, self._lead = link.script("open_coldstart"), link.script("lead_coldstart")
        self._list, self._begin = link.script("list_coldstart"), link.script("begin_coldstart")
        self._next, self._record_built = link.script("next_coldstart_keys"), link.script("record_built")
        self._confirm = link.script("confirm_coldstart")
        self._end = link.script("end_coldstart")

    def open(self, coldstart_id: str, request: Request) -> Coldstart:
        self._run(self._open, ("book", "left", "leader"), coldstart_id, _REQUEST.render(request))
        return self._read()

    def latest(self) -> Coldstart | None:
        return self._read() if self._link.call("EXISTS", self._key("book")) else None

    def lead(self, coldstart_id: str, worker: str, now: datetime, lease_for: timedelta) -> bool:
        seconds = int(lease_for.total_seconds())
        return bool(self._run(self._lead, ("book", "leader"), coldstart_id, worker, now.isoformat(), seconds))

    def confirm(self, coldstart_id: str) -> None:
        self._run(self._confirm, ("book",), coldstart_id)

    def list_work(self, coldstart_id: str, shards: Sequence[Sequence[ScheduleKey]], now: datetime) -> None:
        placed = [
            (_PLACES * shard + position, str(key))
            for shard, keys in enumerate(shards)
            for position, key in enumerate(keys)
        ]
        for start in range(0, len(placed), _LISTED_AT_ONCE):
            pairs = [part for pair in placed[start : start + _LISTED_AT_ONCE] for part in pair]
            self._run(self._list, ("book", "left"), coldstart_id, *pairs)
        self._run(self._begin, ("book", "left"), coldstart_id, now.isoformat())

    def next_keys(self, coldstart_id: str, shard: int, limit: int, now: datetime) -> list[ScheduleKey]:
        places = (_PLACES * shard, _PLACES * (shard + 1))
        found = self._run(self._next, ("book", "left"), coldstart_id, *places, limit, now.isoformat())
        return [ScheduleKey.parse(key.decode()) for key in found]

    def record_built(self, coldstart_id: str, keys: Sequence[ScheduleKey], counts: Mapping[str, int]) -> None:
        if keys:
            numbers = (counts.get("published", 0), counts.get("failed", 0))
            self._run(self._record_built, ("book", "left"), coldstart_id, *numbers, *map(str, keys))

    def end(self, coldstart_id: str, stage: Stage, now: datetime, problem: str = "") -> bool:
        names = ("book", "left", "leader", "pause", "epoch")
        return bool(self._run(self._end, names, coldstart_id, stage, now.isoformat(), problem))

    def pause_intake(self, for_: timedelta) -> None:
        self._link.call("SET", self._key("pause"), "1", "EX", int(for_.total_seconds()))

    def intake_is_paused(self) -> bool:
        return bool(self._link.call("EXISTS", self._key("pause")))

    def epoch(self) -> Epoch | None:
        return read_epoch(self._link, self._key("epoch"))

    def begin_epoch(self, epoch_id: str) -> None:
        self._link.call("HSETNX", self._key("epoch"), "id", epoch_id)

    def _read(self) -> Coldstart:
        rows, left = self._link.run([("HGETALL", self._key("book")), ("ZCARD", self._key("left"))])
        return _coldstart({name.decode(): value.decode() for name, value in rows.items()}, left)

    def _run(self, script: Script, names: Sequence[str], *arguments: str | bytes | float) -> Any:
        return self._link.call(*script.command([self._key(name) for name in names], arguments))


def _coldstart(book: Mapping[str, str], left: int) -> Coldstart:
    stage = Stage(book["stage"])
    return Coldstart(
        id=book["id"],
        request=_REQUEST.parse(book["request"].encode()),
        stage=stage,
        is_confirmed="settled" in book,
        total=int(book.get("total", 0)),
        left=int(book.get("left", 0)) if stage.is_final else left,
        published=int(book.get("published", 0)),
        failed=int(book.get("failed", 0)),
        alive_at=_instant(book, "alive_at"),
        building_since=_instant(book, "building_since"),
        ended_at=_instant(book, "ended_at"),
        problem=book.get("problem", ""),
    )


def _instant(book: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(book[name]) if name in book else None
