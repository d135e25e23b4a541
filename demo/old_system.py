"""The old system of the demonstration: it rebuilds every schedule on a timer.

It is written from the description of the rules and imports nothing of the package, so that agreement of the two systems
is evidence that both are right. Keep it simple: one read at a time, and every episode and ancestor is read anew.

It publishes every document that parses, also an empty or a sharply shrunken one. A schedule whose source or catalogue
documents do not parse keeps its last output. A schedule that the source no longer lists is deleted.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from demo.tether import die_with

Document = dict[str, Any]
Read = Callable[[str], Document | None]

CATALOGUE_PREFIX = "catalogue:"
LEGACY_PREFIX = "legacy:"
REFRESHED_AT_KEY = "legacy:refreshed_at"

_SOURCE_KEY = re.compile(r"schedules/([0-9a-z_]+/\d{4}-\d{2}-\d{2})\.json")
_MAX_ANCESTORS = 8
_FLAGS = ("is_repeat", "is_blanked", "is_signed", "is_audio_described")
_DOES_NOT_PARSE = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class RefreshCounts:
    """The result of one full pass. Schedules are named ``sid/date``."""

    written: int
    kept: tuple[str, ...]
    deleted: tuple[str, ...]


def generate(source: Document, read: Read) -> Document:
    """Make the schedule ``{"sid", "date", "broadcasts"}`` that partners get from a source document.

    ``read`` returns the catalogue document of a pid, or None. Raises ValueError, TypeError, KeyError or
    AttributeError if a document does not have the expected form.
    """
    ordered = sorted(source["broadcasts"], key=_place)
    return {
        "sid": source["sid"],
        "date": source["date"],
        "broadcasts": [_broadcast(entry, read) for entry in ordered],
    }


def refresh(bucket: str, s3: Any, redis: Any, now: Callable[[], datetime]) -> RefreshCounts:
    """Rebuild every schedule that the bucket lists, and delete the others from the legacy keyspace.

    ``s3`` is a boto3 client, ``redis`` a synchronous redis-py client, ``now`` returns aware instants. Client errors are
    passed on; schedules that were not reached keep their output until the next pass.
    """
    listed, kept = set(), []
    for source_key, name in _list_sources(bucket, s3):
        listed.add(name)
        if not _refresh_one(bucket, source_key, name, s3, redis, now):
            kept.append(name)
    deleted = _delete_all_but(listed, redis)
    redis.set(REFRESHED_AT_KEY, _stamp(now()))
    return RefreshCounts(len(listed) - len(kept), tuple(kept), deleted)


def _place(entry: Document) -> tuple[datetime, str]:
    return _instant(entry["start"]), entry["broadcast_pid"]


def _broadcast(entry: Document, read: Read) -> Document:
    is_blanked = bool(entry.get("is_blanked"))
    episode_pid = "" if is_blanked else entry.get("episode_pid") or ""
    chain = _read_chain(episode_pid, read)
    return {
        "broadcast_pid": entry["broadcast_pid"],
        "version_pid": "" if is_blanked else entry.get("version_pid") or "",
        **_slot(entry),
        **{flag: bool(entry.get(flag)) for flag in _FLAGS},
        "episode_pid": episode_pid,
        **_programme(chain),
    }


def _slot(entry: Document) -> Document:
    start, end = _instant(entry["start"]), _instant(entry["end"])
    return {
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_seconds": int((end - start).total_seconds()),
    }


def _read_chain(episode_pid: str, read: Read) -> list[tuple[str, Document]]:
    """Return the episode and its ancestors with their pids, the episode first; an empty list if it is unknown."""
    chain: list[tuple[str, Document]] = []
    seen: set[str] = set()
    pid = episode_pid
    while pid and pid not in seen and len(chain) <= _MAX_ANCESTORS:
        document = read(pid)
        if document is None:
            break
        seen.add(pid)
        chain.append((pid, document))
        pid = document.get("parent_pid") or ""
    return chain


def _programme(chain: list[tuple[str, Document]]) -> Document:
    if not chain:
        return {"episode": None, "series": None, "brand": None, "title": "", "subtitle": ""}
    ancestors = chain[1:]
    titles = [title for _, document in reversed(chain) if (title := _shown_title(document))]
    return {
        "episode": _episode(*chain[0], ancestors),
        "series": _first_of_type("series", ancestors),
        "brand": _first_of_type("brand", ancestors[::-1]),
        "title": titles[0] if titles else "",
        "subtitle": ": ".join(titles[1:]),
    }


def _episode(pid: str, document: Document, ancestors: list[tuple[str, Document]]) -> Document:
    synopses = document.get("synopses") or {}
    images = [found.get("image_pid") for found in (document, *(ancestor for _, ancestor in ancestors))]
    presentation_title = document.get("presentation_title") or ""
    return {
        "pid": pid,
        "title": _title(document),
        **({"presentation_title": presentation_title} if presentation_title else {}),
        "synopses": {length: synopses.get(length) or "" for length in ("short", "medium", "long")},
        "image_pid": next((image for image in images if image), ""),
        "warning_text": document.get("warning_text"),
        **_position(document),
    }


def _first_of_type(kind: str, ancestors: list[tuple[str, Document]]) -> Document | None:
    for pid, document in ancestors:
        if document.get("type") == kind:
            return {
                "pid": pid,
                "title": _title(document),
                **(_position(document) if kind == "series" else {}),
            }
    return None


def _position(document: Document) -> Document:
    return {} if document.get("position") is None else {"position": document["position"]}


def _shown_title(document: Document) -> str:
    is_episode = document.get("type") == "episode"
    return (is_episode and document.get("presentation_title")) or _title(document)


def _title(document: Document) -> str:
    return document.get("title") or ""


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return instant.astimezone(UTC)


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _list_sources(bucket: str, s3: Any) -> Iterator[tuple[str, str]]:
    """Yield the key of each schedule document in the bucket, with the ``sid/date`` that it names."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="schedules/"):
        for item in page.get("Contents", []):
            if found := _SOURCE_KEY.fullmatch(item["Key"]):
                yield item["Key"], found[1]


