"""The cost of one catalogue change with a catalogue of 1, 10 and 100 times the size. It must not grow with the size.

An episode that five schedules show is edited, its notification is ingested, and the marked schedules are published.
Each size has a database of its own in one Redis server, and the sizes take turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

from redis import Redis

from benchmarks.engine import (
    DocumentsInMemory,
    follow_item,
    make_engine,
    publish_exactly,
    rebuild_everything,
)
from benchmarks.harness import (
    Bench,
    Figure,
    Result,
    freeze_garbage_collection,
    milliseconds,
    ratios,
    take_turns,
    timed,
)
from benchmarks.world import (
    add_brand,
    regional_sample,
    source_documents,
    unused_items,
    write_catalogue,
)
from demo.sample import Sample
from demo.servers import LOOPBACK, RedisServer

_SHOWN_ON = 5
_CHANGES_IN_A_SAMPLE = 10


@dataclass(frozen=True, slots=True)
class _Size:
    items: tuple[int, ...]
    variants: int
    days: int
    rounds: int


_FULL = _Size(items=(2_000, 20_000, 200_000), variants=12, days=5, rounds=100)
_QUICK = _Size(items=(500, 1_000), variants=5, days=1, rounds=3)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = regional_sample(size.variants, size.days)
    shown_on = sorted(sample.schedules, key=lambda key: (key[1], key[0]))[:_SHOWN_ON]
    sample, _ = add_brand(sample, shown_on, "Benchmark Row")
    with RedisServer(bench.directory / "redis") as server:
        sides: dict[str, Callable[[], float]] = {}
        for database, items in enumerate(size.items):
            bench.say(f"a catalogue of {items:,} items")
            sides[f"{items:,}"] = _side(f"redis://{LOOPBACK}:{server.port}/{database}", sample, items)
        freeze_garbage_collection()
        times = take_turns(sides, size.rounds, warm_up=3)
    facts = {
        "schedules": len(sample.schedules),
        "schedules that show the episode": _SHOWN_ON,
        "changes in a sample": _CHANGES_IN_A_SAMPLE,
        "caches": "as in a publisher that stands",
        "verified": "exactly these schedules were published after each change",
    }
    return Result(facts, _figures(times))


def _figures(times: dict[str, list[float]]) -> list[Figure]:
    smallest, *others = times
    costs = [
        Figure(f"one change, {items} items", "ms", milliseconds(taken)) for items, taken in times.items()
    ]
    return costs + [
        Figure(f"{items} / {smallest} items", "times", ratios(times[items], times[smallest]), goal=1.1)
        for items in others
    ]


def _side(url: str, sample: Sample, items: int) -> Callable[[], float]:
    redis = Redis.from_url(url, protocol=2)
    write_catalogue(redis, sample.catalogue.values())
    write_catalogue(redis, unused_items(sample.catalogue, items - len(sample.catalogue)))
    documents = source_documents(sample)
    pipeline = make_engine(url, DocumentsInMemory(documents))
    rebuild_everything(pipeline, list(documents))
    episode = next(d for d in sample.catalogue.values() if d["title"].startswith("Part of"))
    edits = count(1)

    def change() -> float:
        """The mean of several changes, without the time of writing them to the catalogue."""
        seconds = 0.0
        for _ in range(_CHANGES_IN_A_SAMPLE):
            write_catalogue(redis, [episode | {"title": f"Part {next(edits)} of {items}"}])
            seconds += timed(partial(follow_item, pipeline, episode["pid"]))
            seconds += timed(partial(publish_exactly, pipeline, _SHOWN_ON))
        return seconds / _CHANGES_IN_A_SAMPLE

    return change
