"""Partners on Redis, and their usage: one hash of counts for each day, and one of totals."""

from datetime import date, timedelta

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import USAGE_KEPT_DAYS, UsageCounts, UsageKind, UsageLine
from schedules_pipeline.partners.record import PARTNER
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink

_REMOVED = b""
_KINDS = frozenset(UsageKind)
_KEPT_SECONDS = int(timedelta(days=USAGE_KEPT_DAYS).total_seconds())


class RedisPartnerStore:
    """Implements :class:`PartnerStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._partners, self._totals = keys.delivery("partners"), keys.delivery("usage")
        self._replace = link.script("replace_partner")

    def all(self) -> list[Partner]:
        read = [_readable(name, record) for name, record in self._records()]
        return [partner for partner in read if partner is not None]

    def unreadable(self) -> list[str]:
        return [name for name, record in self._records() if _readable(name, record) is None]

    def one(self, name: str) -> Partner | None:
        record = self._record(name)
        return None if record is None else _parse(name, record)

    def create(self, partner: Partner) -> bool:
        return self._put(partner, _REMOVED)

    def change(self, before: Partner, after: Partner) -> bool:
        """Compares partners rather than records, because an older release may have written fewer fields."""
        record = self._record(before.name)
        if record is None:
            return False
        now = _parse(before.name, record)
        return now == after or (now == before and self._put(after, record))

    def remove(self, name: str) -> bool:
        """The empty record of the latest one stays, which distinguishes an emptied store from a lost one."""
        records = self._link.call("HGETALL", self._partners)
        earlier = [other for other, record in records.items() if record == _REMOVED]
        removed = bool(records.get(name.encode()))
        if removed:
            self._link.call("HSET", self._partners, name, _REMOVED)
            if earlier:
                self._link.call("HDEL", self._partners, *earlier)
        totals = self._link.call("HGETALL", self._totals)
        if fields := [field for field in totals if field.startswith(f"{name} ".encode())]:
            self._link.call("HDEL", self._totals, *fields)
        return removed

    def add_usage(self, day: date, counts: UsageCounts) -> None:
        if not counts:
            return
        of_day = self._of_day(day)
        commands: list[Command] = [
            ("HINCRBY", key, " ".join(line), count)
            for key in (of_day, self._totals)
            for line, count in counts.items()
        ]
        self._link.run([*commands, ("EXPIRE", of_day, _KEPT_SECONDS)])

    def usage(self, day: date) -> dict[UsageLine, int]:
        return self._read(self._of_day(day))

    def usage_totals(self) -> dict[UsageLine, int]:
        return self._read(self._totals)

    def was_ever_used(self) -> bool:
        return bool(self._link.call("EXISTS", self._partners))

    def _records(self) -> list[tuple[str, bytes]]:
        rows = self._link.call("HGETALL", self._partners)
        return sorted((name.decode(), record) for name, record in rows.items() if record != _REMOVED)

    def _record(self, name: str) -> bytes | None:
        return self._link.call("HGET", self._partners, name) or None

    def _put(self, partner: Partner, instead_of: bytes) -> bool:
        arguments: Arguments = [partner.name, instead_of, PARTNER.render(partner)]
        return bool(self._link.call(*self._replace.command([self._partners], arguments)))

    def _of_day(self, day: date) -> str:
        return self._keys.delivery(f"usage:{day}")

    def _read(self, key: str) -> dict[UsageLine, int]:
        """Kinds of usage that only a newer release counts are left out."""
        rows = self._link.call("HGETALL", key)
        fields = [(field.decode().split(" "), int(count)) for field, count in rows.items()]
        return {_line(*words): count for words, count in fields if words[1] in _KINDS}


def _line(partner: str, kind: str, route: str, detail: str) -> UsageLine:
    return UsageLine(partner, UsageKind(kind), route, detail)


def _parse(name: str, record: bytes) -> Partner:
    try:
        partner = PARTNER.parse(record)
    except InvalidRecord as error:
        raise InvalidRecord(f"partner {name!r}: {error}; remove the partner and create it again") from None
    if partner.name != name:
        raise InvalidRecord(f"the record of partner {name!r} is that of {partner.name!r}")
    return partner


def _readable(name: str, record: bytes) -> Partner | None:
    try:
        return _parse(name, record)
    except InvalidRecord:
        return None