def _refresh_one(
    bucket: str, source_key: str, name: str, s3: Any, redis: Any, now: Callable[[], datetime]
) -> bool:
    """Rebuild one schedule. Returns False if its last output was kept."""
    generated_at = _stamp(now())
    try:
        source = json.loads(s3.get_object(Bucket=bucket, Key=source_key)["Body"].read())
        schedule = generate(source, lambda pid: _read_catalogue(pid, redis))
    except s3.exceptions.NoSuchKey:
        # Removed since it was listed; the next pass deletes the output.
        return False
    except _DOES_NOT_PARSE:
        return False
    redis.set(LEGACY_PREFIX + name, json.dumps({"generated_at": generated_at, "schedule": schedule}))
    return True


def _read_catalogue(pid: str, redis: Any) -> Document | None:
    content = redis.get(CATALOGUE_PREFIX + pid)
    return None if content is None else json.loads(content)


def _delete_all_but(listed: set[str], redis: Any) -> tuple[str, ...]:
    found = redis.scan_iter(match=LEGACY_PREFIX + "*")
    keys = {key.decode() if isinstance(key, bytes) else key for key in found} - {REFRESHED_AT_KEY}
    gone = tuple(sorted({key.removeprefix(LEGACY_PREFIX) for key in keys} - listed))
    for name in gone:
        redis.delete(LEGACY_PREFIX + name)
    return gone


def _refresh_forever(arguments: argparse.Namespace) -> None:
    # Imported here, so that the rules above can be tested without either client.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
    from redis import Redis
    from redis.exceptions import RedisError

    # boto3 reads region and credentials from its usual environment variables and files.
    s3 = boto3.client("s3", endpoint_url=arguments.s3_endpoint)
    redis = Redis.from_url(arguments.redis_url)
    while True:
        try:
            _report(refresh(arguments.bucket, s3, redis, lambda: datetime.now(UTC)))
        except (BotoCoreError, ClientError, RedisError) as error:
            print(f"refresh failed, retrying at the next pass: {error}", file=sys.stderr, flush=True)
        time.sleep(arguments.interval_seconds)


def _report(done: RefreshCounts) -> None:
    kept = f", {len(done.kept)} kept as they were ({', '.join(done.kept)})" if done.kept else ""
    print(f"refreshed {done.written} schedules, deleted {len(done.deleted)}{kept}", flush=True)


def _parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="old_system", description="Rebuild every schedule on a timer.")
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--s3-endpoint", help="address of S3; AWS itself if left out")
    parser.add_argument("--bucket", default="schedule-source")
    parser.add_argument("--interval-seconds", type=float, default=900.0, help="pause between two passes")
    parser.add_argument("--owner-pid", type=int, help="the parent process; this one ends with it")
    return parser.parse_args(words)


def _stop(number: int, frame: FrameType | None) -> None:
    # Each schedule is written by one command, so no write is left half done.
    raise SystemExit(0)


def main(words: Sequence[str] | None = None) -> None:
    """Refresh until SIGTERM or SIGINT arrives or the parent process ends."""
    arguments = _parse_arguments(words)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    die_with(arguments.owner_pid or os.getppid())
    _refresh_forever(arguments)


if __name__ == "__main__":
    main()
