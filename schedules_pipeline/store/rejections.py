"""Rejected input on Redis."""

from collections.abc import Mapping, Sequence

from schedules_pipeline.documents.record import Record
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_REJECTION = Record(Rejection, "rejection")


class RedisRejectionStore:
    """Implements :class:`RejectionStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("refused")

    def keep(self, rejections: Mapping[str, Rejection]) -> None:
        self._link.run(
            [("HSET", self._key, subject, _REJECTION.render(r)) for subject, r in rejections.items()]
        )

    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]:
        if not subjects:
            return {}
        found = self._link.call("HMGET", self._key, *subjects)
        return {
            subject: _REJECTION.parse(value)
            for subject, value in zip(subjects, found, strict=True)
            if value is not None
        }

    def forget(self, subjects: Sequence[str]) -> None:
        if subjects:
            self._link.call("HDEL", self._key, *subjects)

    def count(self) -> int:
        return int(self._link.call("HLEN", self._key))

    def all(self) -> dict[str, Rejection]:
        rows = self._link.call("HGETALL", self._key)
        return {subject.decode(): _REJECTION.parse(value) for subject, value in rows.items()}
