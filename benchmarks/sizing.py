"""Measures the constants of the formula in ``schedules_pipeline/sizing/memory.py`` on a real Redis.

``python -m benchmarks sizing`` prints them. They are stored there and in docs/operators/sizing.md, and a test fails
where they predict another world wrongly.
"""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from redis import Redis

from benchmarks.engine import DocumentsInMemory, make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result
from benchmarks.memory import edit_brand, used_memory
from benchmarks.world import FIRST_DATE, add_brand, source_documents, whole_sample, write_catalogue
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import USAGE_KEPT_DAYS, UsageKind, UsageLine
from schedules_pipeline.sizing.memory import CONSTANTS, Constants, Installation, estimate
from schedules_pipeline.store.keys import Keys

TOLERANCE = 0.15
"""By how much a measured world may differ from the formula, as a share of it."""

_ROUTES = 12
_KEY_BYTES = 40
"""Of a key in Redis' table of keys, which ``MEMORY USAGE`` leaves out."""
_KEYSPACE = "schedules"


EXAMPLES = (
    Installation(services=44, days=30, items=10_000, changes=2, partners=10),
    Installation(services=44, days=30, items=10_000, changes=20, partners=50),
    Installation(services=44, days=400, items=100_000, changes=1, partners=50),
    Installation(services=200, days=60, items=100_000, changes=10, partners=200),
)


@dataclass(frozen=True, slots=True)
class World:
    """A part of the sample, in which a brand of the first ``edited`` schedules changes once, and ``edits`` times
    more.
    """

    services: int
    days: int
    edited: int
    edits: int
    partners: int


_FULL = World(services=44, days=14, edited=60, edits=12, partners=100)
_OTHER = World(services=20, days=7, edited=40, edits=6, partners=20)
_QUICK = World(services=6, days=2, edited=6, edits=3, partners=5)


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of a world. ``base``: of the first schedule and the first edit. ``schedules``: of the others, without the
    copies. ``versions`` and ``rows``: of the further edits. ``item_count``: the number of copies.
    """

    world: World
    item_count: int
    base: int
    schedules: int
    items: int
    versions: int
    rows: int
    partners: int

    @property
    def total(self) -> int:
        return self.base + self.schedules + self.items + self.versions + self.rows + self.partners

    def constants(self) -> Constants:
        world = self.world
        changed = world.edited * world.edits
        return Constants(
            self.base,
            round(self.schedules / (world.services * world.days)),
            round(self.items / self.item_count),
            round(self.versions / changed),
            round(self.rows / changed),
            round(self.partners / world.partners),
        )

    def estimated(self, constants: Constants) -> float:
        """By the formula: the edits are changes of one day."""
        world = self.world
        changes = world.edited * world.edits / (world.services * world.days)
        installation = Installation(
            world.services,
            world.days,
            self.item_count,
            changes,
            world.partners,
            versions_kept_days=1,
            feed_kept_days=1,
        )
        return estimate(installation, constants, rejections=0)


def measure(world: World, directory: Path) -> Measured:
    sample = whole_sample(FIRST_DATE, world.days, world.services)
    edited = sorted(sample.schedules, key=lambda name: (name[1], name[0]))[: world.edited]
    sample, brand = add_brand(sample, edited, "Benchmark Row")
    documents = source_documents(sample)
    with RedisServer(directory) as server:
        redis = Redis.from_url(server.url, protocol=2)
        write_catalogue(redis, sample.catalogue.values())
        sizes = [used_memory(redis)]
        pipeline = make_engine(server.url, DocumentsInMemory(documents), _KEYSPACE)
        rebuild_everything(pipeline, list(documents)[:1])
        sizes.append(used_memory(redis))
        rebuild_everything(pipeline, list(documents)[1:])
        sizes.append(used_memory(redis))
        item_count, items = _copies(redis)
        keys = [ScheduleKey(Sid(sid), day) for sid, day in edited]
        rows_before = _rows(redis)
        edit_brand(redis, pipeline, brand, keys, [0])
        sizes.append(used_memory(redis))
        edit_brand(redis, pipeline, brand, keys, range(1, world.edits + 1))
        sizes.append(used_memory(redis))
        rows = _rows(redis) - rows_before
        _enter_partners(pipeline, world.partners)
        sizes.append(used_memory(redis))
    base, built, first, changed, partners = (after - before for before, after in pairwise(sizes))
    return Measured(world, item_count, base + first, built - items, items, changed - rows, rows, partners)


def _rows(redis: Redis) -> int:
    return int(redis.memory_usage(Keys(_KEYSPACE).feed("changes"), samples=0) or 0)


def _copies(redis: Redis) -> tuple[int, int]:
    """The number of copies, and the bytes of the copies and of the version tokens."""
    found = [list(redis.scan_iter(f"{_KEYSPACE}:{kind}:*", 1_000)) for kind in ("copy", "fence")]
    sizes = [int(redis.memory_usage(key, samples=0) or 0) + _KEY_BYTES for keys in found for key in keys]
    return len(found[0]), sum(sizes)


def _enter_partners(pipeline: Pipeline, count: int) -> None:
    store, now = pipeline.store.partners, datetime.now(UTC)
    for number in range(count):
        name = f"partner-{number}"
        store.create(Partner(name, now))
        lines = {UsageLine(name, UsageKind.REQUESTS, f"/v1/route/{n}", "200"): 1_000 for n in range(_ROUTES)}
        for days in range(USAGE_KEPT_DAYS):
            store.add_usage(now.date() - timedelta(days=days), lines)


def run(bench: Bench) -> Result:
    measured = measure(_QUICK if bench.quick else _FULL, bench.directory / "constants")
    constants = measured.constants()
    bench.say(f"CONSTANTS = {constants}")
    other = measured if bench.quick else measure(_OTHER, bench.directory / "other")
    figures = [Figure(f"a {f.name}", "bytes", [getattr(constants, f.name)]) for f in fields(Constants)]
    ratio = Figure(
        "another world, measured / by the formula", "times", [other.total / other.estimated(constants)]
    )
    return Result({"stored constants": str(CONSTANTS)}, [*figures, ratio])


def documented() -> list[str]:
    """The rows of the tables in docs/operators/sizing.md: the constants, and examples."""
    constants = [f"| `{f.name}` | {getattr(CONSTANTS, f.name):,} |" for f in fields(Constants)]
    return constants + [
        f"| {i.services} | {i.days} | {i.items:,} | {i.changes:g} | {i.partners} | {estimate(i) / 1e6:,.0f} MB |"
        for i in EXAMPLES
    ]
