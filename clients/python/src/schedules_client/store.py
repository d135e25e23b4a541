"""The local copy: one SQLite file with the documents, the names of services, and the place in the feed.

A document, the removals and the cursor of a batch are one transaction, which is on disk when :meth:`Store.save`
returns. Readers, also of other processes, are never blocked. ``schedules.document`` is the JSON of the service, so
``sqlite3 schedules.db`` can read it, too.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple

from schedules_client.errors import StoreError, StoreInUse
from schedules_client.model import Change
from schedules_client.steps import Batch, Document, Held, Key, State, Version

_APPLICATION: Final = 0x53434844
_RELEASE: Final = 1
_MOST_REMOVALS: Final = 50_000
_PATIENCE_SECONDS: Final = 30.0
_BEGIN = """
CREATE TABLE schedules (
    sid TEXT NOT NULL, date TEXT NOT NULL, seq INTEGER NOT NULL, etag TEXT NOT NULL, published_at TEXT NOT NULL,
    validator TEXT NOT NULL, revision INTEGER NOT NULL,
    document TEXT,  -- NULL: removed
    PRIMARY KEY (sid, date)
);
CREATE UNIQUE INDEX schedules_by_revision ON schedules (revision);
CREATE INDEX schedules_by_date ON schedules (date, sid);
CREATE TABLE services (sid TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value NOT NULL);
"""
_WITHIN = """
SELECT sid, date FROM schedules
WHERE document IS NOT NULL AND (? IS NULL OR sid = ?) AND date >= ifnull(?, '') AND date <= ifnull(?, '9999-99-99')
ORDER BY sid, date
"""
_VERSIONS = """
SELECT date, seq, etag, published_at FROM schedules
WHERE document IS NOT NULL AND sid = ? AND date >= ifnull(?, '') AND date <= ifnull(?, '9999-99-99')
ORDER BY date
"""


class StoredVersion(NamedTuple):
    """The version of one schedule; ``published_at`` as the service spells it."""

    date: str
    seq: int
    etag: str
    published_at: str


class Store:
    """Raises :class:`StoreError` if the file cannot be used. One value may be used by several threads."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = RLock()
        try:
            self._database = sqlite3.connect(
                self.path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise StoreError(f"cannot open {self.path}: {error}. Does its directory exist?") from None
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        with self._transaction() as database:
            (application,) = database.execute("PRAGMA application_id").fetchone()
            (release,) = database.execute("PRAGMA user_version").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not (application or release or tables):
                for statement in _BEGIN.split(";"):
                    database.execute(statement)
                database.execute(f"PRAGMA application_id = {_APPLICATION}")
                database.execute(f"PRAGMA user_version = {_RELEASE}")
            elif application != _APPLICATION:
                raise StoreError(f"{self.path} belongs to another program: name another file")
            elif release != _RELEASE:
                raise StoreError(
                    f"{self.path} was made by another release of this library: delete it and sync again"
                )
        self._rows("PRAGMA journal_mode = WAL")
        self._rows("PRAGMA synchronous = FULL")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # What the conversation needs.

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For as long as one conversation keeps the store current. A lock that ends with the process.

        Raises :class:`StoreInUse` if another conversation does.
        """
        lock = sqlite3.connect(f"{self.path}.lock", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error:
                raise StoreInUse(
                    f"{self.path} is being kept current already, by another process or loop: read it, and stop that "
                    "one if you want to take over"
                ) from None
            yield
        finally:
            lock.close()

    def load(self, source: str) -> State:
        """``source``: which service and key. A cursor of another one is not used."""
        rows = self._rows(
            "SELECT sid, date, seq, etag, published_at, validator FROM schedules WHERE document IS NOT NULL"
        )
        held = {Key(sid, day): Held(Version(*version), tag) for sid, day, *version, tag in rows}
        values: dict[str, Any] = dict(self._rows("SELECT name, value FROM state"))
        named = frozenset(sid for (sid,) in self._rows("SELECT sid FROM services"))
        if values.get("source") != source:
            return State(held=held, named=named)
        return State(
            values.get("cursor", ""),
            values.get("digest_tag", ""),
            values.get("services_tag", ""),
            values.get("checked_at", 0.0),
            held,
            named,
        )

    def save(self, batch: Batch, source: str) -> tuple[Change, ...]:
        """All of the batch or nothing. Returns the schedules whose version changed."""
        with self._transaction() as database:
            revision = _revision(database)
            changes: list[Change] = []
            for document in batch.documents:
                if _is_new(database, document):
                    changes.append(_put(database, document, revision + len(changes) + 1))
            for key in batch.removed:
                changes.extend(_remove(database, key, revision + len(changes) + 1))
            if batch.services is not None:
                database.execute("DELETE FROM services")
                rows = [(service["sid"], json.dumps(service)) for service in batch.services]
                database.executemany("INSERT OR REPLACE INTO services VALUES (?, ?)", rows)
            database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", _state(batch, source))
            database.execute(
                "DELETE FROM schedules WHERE document IS NULL AND revision <= ?",
                (revision + len(changes) - _MOST_REMOVALS,),
            )
        return tuple(changes)

    # What readers need.

    def revision(self) -> int:
        """The number of the latest change; 0 in an empty store."""
        with self._lock:
            return _revision(self._database)

    def changes(self, after: int) -> list[Change]:
        """What changed after a revision: each schedule once, with its latest change."""
        rows = self._rows(
            "SELECT sid, date, seq, document IS NULL, revision FROM schedules WHERE revision > ? ORDER BY revision",
            after,
        )
        return [
            Change(sid, date.fromisoformat(day), seq, bool(gone), number)
            for sid, day, seq, gone, number in rows
        ]

    def document(self, sid: str, day: str) -> Mapping[str, Any] | None:
        rows = self._rows("SELECT document FROM schedules WHERE sid = ? AND date = ?", sid, day)
        return json.loads(rows[0][0]) if rows and rows[0][0] is not None else None

    def documents(
        self, sid: str | None = None, first: str | None = None, last: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """By service, then by date; ``last`` is included. Each is read when it is asked for."""
        for one, day in self._rows(_WITHIN, sid, sid, first, last):
            document = self.document(one, day)
            if document is not None:
                yield document

    def days(self) -> list[tuple[str, str, str, int]]:
        """Of each service with schedules: its sid, the first and the last date, and how many there are."""
        return self._rows(
            "SELECT sid, min(date), max(date), count(*) FROM schedules WHERE document IS NOT NULL "
            "GROUP BY sid ORDER BY sid"
        )

    def versions(self, sid: str, first: str | None = None, last: str | None = None) -> list[StoredVersion]:
        """Of the schedules of one service, by date."""
        rows = self._rows(_VERSIONS, sid, first, last)
        return [StoredVersion(*row) for row in rows]

    def service_documents(self) -> dict[str, Mapping[str, Any]]:
        return {sid: json.loads(text) for sid, text in self._rows("SELECT sid, document FROM services")}

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, self._explained():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the store {self.path} cannot be used: {error}") from error


def _revision(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT value FROM state WHERE name = 'revision'").fetchone()
    return row[0] if row else 0


def _is_new(database: sqlite3.Connection, document: Document) -> bool:
    """False for a version that the store has; only its validator is noted then."""
    updated = database.execute(
        "UPDATE schedules SET validator = ? WHERE sid = ? AND date = ? AND seq = ? AND etag = ? AND published_at = ? "
        "AND document IS NOT NULL",
        (document.held.validator, *document.key, *document.held.version),
    )
    return updated.rowcount == 0


def _put(database: sqlite3.Connection, document: Document, revision: int) -> Change:
    row = (*document.key, *document.held.version, document.held.validator, revision, document.text)
    database.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    _note_revision(database, revision)
    return Change(
        document.key.sid, date.fromisoformat(document.key.date), document.held.version.seq, False, revision
    )


def _remove(database: sqlite3.Connection, key: Key, revision: int) -> Sequence[Change]:
    """The row stays without its document, so that readers who come later hear of the removal."""
    rows = database.execute(
        "UPDATE schedules SET document = NULL, validator = '', revision = ? "
        "WHERE sid = ? AND date = ? AND document IS NOT NULL RETURNING seq",
        (revision, *key),
    ).fetchall()
    if rows:
        _note_revision(database, revision)
    return [Change(key.sid, date.fromisoformat(key.date), seq, True, revision) for (seq,) in rows]


def _note_revision(database: sqlite3.Connection, revision: int) -> None:
    database.execute("INSERT OR REPLACE INTO state VALUES ('revision', ?)", (revision,))


def _state(batch: Batch, source: str) -> list[tuple[str, Any]]:
    """Tags and the cursor count for one source only, so they are noted together with it."""
    values = {
        "cursor": batch.cursor,
        "digest_tag": batch.digest_tag,
        "checked_at": batch.checked_at,
        "services_tag": batch.services_tag,
        "source": None if batch.cursor is None else source,
    }
    return [(name, value) for name, value in values.items() if value is not None]
