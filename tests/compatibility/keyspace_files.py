"""Reads and writes whole Redis keyspaces in a plain, readable form, and restores one into an empty server.

Belongs here: the form of the file, reading every key of a server into it, and writing it back. Does not belong here:
what any key means. It depends on redis-py and the standard library alone, so that any version of us can use it.

A file is gzipped JSON. Bytes stand in it as text where they are UTF-8, otherwise as ``{"base64": ...}``. Clients that
are given here must answer with bytes (``decode_responses=False``) and speak RESP2, as redis-py does by default.
"""

import base64
import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from redis import Redis

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry of a stream that was delivered to a consumer, and is not confirmed."""

    id: str
    consumer: str
    idle_seconds: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group. ``entries_read`` is None where the server does not know it. A delivery of an entry that was
    trimmed since is left out: nobody can be given it again.
    """

    name: str
    last_delivered_id: str
    entries_read: int | None
    consumers: tuple[str, ...]
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries by id, each with its fields in order, and what else a stream remembers."""

    entries: tuple[tuple[str, tuple[tuple[bytes, bytes], ...]], ...]
    last_id: str
    entries_added: int
    max_deleted_id: str
    groups: tuple[Group, ...]


Value = bytes | dict[bytes, bytes] | dict[bytes, float] | list[bytes] | set[bytes] | Stream
"""Of a string, a hash, a sorted set (members with their scores), a list, a set and a stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key. ``type`` as the command TYPE says it. ``ttl``: the seconds that it had left, None without an end."""

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
    """What partners see of a schedule. A removed one keeps its number, with an empty ``etag`` and no ``content``."""

    seq: int
    etag: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Fixture:
    """A keyspace as it was written.

    ``entries``: by key, in order. ``sources``: what the bucket holds at ``now``, by object key. ``earlier_sources``:
    documents that were replaced or removed before, the oldest first; the last good ones of refused documents are among
    them. ``documents``: by ``sid/date``, of every schedule that was ever published. ``settings``: by name, as the
    settings are called. ``partner_keys``: the text of the newest key of each partner, which is invented like
    everything here. ``cast``: which schedule, item or message stands for what, by a word.
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


# The file


def load_fixture(path: Path | str) -> Fixture:
    """Read a file that :func:`save_fixture` has written. Raises ``ValueError`` for a file of another form."""
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
    """Write a file that is the same for the same fixture. ``document_keys``: under which Redis key the document of
    each schedule is, by ``sid/date``; the file names that key rather than saying the document twice.
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


# A server


def dump(client: Redis) -> dict[str, Entry]:
    """Read every key of a server, in order."""
    keys = sorted(key.decode() for key in client.scan_iter(count=1_000))
    return {key: _read(client, key) for key in keys}


def restore(fixture: Fixture, redis_client: Redis) -> None:
    """Write every key into an empty server. Raises ``ValueError`` where it is not empty."""
    if redis_client.dbsize():
        raise ValueError("the server is not empty")
    for entry in fixture.entries.values():
        _write(redis_client, entry)
        if entry.ttl is not None:
            redis_client.expire(entry.key, entry.ttl)


def _read(client: Any, key: str) -> Entry:
    type_ = client.type(key).decode()
    milliseconds = client.pttl(key)
    ttl = None if milliseconds < 0 else math.ceil(milliseconds / 1000)
    return Entry(key, type_, _read_value(client, key, type_), ttl)


def _read_value(client: Any, key: str, type_: str) -> Value:
    value: Value
    match type_:
        case "string":
            value = client.get(key)
        case "hash":
            value = dict(sorted(client.hgetall(key).items()))
        case "list":
            value = client.lrange(key, 0, -1)
        case "set":
            value = client.smembers(key)
        case "zset":
            value = dict(client.zrange(key, 0, -1, withscores=True))
        case "stream":
            value = _read_stream(client, key)
        case _:
            raise ValueError(f"{key}: a {type_} cannot be read")
    return value


def _read_stream(client: Any, key: str) -> Stream:
    entries = tuple((id_.decode(), tuple(fields.items())) for id_, fields in client.xrange(key))
    there = {id_ for id_, _ in entries}
    about = client.xinfo_stream(key)
    return Stream(
        entries=entries,
        last_id=about["last-generated-id"].decode(),
        entries_added=about["entries-added"],
        max_deleted_id=about["max-deleted-entry-id"].decode(),
        groups=tuple(_read_group(client, key, found, there) for found in client.xinfo_groups(key)),
    )


def _read_group(client: Any, key: str, found: Mapping[str, Any], there: set[str]) -> Group:
    name = found["name"].decode()
    pending = client.xpending_range(key, name, "-", "+", found["pending"]) if found["pending"] else []
    return Group(
        name=name,
        last_delivered_id=found["last-delivered-id"].decode(),
        entries_read=found["entries-read"],
        consumers=tuple(sorted(consumer["name"].decode() for consumer in client.xinfo_consumers(key, name))),
        pending=tuple(
            Pending(
                p["message_id"].decode(),
                p["consumer"].decode(),
                p["time_since_delivered"] // 1000,
                p["times_delivered"],
            )
            for p in pending
            if p["message_id"].decode() in there
        ),
    )


def _write(client: Any, entry: Entry) -> None:
    key, value = entry.key, entry.value
    match entry.type:
        case "string":
            client.set(key, value)
        case "hash":
            client.hset(key, mapping=value)
        case "list":
            client.rpush(key, *_items(value))
        case "set":
            client.sadd(key, *_items(value))
        case "zset":
            client.zadd(key, value)
        case "stream" if isinstance(value, Stream):
            _write_stream(client, key, value)
        case _:
            raise ValueError(f"{key}: a {entry.type} cannot be written")


def _items(value: Value) -> Iterable[bytes]:
    assert isinstance(value, list | set)
    return value


def _write_stream(client: Any, key: str, stream: Stream) -> None:
    """A group makes the stream where it has no entries; what it has delivered is claimed for its consumers."""
    for id_, fields in stream.entries:
        client.xadd(key, dict(fields), id=id_)
    client.execute_command("XGROUP CREATE", key, "maker", "0", "MKSTREAM")
    client.xgroup_destroy(key, "maker")
    client.execute_command(
        "XSETID",
        key,
        stream.last_id,
        "ENTRIESADDED",
        stream.entries_added,
        "MAXDELETEDID",
        stream.max_deleted_id,
    )
    for group in stream.groups:
        read: Sequence[Any] = () if group.entries_read is None else ("ENTRIESREAD", group.entries_read)
        client.execute_command("XGROUP CREATE", key, group.name, group.last_delivered_id, *read)
        for consumer in group.consumers:
            client.xgroup_createconsumer(key, group.name, consumer)
        for p in group.pending:
            idle = p.idle_seconds * 1000
            again = {"idle": idle, "retrycount": p.deliveries, "force": True, "justid": True}
            client.xclaim(key, group.name, p.consumer, 0, [p.id], **again)


# JSON


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
