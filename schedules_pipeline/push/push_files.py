"""Files for collectors: each schedule as a file, manifests of what changed, at times a manifest of everything.

The order of writing is: schedules, removals, the manifest, the pointer, and last our own place in the feed. Who dies in
between leaves files that no manifest names yet, or a manifest that the pointer does not; the next turn begins at the
same place, covers at least the same rows, and writes it all again. The pointer says up to where it leads: where it was
put back by a turn that was too slow to notice that it had been overtaken, the next one begins there.

A full manifest writes every file anew and deletes what does not belong, so it mends whatever went wrong before it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from schedules_pipeline.documents.delivered_file import (
    MEDIA_TYPE,
    PUBLISHED_DOCUMENT,
    FileFormat,
    render_file,
)
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError, InvalidRecord
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed, place
from schedules_pipeline.push.file_manifest import (
    POINTER,
    DeliveredFile,
    DeliveredSchedule,
    Manifest,
    ManifestLink,
    Pointer,
    RemovedSchedule,
    parse_pointer,
    render_manifest,
    render_pointer,
)
from schedules_pipeline.push.ports import SHELF_GIVES_UP_AFTER, FileStore
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Progress
from schedules_pipeline.push.turn import Turn

RenderCursor = Callable[[str, str], str]
Documents = Callable[[Sequence[ScheduleKey]], Mapping[ScheduleKey, bytes]]
"""The published documents, of those that have one."""

_JSON = "application/json"
_FILES = "schedules/"
_MOST_ROWS = 2_000
_READ_AT_ONCE = 50
_MOST_UPDATES = 1_500
"""Of one full manifest; then the next is due, so that the pointer stays small."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """``full_every``: how often everything is written. ``update_every``: how soon after an update the next may be."""

    full_every: timedelta = timedelta(hours=24)
    update_every: timedelta = timedelta(seconds=60)

    def is_full_due(self, progress: Progress, now: datetime) -> bool:
        return progress.full_at is None or now - progress.full_at >= self.full_every


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a subscription's files are, and for whom."""

    turn: Turn
    partner: Partner
    epoch: str

    def named(self, name: str) -> str:
        return f"{self.turn.subscription.target}/{name}"


@dataclass(frozen=True, slots=True)
class FilesPush:
    """``shelf``: None where there is no bucket."""

    feed: ChangeFeed
    rows: SharedRows
    documents: Documents
    shelf: FileStore | None
    render_cursor: RenderCursor
    rules: FileRules = FileRules()
    formats: Mapping[str, FileFormat] = field(default_factory=lambda: {"json": PUBLISHED_DOCUMENT})

    def push(self, turn: Turn, partner: Partner, epoch: str) -> None:
        """Write what changed, or everything where that is due. Raises :class:`ServiceError` where the bucket does not
        answer, and :class:`ConfigurationError` where there is none, or a format is unknown.
        """
        if self.shelf is None:
            raise ConfigurationError(
                "no files can be written: set SCHEDULES_FILES_BUCKET where files are pushed"
            )
        _Round(self, self.shelf, _Place(turn, partner, epoch)).go()


