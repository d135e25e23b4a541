"""Files of whole Redis keyspaces, in a plain, readable form.

Belongs here: the form of the file. Does not belong here: the meaning of any key, and reading and writing a server
(``keyspace_server``). Only the standard library is imported, so that any version of the pipeline can use this module.

A file is gzipped JSON. It holds bytes as text if they are UTF-8, otherwise as ``{"base64": ...}``.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry of a stream that was delivered to a consumer and is not acknowledged."""

    id: str
    consumer: str
    idle_seconds: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group. ``entries_read`` is None if the server does not know it. Deliveries of trimmed entries are
    left out, because the server cannot deliver such an entry again.
    """

    name: str
    last_delivered_id: str
    entries_read: int | None
    consumers: tuple[str, ...]
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries by id, each with its fields in order, and the stream's own counters."""

    entries: tuple[tuple[str, tuple[tuple[bytes, bytes], ...]], ...]
    last_id: str
    entries_added: int
    max_deleted_id: str
    groups: tuple[Group, ...]


Value = bytes | dict[bytes, bytes] | dict[bytes, float] | list[bytes] | set[bytes] | Stream
"""Of a string, a hash, a sorted set (members with their scores), a list, a set and a stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key. ``type`` is the answer of the command TYPE; ``ttl`` is in seconds, None if the key does not expire."""

    key: str
    type: str
    value: Value
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An object of the bucket of schedule documents."""

    key: str
    last_modified: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """The published version of a schedule. A removed one has its number, an empty ``etag``, and no ``content``."""

    seq: int
    etag: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Fixture:
    """A keyspace as it was written.

    ``entries``: by key, in order. ``sources``: the objects of the bucket at ``now``, by object key.
    ``earlier_sources``: documents that were replaced or removed before, the oldest first, among them the last good
    document of each schedule whose newest was rejected. ``documents``: every schedule that was ever published, by
    ``sid/date``. ``settings``: by name. ``partner_keys``: the text of each partner's newest key; it is invented, as
    everything here. ``cast``: the schedule, item or message for each role, by a word.
    """

    written_by: str
    now: datetime
    entries: Mapping[str, Entry]
    sources: Mapping[str, Source]
    earlier_sources: tuple[Source, ...]
    documents: Mapping[str, Published]
    settings: Mapping[str, Any]
    partner_keys: Mapping[str, str]
    cast: Mapping[str, str]


def load_fixture(path: Path | str) -> Fixture:
    """Read a file of :func:`save_fixture`. Raises ``ValueError`` for a file of another form."""
    with gzip.open(path, "rb") as file:
        written = json.load(file)
    if written.get("format") != FORMAT:
        raise ValueError(f"{path}: form {written.get('format')!r}, and only {FORMAT} can be read")
    entries = {entry.key: entry for entry in map(_parse_entry, written["entries"])}
    return Fixture(
        written_by=written["written_by"],
        now=datetime.fromisoformat(written["now"]),
        entries=entries,
        sources={source.key: source for source in map(_parse_source, written["sources"])},
        earlier_sources=tuple(map(_parse_source, written["earlier_sources"])),
        documents={key: _parse_published(found, entries) for key, found in written["documents"].items()},
        settings=written["settings"],
        partner_keys=written["partner_keys"],
        cast=written["cast"],
    )


def save_fixture(fixture: Fixture, document_keys: Mapping[str, str], path: Path | str) -> None:
    """Equal fixtures give equal files. ``document_keys``: the Redis key of each schedule's document, by
    ``sid/date``; the file names that key rather than repeating the document.
    """
    written = {
        "format": FORMAT,
        "written_by": fixture.written_by,
        "now": fixture.now.isoformat(),
        "settings": fixture.settings,
        "cast": fixture.cast,
        "partner_keys": fixture.partner_keys,
        "documents": {
            key: {
                "seq": p.seq,
                "etag": p.etag,
                "stored_at": None if p.content is None else document_keys[key],
            }
            for key, p in sorted(fixture.documents.items())
        },
        "sources": [_render_source(fixture.sources[key]) for key in sorted(fixture.sources)],
        "earlier_sources": [_render_source(source) for source in fixture.earlier_sources],
        "entries": [_render_entry(fixture.entries[key]) for key in sorted(fixture.entries)],
    }
    text = json.dumps(written, ensure_ascii=False, indent=0)
    Path(path).write_bytes(gzip.compress(text.encode(), mtime=0))


def _render_bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _parse_bytes(written: Any) -> bytes:
    return written.encode() if isinstance(written, str) else base64.b64decode(written["base64"])


def _render_entry(entry: Entry) -> dict[str, Any]:
    rendered: dict[str, Any] = {"key": entry.key, "type": entry.type}
    if entry.ttl is not None:
        rendered["ttl"] = entry.ttl
    return {**rendered, "value": _render_value(entry.value)}


def _render_value(value: Value) -> Any:
    match value:
        case bytes():
            return _render_bytes(value)
        case list():
            return [_render_bytes(item) for item in value]
        case set():
            return [_render_bytes(item) for item in sorted(value)]
        case Stream():
            return _render_stream(value)
        case _:
            return [
                [_render_bytes(name), _render_bytes(held) if isinstance(held, bytes) else held]
                for name, held in value.items()
            ]


def _render_stream(stream: Stream) -> dict[str, Any]:
    return {
        "entries": [
            [id_, [[_render_bytes(name), _render_bytes(value)] for name, value in fields]]
            for id_, fields in stream.entries
        ],
        "last_id": stream.last_id,
        "entries_added": stream.entries_added,
        "max_deleted_id": stream.max_deleted_id,
        "groups": [
            {
                "name": group.name,
                "last_delivered_id": group.last_delivered_id,
                "entries_read": group.entries_read,
                "consumers": list(group.consumers),
                "pending": [[p.id, p.consumer, p.idle_seconds, p.deliveries] for p in group.pending],
            }
            for group in stream.groups
        ],
    }


def _parse_entry(written: Mapping[str, Any]) -> Entry:
    return Entry(
        written["key"], written["type"], _parse_value(written["type"], written["value"]), written.get("ttl")
    )


def _parse_value(type_: str, written: Any) -> Value:
    match type_:
        case "string":
            return _parse_bytes(written)
        case "hash":
            return {_parse_bytes(name): _parse_bytes(value) for name, value in written}
        case "zset":
            return {_parse_bytes(member): float(score) for member, score in written}
        case "list":
            return [_parse_bytes(item) for item in written]
        case "set":
            return {_parse_bytes(item) for item in written}
        case "stream":
            return _parse_stream(written)
        case _:
            raise ValueError(f"a {type_} cannot be read")


def _parse_stream(written: Mapping[str, Any]) -> Stream:
    return Stream(
        entries=tuple(
            (id_, tuple((_parse_bytes(name), _parse_bytes(value)) for name, value in fields))
            for id_, fields in written["entries"]
        ),
        last_id=written["last_id"],
        entries_added=written["entries_added"],
        max_deleted_id=written["max_deleted_id"],
        groups=tuple(
            Group(
                group["name"],
                group["last_delivered_id"],
                group["entries_read"],
                tuple(group["consumers"]),
                tuple(Pending(*pending) for pending in group["pending"]),
            )
            for group in written["groups"]
        ),
    )


def _render_source(source: Source) -> dict[str, Any]:
    return {
        "key": source.key,
        "last_modified": source.last_modified.isoformat(),
        "content": _render_bytes(source.content),
    }


def _parse_source(written: Mapping[str, Any]) -> Source:
    modified = datetime.fromisoformat(written["last_modified"])
    return Source(written["key"], modified, _parse_bytes(written["content"]))


def _parse_published(written: Mapping[str, Any], entries: Mapping[str, Entry]) -> Published:
    where = written["stored_at"]
    content = None if where is None else entries[where].value
    assert content is None or isinstance(content, bytes)
    return Published(written["seq"], written["etag"], content)
