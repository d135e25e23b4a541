"""Files for collectors: one file for each schedule and format, manifests of changes, and full manifests.

A turn writes schedules, removals, the manifest, the pointer, and last the subscription's position. After a death in
between, files exist that no manifest lists yet, or a manifest that the pointer does not name. The next turn begins at
the same position, covers at least the same rows and writes all of it again. If a slow process has put an older pointer
back, the next turn begins at that pointer's end.

A full manifest writes every file anew and deletes strays, which repairs any earlier damage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.documents.delivered_file import PUBLISHED_DOCUMENT, FileFormat
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed, place
from schedules_pipeline.push.file_manifest import Manifest, ManifestLink, Pointer, RemovedSchedule
from schedules_pipeline.push.file_writer import Documents, FileWriter
from schedules_pipeline.push.ports import FileStore
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Progress
from schedules_pipeline.push.turn import Turn

_MOST_ROWS = 2_000
_MOST_UPDATES = 1_500
"""After this many updates a full manifest is due, so that the pointer stays small."""


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """``full_every``: how often all files are written. ``update_every``: the shortest time between two updates."""

    full_every: timedelta = timedelta(hours=24)
    update_every: timedelta = timedelta(seconds=60)

    def is_full_due(self, progress: Progress, now: datetime) -> bool:
        return progress.full_at is None or now - progress.full_at >= self.full_every


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One turn's partner and keyspace, and the writer of its files."""

    turn: Turn
    partner: Partner
    epoch: str
    writer: FileWriter

    def may_see(self, key: ScheduleKey) -> bool:
        return self.partner.may_see(key.sid)

    def cursor_at(self, position: str) -> str:
        return render_cursor(FeedCursor(self.epoch, position))


@dataclass(frozen=True, slots=True)
class _Update:
    """The latest change of every schedule of the partner's between two positions, and the pointer to extend."""

    pointer: Pointer
    begin: str
    end: str
    changes: Mapping[ScheduleKey, Change]


@dataclass(frozen=True, slots=True)
class FilesPush:
    """``files``: None if no bucket is configured."""

    feed: ChangeFeed
    rows: SharedRows
    documents: Documents
    files: FileStore | None
    policy: FilePolicy = FilePolicy()
    formats: Mapping[str, FileFormat] = field(default_factory=lambda: {"json": PUBLISHED_DOCUMENT})

    def push(self, turn: Turn, partner: Partner, epoch: str) -> None:
        """Write the changed schedules, or all of them if that is due.

        Raises :class:`ServiceError` if the bucket does not answer, and :class:`ConfigurationError` if none is
        configured or a format is unknown.
        """
        delivery = _Delivery(turn, partner, epoch, self._writer(turn))
        update = self._plan_update(delivery)
        if update is None:
            self._write_full(delivery)
        elif update.begin != update.end:
            self._write_update(delivery, update)

    def _writer(self, turn: Turn) -> FileWriter:
        if self.files is None:
            raise ConfigurationError(
                "no files can be written: set SCHEDULES_FILES_BUCKET for the process that pushes"
            )
        names = turn.subscription.formats
        if unknown := [name for name in names if name not in self.formats]:
            raise ConfigurationError(f"no such format of files: {', '.join(unknown)}")
        return FileWriter(self.files, turn, {name: self.formats[name] for name in names})

    def _plan_update(self, delivery: _Delivery) -> _Update | None:
        """None if all files have to be written."""
        pointer = delivery.writer.read_pointer()
        if pointer is None or self._is_full_due(delivery, pointer):
            return None
        begin = min(pointer.end, delivery.turn.progress.position, key=place)
        changes: dict[ScheduleKey, Change] = {}
        end, read = begin, 0
        while read < _MOST_ROWS:
            rows = self.rows.after(end, delivery.epoch)
            if rows is None:
                return None
            if not rows:
                break
            changes |= {row.change.key: row.change for row in rows if delivery.may_see(row.change.key)}
            end, read = rows[-1].position, read + len(rows)
        return _Update(pointer, begin, end, changes)

    def _is_full_due(self, delivery: _Delivery, pointer: Pointer) -> bool:
        turn = delivery.turn
        written_for = (pointer.epoch, pointer.services, pointer.formats)
        if written_for != (delivery.epoch, delivery.partner.services, turn.subscription.formats):
            return True
        if self.policy.is_full_due(turn.progress, turn.now) or turn.progress.epoch != delivery.epoch:
            return True
        return len(pointer.updates) >= _MOST_UPDATES

    def _write_update(self, delivery: _Delivery, update: _Update) -> None:
        """Without changes for the partner only the pointer moves."""
        pointer = update.pointer
        if update.changes:
            name = delivery.writer.put_manifest(self._put_changes(delivery, update))
            pointer = pointer.with_update(ManifestLink(name, update.begin, update.end))
        end = max(pointer.end, update.end, key=place)
        delivery.writer.put_pointer(replace(pointer, end=end, cursor=delivery.cursor_at(end)))
        if update.changes:
            delivery.turn.write_delivered(self._progress_at(delivery, update.end))
        else:
            delivery.turn.write(self._next_update(delivery, delivery.turn.progress.moved_to(update.end)))

    def _put_changes(self, delivery: _Delivery, update: _Update) -> Manifest:
        written = list(delivery.writer.put_schedules(update.changes, self.documents))
        published = {(schedule.sid, schedule.date) for schedule in written}
        gone = [change for key, change in update.changes.items() if key not in published]
        for change in gone:
            delivery.writer.delete_schedule(change.key)
        removed = [RemovedSchedule(c.key.sid, c.key.date, c.seq) for c in gone]
        cursor = delivery.cursor_at(update.end)
        return Manifest(update.begin, update.end, cursor, delivery.turn.now, written, removed)

    def _write_full(self, delivery: _Delivery) -> None:
        """The documents are read after the feed's last position, so none is older than the manifest's end.

        Files are listed before they are written: a process that has taken the lease in between may already write
        files of newer schedules, which must not be deleted as strays.
        """
        end = self.feed.last_position()
        heads = self.feed.heads()
        keys = sorted(k for k, change in heads.items() if not change.is_removal and delivery.may_see(k))
        listed = delivery.writer.list_schedules()
        written = list(delivery.writer.put_schedules(keys, self.documents))
        delivery.writer.delete_strays(listed, written)
        turn, cursor = delivery.turn, delivery.cursor_at(end)
        now = turn.now
        full = ManifestLink(delivery.writer.put_manifest(Manifest(None, end, cursor, now, written)), "", end)
        services, formats = delivery.partner.services, turn.subscription.formats
        delivery.writer.put_pointer(Pointer(delivery.epoch, end, cursor, services, formats, full, now, ()))
        turn.write_delivered(replace(self._progress_at(delivery, end), full_at=now))

    def _progress_at(self, delivery: _Delivery, end: str) -> Progress:
        turn = delivery.turn
        return self._next_update(delivery, turn.progress.delivered(end, delivery.epoch, turn.now))

    def _next_update(self, delivery: _Delivery, progress: Progress) -> Progress:
        """The next update waits a little, so that many changes share one manifest."""
        return replace(progress.recovered(), next_at=delivery.turn.now + self.policy.update_every)
