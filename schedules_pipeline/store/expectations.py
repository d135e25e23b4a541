"""Expected ranges of each service, on Redis."""

from collections.abc import Mapping, Sequence

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.publishing.ports.expectations import Expectation
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_EXPECTATION = Record(Expectation, "expectation of a service")


class RedisExpectationStore:
    """Implements :class:`ExpectationStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("expectations")

    def read(self, sids: Sequence[Sid]) -> dict[Sid, Expectation]:
        if not sids:
            return {}
        found = self._link.call("HMGET", self._key, *sids)
        return _parse({sid: value for sid, value in zip(sids, found, strict=True) if value})

    def all(self) -> dict[Sid, Expectation]:
        rows = self._link.call("HGETALL", self._key)
        return _parse({Sid(sid.decode()): value for sid, value in rows.items()})

    def keep(self, expectations: Mapping[Sid, Expectation]) -> None:
        self._link.run([("HSET", self._key, sid, _EXPECTATION.render(e)) for sid, e in expectations.items()])

    def forget(self, sids: Sequence[Sid]) -> None:
        if sids:
            self._link.call("HDEL", self._key, *sids)


def _parse(rows: Mapping[Sid, bytes]) -> dict[Sid, Expectation]:
    """Without those that cannot be decoded: they are learned again."""
    found = {sid: _EXPECTATION.parse_if_sound(value) for sid, value in rows.items()}
    return {sid: expectation for sid, expectation in found.items() if expectation is not None}
