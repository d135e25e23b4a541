"""Past versions of schedules on Redis: their feed rows in a list, and the replaced documents."""

import zlib
from collections.abc import Sequence

from schedules_pipeline.documents.change_row import parse_row
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.versions import VERSIONS_LISTED
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_FAST = 1


class RedisVersionStore:
    """Implements :class:`VersionStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def versions(self, key: ScheduleKey) -> list[Change]:
        rows = self._link.call("LRANGE", self._keys.history(key), 0, VERSIONS_LISTED - 1)
        return [parse_row(row) for row in rows]

    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        """Reads the state before and after the document, and again if a commit came in between."""
        while True:
            before, current, replaced, after = self._link.run(
                [
                    ("HGET", self._keys.state(key), "seq"),
                    ("GET", self._keys.document(key)),
                    ("GET", self._keys.version(key, seq)),
                    ("HGET", self._keys.state(key), "seq"),
                ]
            )
            if before == after:
                break
        found: bytes | None = current if before is not None and int(before) == seq else replaced
        return None if found is None else _inflate(found)

    def compact(self, replaced: Sequence[tuple[ScheduleKey, int]]) -> None:
        names = [self._keys.version(key, seq) for key, seq in replaced]
        found = zip(names, self._link.get_many(names), strict=True)
        self._link.run(
            [
                ("SET", name, zlib.compress(document, _FAST), "XX", "KEEPTTL")
                for name, document in found
                if document is not None and not _is_compressed(document)
            ]
        )


def _is_compressed(stored: bytes) -> bool:
    """Zlib begins with this byte, a document with a brace."""
    return stored.startswith(b"x")


def _inflate(stored: bytes) -> bytes:
    return zlib.decompress(stored) if _is_compressed(stored) else stored
