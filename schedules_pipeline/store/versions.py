"""Past versions of schedules on Redis: their feed rows in a list, and the replaced documents in another.

A commit moves the document that it replaces to the front of the list of replaced documents. :meth:`compact` then
replaces it by a reverse delta against its successor, which is the element before it, or the published document for the
first one. So the list alone, with the document, can be read, however it is cut at its end. The rows are compressed
together, as one element at the end of their list, because each has little to compress.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1

from schedules_pipeline.documents.change_row import parse_row
from schedules_pipeline.documents.stored_form import apply_delta, compress, decompress, render_delta
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.versions import VERSIONS_LISTED
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink
from schedules_pipeline.store.schedules import StorageForm

_DELTA, _WHOLE = b"delta", b"whole"
_SUCCESSORS_TRIED = 8


@dataclass(frozen=True, slots=True)
class _Replaced:
    """An element of the list. ``header``: sequence number and time of the replacement."""

    element: bytes
    header: bytes
    is_delta: bool
    stored: bytes

    @property
    def seq(self) -> int:
        return int(self.header.split()[0])


class RedisVersionStore:
    """Implements :class:`VersionStore`."""

    def __init__(self, link: RedisLink, keys: Keys, form: StorageForm) -> None:
        self._link = link
        self._keys = keys
        self._form = form
        self._compact_version, self._compact_rows = (
            link.script("compact_version"),
            link.script("compact_rows"),
        )

    def versions(self, key: ScheduleKey) -> list[Change]:
        elements = self._link.call("LRANGE", self._keys.history(key), 0, VERSIONS_LISTED - 1)
        return [parse_row(row) for row in _rows(elements)]

    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        """Reads the state before and after the document, and again if a commit came in between."""
        while True:
            before, current, elements, of_0_2, after = self._link.run(
                [
                    ("HGET", self._keys.state(key), "seq"),
                    ("GET", self._keys.document(key)),
                    ("LRANGE", self._keys.versions(key), 0, -1),
                    ("GET", self._keys.version(key, seq)),
                    ("HGET", self._keys.state(key), "seq"),
                ]
            )
            if before == after:
                break
        if before is not None and int(before) == seq:
            return None if current is None else decompress(current)
        return self._replaced(key, seq, current, elements, of_0_2)

    def replaced(self, key: ScheduleKey, seq: int) -> bytes | None:
        """Reads the document before and after the list, and again if a commit came in between."""
        while True:
            current, elements, of_0_2, after = self._link.run(
                [
                    ("GET", self._keys.document(key)),
                    ("LRANGE", self._keys.versions(key), 0, -1),
                    ("GET", self._keys.version(key, seq)),
                    ("GET", self._keys.document(key)),
                ]
            )
            if current == after:
                return self._replaced(key, seq, current, elements, of_0_2)

    def _replaced(
        self,
        key: ScheduleKey,
        seq: int,
        current: bytes | None,
        elements: Sequence[bytes],
        of_0_2: bytes | None,
    ) -> bytes | None:
        for replaced, document in self._contents(key, current, list(map(_parse, elements))):
            if replaced.seq == seq and document is not None:
                return document
        return None if of_0_2 is None else decompress(of_0_2)

    def compact(self, keys: Iterable[ScheduleKey]) -> None:
        if not self._form.is_compressed:
            return
        distinct = list(dict.fromkeys(keys))
        reads: list[Command] = []
        for key in distinct:
            reads += [
                ("GET", self._keys.document(key)),
                ("LRANGE", self._keys.versions(key), 0, -1),
                ("LRANGE", self._keys.history(key), 0, -1),
            ]
        replies = iter(self._link.run(reads))
        self._link.run(
            [
                command
                for key, current, elements, rows in zip(distinct, replies, replies, replies, strict=True)
                for command in (
                    *self._compactions(key, current, list(map(_parse, elements))),
                    *self._compactions_of_rows(key, rows),
                )
            ]
        )

    def _contents(
        self, key: ScheduleKey, current: bytes | None, versions: Iterable[_Replaced]
    ) -> Iterator[tuple[_Replaced, bytes | None]]:
        """Each with its document, newest first; None if its successor was lost."""
        document = None if current is None else decompress(current)
        for replaced in versions:
            document = self._content(key, replaced, document)
            yield replaced, document

    def _content(self, key: ScheduleKey, replaced: _Replaced, successor: bytes | None) -> bytes | None:
        if not replaced.is_delta:
            return decompress(replaced.stored)
        if successor is not None and (document := apply_delta(replaced.stored, successor)) is not None:
            return document
        return self._content_after_0_2(key, replaced)

    def _content_after_0_2(self, key: ScheduleKey, replaced: _Replaced) -> bytes | None:
        """A process of release 0.2 has moved the successor to a key of its own."""
        later = range(replaced.seq + 1, replaced.seq + 1 + _SUCCESSORS_TRIED)
        for stored in self._link.get_many([self._keys.version(key, seq) for seq in later]):
            if (
                stored is not None
                and (document := apply_delta(replaced.stored, decompress(stored))) is not None
            ):
                return document
        return None

    def _compactions(
        self, key: ScheduleKey, current: bytes | None, versions: Sequence[_Replaced]
    ) -> list[Command]:
        """The oldest first, because each finds its successor as it was read."""
        commands: list[Command] = []
        successor, base = current, None if current is None else decompress(current)
        for replaced, document in self._contents(key, current, _up_to_whole(versions)):
            if successor is not None and base is not None and document is not None and not replaced.is_delta:
                smaller = _smallest(replaced, document, base)
                digests = [_digest(replaced.element), _digest(successor)]
                names = [self._keys.versions(key), self._keys.document(key)]
                commands.append(self._compact_version.command(names, [*digests, smaller]))
            successor, base = replaced.element, document
        return commands[::-1]

    def _compactions_of_rows(self, key: ScheduleKey, elements: Sequence[bytes]) -> list[Command]:
        if not elements[1:]:
            return []
        packed = compress(b"\n".join(_rows(elements)))
        arguments: Arguments = [len(elements), _digest(b"".join(elements)), packed]
        return [self._compact_rows.command([self._keys.history(key)], arguments)]


def _rows(elements: Iterable[bytes]) -> list[bytes]:
    """The latest rows. An element is a row, or several that were compacted; a row has no line end."""
    return [row for element in elements for row in decompress(element).split(b"\n")][:VERSIONS_LISTED]


def _parse(element: bytes) -> _Replaced:
    line, _, stored = element.partition(b"\n")
    header, _, form = line.rpartition(b" ")
    return _Replaced(element, header, form == _DELTA, stored)


def _up_to_whole(versions: Sequence[_Replaced]) -> Sequence[_Replaced]:
    """Without the oldest ones, which are deltas already."""
    last = max((place for place, replaced in enumerate(versions) if not replaced.is_delta), default=-1)
    return versions[: last + 1]


def _smallest(replaced: _Replaced, document: bytes, base: bytes) -> bytes:
    """A delta, or the whole document if that is smaller."""
    forms = {_DELTA: render_delta(document, base), _WHOLE: compress(document)}
    form = min(forms, key=lambda form: len(forms[form]))
    return replaced.header + b" " + form + b"\n" + forms[form]


def _digest(stored: bytes) -> str:
    return sha1(stored, usedforsecurity=False).hexdigest()
