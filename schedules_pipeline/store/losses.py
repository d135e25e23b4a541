"""Losses of airtime on Redis: holds, decisions, and the ledger of the loss budget."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import chain

import orjson

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.losses import (
    BUDGET_WINDOW,
    RESTORABLE_FOR,
    Decision,
    Hold,
    HoldReason,
    Loss,
    LossKind,
    LossLimits,
    Reservation,
    Standing,
)
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink

_HOLD, _DECISION = Record(Hold, "hold"), Record(Decision, "decision on a hold")
_WINDOW_SECONDS, _RESTORABLE_SECONDS = BUDGET_WINDOW.total_seconds(), RESTORABLE_FOR.total_seconds()


class RedisLossStore:
    """Implements :class:`LossStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.losses
        self._reserve = link.script("reserve_losses")

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Standing]:
        if not keys:
            return {}
        names = [str(key) for key in keys]
        held, decided = self._link.run(
            [("HMGET", self._key("holds"), *names), ("HMGET", self._key("decisions"), *names)]
        )
        rows = {key: row for key, *row in zip(keys, held, decided, strict=True) if any(row)}
        found = {key: _standing(key, *row) for key, row in rows.items()}
        restored = [key for key, each in found.items() if each.decision and each.decision.restores]
        replaced = self.replaced(restored)
        return {key: replace(each, replaced=replaced.get(key)) for key, each in found.items()}

    def holds(self) -> dict[ScheduleKey, Hold]:
        held, decided = dict(self._all("holds")), dict(self._all("decisions"))
        found = {key: _standing(key, held.get(key), decided.get(key)).hold for key in {**held, **decided}}
        return {key: hold for key, hold in found.items() if hold is not None}

    def decisions(self) -> dict[ScheduleKey, Decision]:
        found = {key: _DECISION.parse_if_sound(value) for key, value in self._all("decisions")}
        return {key: decision for key, decision in found.items() if decision is not None}

    def hold(self, holds: Mapping[ScheduleKey, Hold]) -> None:
        self._set("holds", {key: _HOLD.render(hold) for key, hold in holds.items()})

    def decide(self, decisions: Mapping[ScheduleKey, Decision]) -> None:
        self._set("decisions", {key: _DECISION.render(decision) for key, decision in decisions.items()})

    def end(self, keys: Sequence[ScheduleKey]) -> None:
        self._forget(("holds", "decisions"), keys)

    def reserve(
        self, losses: Mapping[ScheduleKey, tuple[Loss, bytes]], limits: LossLimits, new_id: str, now: datetime
    ) -> Reservation:
        if not losses:
            return Reservation(frozenset(), "")
        groups: list[Arguments] = [
            (str(key), key.sid, limits.of_service[key.sid], loss.seconds, _entry(loss), zlib.compress(source))
            for key, (loss, source) in losses.items()
        ]
        times = [now.timestamp(), _WINDOW_SECONDS, limits.whole, _RESTORABLE_SECONDS]
        names = [self._key(name) for name in ("ledger", "replaced", "event")]
        hold_id, *overdrawn = self._link.call(
            *self._reserve.command(names, [*times, new_id, *chain(*groups)])
        )
        return Reservation(frozenset(ScheduleKey.parse(key.decode()) for key in overdrawn), hold_id.decode())

    def refund(self, keys: Sequence[ScheduleKey]) -> None:
        self._forget(("ledger", "replaced"), keys)

    def let_through(self) -> dict[ScheduleKey, Loss]:
        return {key: _loss(key, value) for key, value in self._all("ledger")}

    def record_blanking(self, airtime: Mapping[ScheduleKey, timedelta], now: datetime) -> None:
        self._set(
            "blanked",
            {
                key: orjson.dumps({"seconds": each.total_seconds(), "at": now.timestamp()})
                for key, each in airtime.items()
            },
        )

    def blanked(self, now: datetime) -> dict[ScheduleKey, timedelta]:
        """Forgets the older ones, too."""
        found = {key: orjson.loads(value) for key, value in self._all("blanked")}
        since = now.timestamp() - _WINDOW_SECONDS
        self._forget(("blanked",), [key for key, row in found.items() if row["at"] <= since])
        return {key: timedelta(seconds=row["seconds"]) for key, row in found.items() if row["at"] > since}

    def _all(self, name: str) -> Iterator[tuple[ScheduleKey, bytes]]:
        for page in self._link.hash_pages(self._key(name)):
            for key, value in page.items():
                yield ScheduleKey.parse(key.decode()), value

    def replaced(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        if not keys:
            return {}
        found = self._link.call("HMGET", self._key("replaced"), *map(str, keys))
        return {key: zlib.decompress(value) for key, value in zip(keys, found, strict=True) if value}

    def _set(self, name: str, values: Mapping[ScheduleKey, bytes]) -> None:
        if values:
            self._link.run([("HSET", self._key(name), str(key), value) for key, value in values.items()])

    def _forget(self, names: Sequence[str], keys: Sequence[ScheduleKey]) -> None:
        if keys:
            self._link.run([("HDEL", self._key(name), *map(str, keys)) for name in names])


def _standing(key: ScheduleKey, hold: bytes | None, decision: bytes | None) -> Standing:
    """A record that cannot be decoded counts as a hold that waits for an operator, since it may be one."""
    held = _HOLD.parse_if_sound(hold) if hold else None
    decided = _DECISION.parse_if_sound(decision) if decision else None
    if (hold and held is None) or (decision and decided is None):
        return Standing(_undecodable(key) if held is None else replace(held, reason=HoldReason.BUDGET))
    return Standing(held, decided)


def _undecodable(key: ScheduleKey) -> Hold:
    """The next build replaces it by a hold of what the source has."""
    day = datetime.combine(key.date, time(), UTC)
    return Hold(str(key), HoldReason.BUDGET, LossKind.SHRUNK, "", "", 0, 0, held_at=day, airs_at=day)


def _entry(loss: Loss) -> bytes:
    return orjson.dumps(
        {"kind": loss.kind, "digest": loss.digest, "seconds": loss.seconds, "at": loss.at.timestamp()}
    )


def _loss(key: ScheduleKey, entry: bytes) -> Loss:
    fields = orjson.loads(entry)
    at = datetime.fromtimestamp(fields["at"], UTC)
    return Loss(key, LossKind(fields["kind"]), fields["digest"], int(fields["seconds"]), at)