@dataclass(frozen=True, slots=True)
class _Round:
    push: FilesPush
    shelf: FileStore
    at: _Place

    def go(self) -> None:
        pointer = self._pointer()
        if pointer is None or self._is_full_due(pointer):
            self._write_full()
            return
        begin = min(pointer.end, self.at.turn.progress.position, key=place)
        found = self._changes(begin)
        if found is None:
            self._write_full()
        elif place(found[1]) > place(begin):
            self._write_update(pointer, begin, *found)

    def _pointer(self) -> Pointer | None:
        """None where there is none that can be gone on from."""
        content = self.shelf.read(self.at.named(POINTER))
        if content is None:
            return None
        try:
            return parse_pointer(content)
        except InvalidRecord:
            return None

    def _is_full_due(self, pointer: Pointer) -> bool:
        turn, rules = self.at.turn, self.push.rules
        written_for = (pointer.epoch, pointer.services, pointer.formats)
        if written_for != (self.at.epoch, self.at.partner.services, turn.subscription.formats):
            return True
        if rules.is_full_due(turn.progress, turn.now) or turn.progress.epoch != self.at.epoch:
            return True
        return len(pointer.updates) >= _MOST_UPDATES

    def _changes(self, begin: str) -> tuple[dict[ScheduleKey, Change], str] | None:
        """The latest row of every schedule that changed after a position and is the partner's, and the position up
        to which that is so; None where rows are gone.
        """
        changes: dict[ScheduleKey, Change] = {}
        end, read = begin, 0
        while read < _MOST_ROWS:
            rows = self.push.rows.after(end, self.at.epoch)
            if rows is None:
                return None
            if not rows:
                break
            changes |= {row.change.key: row.change for row in rows if self._is_theirs(row.change.key)}
            end, read = rows[-1].position, read + len(rows)
        return changes, end

    def _is_theirs(self, key: ScheduleKey) -> bool:
        return self.at.partner.may_see(key.sid)

    def _write_update(
        self, pointer: Pointer, begin: str, changes: Mapping[ScheduleKey, Change], end: str
    ) -> None:
        """Where nothing of theirs changed only the pointer moves on."""
        updates = pointer.updates
        if changes:
            written = list(self._put_schedules(changes))
            there = {(schedule.sid, schedule.date) for schedule in written}
            gone = [change for key, change in changes.items() if key not in there]
            for change in gone:
                self._delete(change.key)
            removed = [RemovedSchedule(c.key.sid, c.key.date, c.seq) for c in gone]
            name = self._put_manifest(
                Manifest(begin, end, self._cursor(end), self.at.turn.now, written, removed)
            )
            updates = pointer.with_update(ManifestLink(name, begin, end))
        furthest = max(pointer.end, end, key=place)
        self._point(replace(pointer, end=furthest, cursor=self._cursor(furthest), updates=updates))
        self._done(end, is_told=bool(changes))

    def _write_full(self) -> None:
        """Everything is read after the place is taken, so nothing in it is older than that."""
        end = self.push.feed.last_position()
        heads = self.push.feed.heads()
        keys = sorted(k for k, change in heads.items() if not change.is_removal and self._is_theirs(k))
        strays = set(self.shelf.names(self.at.named(_FILES)))
        written = list(self._put_schedules(keys))
        belonging = {self.at.named(file.name) for schedule in written for file in schedule.files}
        for stray in sorted(strays - belonging):
            self._secure()
            self.shelf.delete(stray)
        now, cursor = self.at.turn.now, self._cursor(end)
        full = ManifestLink(self._put_manifest(Manifest(None, end, cursor, now, written)), "", end)
        services, formats = self.at.partner.services, self.at.turn.subscription.formats
        self._point(Pointer(self.at.epoch, end, cursor, services, formats, full, now))
        self.at.turn.progress = replace(self.at.turn.progress, full_at=now)
        self._done(end, is_told=True)

    def _put_schedules(self, keys: Iterable[ScheduleKey]) -> Iterator[DeliveredSchedule]:
        """Those that are published now, as they are now."""
        left = iter(keys)
        while some := list(islice(left, _READ_AT_ONCE)):
            documents = self.push.documents(some)
            for key in some:
                if key in documents:
                    yield self._put_schedule(key, documents[key])

    def _put_schedule(self, key: ScheduleKey, document: bytes) -> DeliveredSchedule:
        publication, _ = split_document(document)
        files = tuple(
            self._put_file(format_name, _file_name(key, file_format), render_file(file_format, document))
            for format_name, file_format in self._formats()
        )
        published = (publication.seq, publication.etag, publication.published_at)
        return DeliveredSchedule(key.sid, key.date, *published, files)

    def _put_file(self, format_name: str, name: str, content: bytes) -> DeliveredFile:
        self._secure()
        self.shelf.put(self.at.named(name), content, MEDIA_TYPE)
        return DeliveredFile(format_name, name, len(content), hashlib.sha256(content).hexdigest())

    def _delete(self, key: ScheduleKey) -> None:
        for _, file_format in self._formats():
            self._secure()
            self.shelf.delete(self.at.named(_file_name(key, file_format)))

    def _formats(self) -> Sequence[tuple[str, FileFormat]]:
        names = self.at.turn.subscription.formats
        unknown = [name for name in names if name not in self.push.formats]
        if unknown:
            raise ConfigurationError(f"no such format of files: {', '.join(unknown)}")
        return [(name, self.push.formats[name]) for name in names]

    def _put_manifest(self, manifest: Manifest) -> str:
        name, content = render_manifest(manifest)
        self._secure()
        self.shelf.put(self.at.named(name), content, _JSON)
        return name

    def _point(self, pointer: Pointer) -> None:
        self._secure()
        self.shelf.put(self.at.named(POINTER), render_pointer(pointer), _JSON)

    def _done(self, end: str, *, is_told: bool) -> None:
        """What comes next waits a little, so that many changes make one manifest."""
        turn = self.at.turn
        if is_told:
            turn.deliver(end, self.at.epoch)
        next_at = turn.now + self.push.rules.update_every
        turn.progress = replace(turn.progress.healed().passed(end), next_at=next_at)

    def _secure(self) -> None:
        """Nothing is written that could arrive after the lease is over, nor long after this process was to end."""
        self.at.turn.go_on()
        self.at.turn.secure(SHELF_GIVES_UP_AFTER)

    def _cursor(self, position: str) -> str:
        return self.push.render_cursor(self.at.epoch, position)


def _file_name(key: ScheduleKey, file_format: FileFormat) -> str:
    return f"{_FILES}{key}.{file_format.suffix}.gz"
