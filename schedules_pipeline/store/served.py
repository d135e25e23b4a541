"""The source that partners are served from, on Redis: a hash of the current state, and a list of all switches."""

from collections.abc import Sequence

from schedules_pipeline.documents.record import Record
from schedules_pipeline.migration.ports import NEVER_SWITCHED, ServedState
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_REMEMBERED = 1_000
_SERVED = Record(ServedState, "served state")


class RedisServedSourceStore:
    """Implements :class:`ServedSourceStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._served, self._switches = keys.delivery("served"), keys.delivery("switches")
        self._serve, self._restore = link.script("serve"), link.script("restore_switches")

    def current(self) -> ServedState:
        record = self._link.call("HGET", self._served, "record")
        return NEVER_SWITCHED if record is None else _SERVED.parse(record)

    def switches(self) -> list[ServedState]:
        return [_SERVED.parse(record) for record in self._link.call("LRANGE", self._switches, 0, -1)]

    def change(self, to: ServedState) -> bool:
        arguments: list[str | bytes | int | float] = [
            to.number - 1,
            to.number,
            _SERVED.render(to),
            _REMEMBERED,
        ]
        return bool(self._link.call(*self._serve.command([self._served, self._switches], arguments)))

    def restore(self, switches: Sequence[ServedState], instead_of: int) -> bool:
        records = [_SERVED.render(switch) for switch in switches]
        arguments: list[str | bytes | int | float] = [instead_of, switches[0].number, *records]
        return bool(self._link.call(*self._restore.command([self._served, self._switches], arguments)))
