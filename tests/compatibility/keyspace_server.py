"""Reads every key of a Redis server, and writes a keyspace into an empty one.

Clients must answer with bytes (``decode_responses=False``) and speak RESP2, as redis-py does by default. Only redis-py
and the standard library are imported, so that any version of the pipeline can use this module.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compatibility.keyspace_files import Entry, Fixture, Group, Pending, Stream, Value
from redis import Redis


def dump(client: Redis) -> dict[str, Entry]:
    """Read every key of a server, in order."""
    keys = sorted(key.decode() for key in client.scan_iter(count=1_000))
    return {key: _read(client, key) for key in keys}


def restore(fixture: Fixture, redis_client: Redis) -> None:
    """Write every key into an empty server. Raises ``ValueError`` if the server is not empty."""
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
    """A temporary group creates the stream if it has no entries. Each group's deliveries are claimed for its
    consumers.
    """
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
