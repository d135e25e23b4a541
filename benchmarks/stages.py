"""Where the time of a change goes, from the message sent to the document readable over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import orjson

from benchmarks.harness import Figure, WrongResult, milliseconds
from benchmarks.landing import Landed, appended_at

Readable = Mapping[tuple[str, int], float]
STAGES = ("queued", "marked", "built", "in the feed", "readable")


def find_ingested(directory: Path) -> dict[str, float]:
    """When each event was marked and its message deleted, in seconds since 1970, from all logs below the directory."""
    found: dict[str, float] = {}
    for path in [*directory.rglob("*.err"), *directory.rglob("*.log")]:
        for line in path.read_bytes().splitlines():
            if b'"notification ingested"' in line and line.startswith(b"{"):
                entry = orjson.loads(line)
                at = datetime.fromisoformat(entry["timestamp"]).timestamp()
                found[entry["event_id"]] = min(at, found.get(entry["event_id"], at))
    return found


def figures(
    name: str, landed: Sequence[Landed], readable: Readable, ingested: Mapping[str, float]
) -> Iterator[Figure]:
    """The whole way in milliseconds with its goals, and the duration of each stage."""
    whole = whole_way(name, landed, readable, goal=40.0)
    yield whole
    p99 = sorted(whole.samples)[max(0, len(whole.samples) * 99 // 100 - 1)]
    yield Figure(f"{name}, sent to readable, p99", "ms", [p99], goal=250.0)
    stages = [found for one in landed if (found := _stages(one, readable, ingested))]
    for number, stage in enumerate(STAGES):
        if stages:
            yield Figure(f"{name}, stage {number + 1}: {stage}", "ms", [one[number] for one in stages])


def whole_way(name: str, landed: Sequence[Landed], readable: Readable, *, goal: float) -> Figure:
    sent_to_readable = [_readable_at(one, readable) - one.sent.sent_at.timestamp() for one in landed]
    return Figure(f"{name}, sent to readable", "ms", milliseconds(sent_to_readable), goal)


def _stages(one: Landed, readable: Readable, ingested: Mapping[str, float]) -> list[float] | None:
    """None if its event is in no log or its row names another event. The deletion of a message and its build run side
    by side, so a stage may be negative.
    """
    if one.cause is None or one.cause.event_id not in ingested:
        return None
    moments = [
        one.sent.sent_at.timestamp(),
        one.cause.notified_at.timestamp(),
        ingested[one.cause.event_id],
        one.row.change.published_at.timestamp(),
        appended_at(one.row).timestamp(),
        _readable_at(one, readable),
    ]
    return milliseconds(b - a for a, b in pairwise(moments))


def _readable_at(one: Landed, readable: Readable) -> float:
    change = one.row.change
    try:
        return readable[str(change.key), change.seq]
    except KeyError:
        raise WrongResult(f"version {change.seq} of {change.key} was announced to no partner") from None
