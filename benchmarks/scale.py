"""100,000 schedules (2,508 services, 40 days) as a whole, on one Redis: what grows with them, and what does not.

The engine builds them. One change is published in turns with a keyspace of 1,320, then a brand on 3,000 schedules.
Every pass over everything and every view of the whole runs once in a process of its own, which shows the memory that it
takes. At last the delivery service starts, and a partner reads it for the first time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count

from redis import Redis

from benchmarks.engine import follow_item, publish_exactly, rebuild_everything
from benchmarks.harness import (
    Bench,
    Figure,
    Result,
    WrongResult,
    freeze_garbage_collection,
    milliseconds,
    ratios,
    take_turns,
    timed,
)
from benchmarks.memory import used_memory
from benchmarks.scale_delivery import measure_delivery
from benchmarks.scale_passes import PASSES
from benchmarks.scale_world import SHOWN_ON, ScaledWorld, make_world
from benchmarks.separate import run_separately
from benchmarks.web_servers import DeliveryServer
from benchmarks.world import used_pids, write_catalogue
from demo.sample import Document
from demo.servers import LOOPBACK, RedisServer
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.sizing.memory import Installation, estimate

_SLICES = 10
_PAST_DAYS = 10
_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class _Size:
    """``small`` and ``large``: copies of the sample's 44 services, and days. ``spread``: schedules with one brand."""

    small: tuple[int, int]
    large: tuple[int, int]
    spread_of_small: int
    spread: int
    rounds: int
    brand_rounds: int


_FULL = _Size(small=(1, 30), large=(57, 40), spread_of_small=300, spread=3_000, rounds=30, brand_rounds=7)
_QUICK = _Size(small=(1, 2), large=(2, 2), spread_of_small=10, spread=20, rounds=2, brand_rounds=1)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    with RedisServer(bench.directory / "redis") as server:
        bench.say("the smaller keyspace")
        small = _build(f"redis://{LOOPBACK}:{server.port}/1", size.small, size.spread_of_small)
        bench.say("the larger keyspace")
        large = _build(server.url, size.large, size.spread)
        freeze_garbage_collection()
        bench.say("changes")
        figures = [*large.building(), *_changes(small, large, size)]
        bench.say("passes over everything")
        figures += _passes(large)
        bench.say("delivery")
        settings = {"SCHEDULES_REDIS_URL": large.url, "SCHEDULES_RETENTION_DAYS": "0"}
        delivery = DeliveryServer(
            bench.directory / "delivery", settings, start_within_seconds=_PATIENCE_SECONDS
        )
        figures += measure_delivery(delivery, large.world, large.pipeline, large.change)
    return Result(_facts(large), figures)


def _build(url: str, copies_and_days: tuple[int, int], spread: int) -> "_Side":
    copies, days = copies_and_days
    first = utc_now().date() - timedelta(days=_PAST_DAYS)
    return _Side(make_world(first, days, copies, spread), url)


class _Side:
    """A keyspace that has been built from nothing, with an engine on it."""

    def __init__(self, world: ScaledWorld, url: str) -> None:
        self.world, self.url = world, url
        self._redis = Redis.from_url(url, protocol=2)
        world.write_catalogue(self._redis)
        before = used_memory(self._redis)
        self.pipeline = world.engine(url)
        self._tenths = [self._build(keys) for keys in self._slices()]
        self._grown = used_memory(self._redis) - before
        self._edits = count(1)

    def building(self) -> list[Figure]:
        schedules, seconds = len(self.world.keys), sum(seconds for _, seconds in self._tenths)
        predicted = estimate(self.installation(), rejections=0)
        return [
            Figure(f"coldstart of {schedules:,}, engine alone", "s", [seconds]),
            Figure("… of each tenth", "schedules/s", [count / seconds for count, seconds in self._tenths]),
            Figure("Redis", "MB", [self._grown / 1e6]),
            Figure("… a schedule", "kB", [self._grown / schedules / 1e3]),
            Figure("… measured / by the formula", "times", [self._grown / predicted], goal=1.15),
        ]

    def installation(self) -> Installation:
        """Its feed has a row of every schedule."""
        keys, source = self.world.keys, self.world.source
        services = len({key.sid for key in keys})
        items = source.copies * len(used_pids(source.sample.catalogue, source.sample.schedules.values()))
        return Installation(
            services, len(keys) // services, items, changes=1, partners=0, versions_kept=0, feed_kept_days=1
        )

    def change(self) -> float:
        """The seconds of one change of an episode that five schedules show."""
        return self._edit(self.world.small_episode, lambda: publish_exactly(self.pipeline, SHOWN_ON))

    def change_brand(self) -> float:
        """The seconds of a change of the large brand."""
        return self._edit(self.world.large_brand, self._publish_brand)

    def _publish_brand(self) -> None:
        """In batches, as a publisher does. Raises :class:`WrongResult` if another number of schedules changes."""
        published = sum(batch.count(Outcome.PUBLISHED) for batch in self.pipeline.publisher.publish_all())
        if published != self.world.spread:
            raise WrongResult(f"{published} schedules were published, not {self.world.spread}")

    def _slices(self) -> Iterator[Sequence[ScheduleKey]]:
        keys = self.world.keys
        each = -(-len(keys) // _SLICES)
        return (keys[start : start + each] for start in range(0, len(keys), each))

    def _build(self, keys: Sequence[ScheduleKey]) -> tuple[int, float]:
        return len(keys), timed(partial(rebuild_everything, self.pipeline, keys))

    def _edit(self, document: Document, publish: Callable[[], None]) -> float:
        write_catalogue(self._redis, [document | {"title": f"Benchmark {next(self._edits)}"}])
        return timed(partial(follow_item, self.pipeline, document["pid"])) + timed(publish)


def _changes(small: _Side, large: _Side, size: _Size) -> list[Figure]:
    times = take_turns({"small": small.change, "large": large.change}, size.rounds, warm_up=3)
    few, many = (f"{len(side.world.keys):,}" for side in (small, large))
    brand = [large.change_brand() for _ in range(size.brand_rounds)]
    return [
        Figure(f"one change among {few}", "ms", milliseconds(times["small"])),
        Figure(f"one change among {many}", "ms", milliseconds(times["large"])),
        Figure(f"… {many} / {few}", "times", ratios(times["large"], times["small"]), goal=1.1),
        Figure(f"a brand on {size.spread:,} schedules", "s", brand),
    ]


def _passes(side: _Side) -> list[Figure]:
    figures = []
    for name, run_pass in PASSES.items():
        # A child must not share the connections of its parent.
        measured = run_separately(lambda: partial(run_pass, side.world.engine(side.url)))  # noqa: B023
        figures += [
            Figure(name, "s", [measured.seconds]),
            Figure("… processor time of the process", "s", [measured.processor_seconds]),
            Figure("… memory that it takes", "MB", [measured.grown / 1e6]),
        ]
    return figures


def _facts(side: _Side) -> dict[str, object]:
    of = side.installation()
    return {
        "schedules": f"{of.services:,} services × {of.days} days",
        "catalogue items": side.world.source.copies * len(side.world.source.sample.catalogue),
        "a change": f"an episode that {SHOWN_ON} schedules show",
        "sources": "in memory",
        "verified": "exactly these schedules were published after each change; no pass found a difference",
    }
