"""Writing one subscription's files below its prefix, while its turn holds the lease."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from schedules_pipeline.documents.delivered_file import MEDIA_TYPE, FileFormat, render_file
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.push.file_manifest import (
    POINTER,
    DeliveredFile,
    DeliveredSchedule,
    Manifest,
    Pointer,
    parse_pointer,
    render_manifest,
    render_pointer,
)
from schedules_pipeline.push.ports import FILE_STORE_TIMEOUT, FileStore
from schedules_pipeline.push.turn import Turn

Documents = Callable[[Sequence[ScheduleKey]], Mapping[ScheduleKey, bytes]]
"""From schedules to their published documents; schedules without one are left out."""

_JSON = "application/json"
_SCHEDULES = "schedules/"
_READ_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class FileWriter:
    """Before each write the lease is extended to cover it. So no file is written after another process has the lease,
    nor long after this process was asked to stop.
    """

    store: FileStore
    turn: Turn
    formats: Mapping[str, FileFormat]

    def read_pointer(self) -> Pointer | None:
        """None if there is no pointer, or it cannot be decoded."""
        content = self.store.read(self._path(POINTER))
        try:
            return None if content is None else parse_pointer(content)
        except InvalidRecord:
            return None

    def put_pointer(self, pointer: Pointer) -> None:
        self._put(POINTER, render_pointer(pointer), _JSON)

    def put_manifest(self, manifest: Manifest) -> str:
        """Returns the manifest's name."""
        name, content = render_manifest(manifest)
        self._put(name, content, _JSON)
        return name

    def put_schedules(self, keys: Iterable[ScheduleKey], documents: Documents) -> Iterator[DeliveredSchedule]:
        """Write the current document of each schedule that has one."""
        remaining = iter(keys)
        while batch := list(islice(remaining, _READ_AT_ONCE)):
            found = documents(batch)
            yield from (self._put_schedule(key, found[key]) for key in batch if key in found)

    def delete_schedule(self, key: ScheduleKey) -> None:
        for file_format in self.formats.values():
            self._delete(self._path(_file_name(key, file_format)))

    def list_schedules(self) -> set[str]:
        return set(self.store.names(self._path(_SCHEDULES)))

    def delete_strays(self, listed: set[str], schedules: Sequence[DeliveredSchedule]) -> None:
        """Delete the listed files that do not belong to one of these schedules."""
        belonging = {self._path(file.name) for schedule in schedules for file in schedule.files}
        for stray in sorted(listed - belonging):
            self._delete(stray)

    def _put_schedule(self, key: ScheduleKey, document: bytes) -> DeliveredSchedule:
        publication, _ = split_document(document)
        files = []
        for format_name, file_format in self.formats.items():
            name, content = _file_name(key, file_format), render_file(file_format, document)
            self._put(name, content, MEDIA_TYPE)
            digest = hashlib.sha256(content).hexdigest()
            files.append(DeliveredFile(format_name, name, len(content), digest))
        published = (publication.seq, publication.etag, publication.published_at)
        return DeliveredSchedule(key.sid, key.date, *published, tuple(files))

    def _put(self, name: str, content: bytes, media_type: str) -> None:
        self.turn.secure(FILE_STORE_TIMEOUT)
        self.store.put(self._path(name), content, media_type)

    def _delete(self, path: str) -> None:
        self.turn.secure(FILE_STORE_TIMEOUT)
        self.store.delete(path)

    def _path(self, name: str) -> str:
        return f"{self.turn.subscription.target}/{name}"


def _file_name(key: ScheduleKey, file_format: FileFormat) -> str:
    return f"{_SCHEDULES}{key}.{file_format.suffix}.gz"
