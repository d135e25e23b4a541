"""The machines that an installation needs, from constants that benchmarks measured (docs/explanation/figures.md)."""

from dataclasses import dataclass
from math import ceil

from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.sizing.memory import Installation, estimate

DAY = 86_400
DOCUMENT_BYTES = 6_200
"""A compressed document, as it is stored and sent."""
PLAIN_BYTES = 22_000
SOURCE_BYTES = 12_000
"""A schedule document in S3."""
RECORDED_BYTES = 10_000
"""Dagster's records of a version."""
RECORDED_A_SECOND = 190
"""Versions that one publisher publishes and records in Postgres."""
ANSWERED_A_SECOND = 4_000
"""Conditional hits that one task of delivery answers at half its processor."""
DELIVERY_BYTES = 110_000_000, 9_700
"""Of a task, and of each schedule that it holds."""
RENDERERS_BYTES = 500_000_000
REMEMBERED_BYTES = 256_000_000
"""Answers that a task of delivery remembers, and pieces of them: 128 MB each."""
REDIS_WRITES_A_SECOND = 8_000
"""Versions that one primary accepts, and a cluster too: one of its masters has the work queue and the feed."""

_NODES = (
    ("cache.r7g.large", 14_037_181_030),
    ("cache.r7g.xlarge", 28_261_849_702),
    ("cache.r7g.2xlarge", 56_711_183_565),
    ("cache.r7g.4xlarge", 113_609_865_216),
    ("cache.r7g.8xlarge", 225_000_375_228),
    ("cache.r7g.12xlarge", 341_206_346_547),
    ("cache.r7g.16xlarge", 450_000_750_456),
)
"""The ``maxmemory`` of each type of node, the smallest first: AWS documents it among the parameters by type of node of
ElastiCache. From a public copy of that page, read on 2026-11-29.
"""
_RESERVED = 0.25
_HEADROOM = 2
"""Of docs/operators/sizing.md: a quarter of a node is reserved, and ``maxmemory`` is twice the memory."""

_DATABASES = (
    (5, "db.t4g.medium"),
    (25, "db.m7g.large"),
    (60, "db.m7g.xlarge"),
    (150, "db.m7g.2xlarge"),
    (float("inf"), "db.m7g.4xlarge"),
)
"""Recorded versions a second, on average, up to which a class is assumed to suffice."""
_FARGATE_MEMORY = ((1, 8), (2, 16), (4, 30), (8, 60), (16, 120))
"""The most GB that a task of this many CPUs may have."""


@dataclass(frozen=True, slots=True)
class Use:
    """How partners and sources use an installation.

    ``share``: the part of all schedules that a partner reads, on average. ``polls``: of a partner in a minute.
    ``peak``: how many times as many changes and requests there are in the busiest minute as on average.
    """

    share: float = 1.0
    polls: float = 1.0
    peak: float = 20.0
    records_kept_days: int = 7


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of task on Fargate. ``count`` tasks of it run all month."""

    name: str
    cpus: float
    gigabytes: float
    count: int = 1


FIXED_TASKS = (
    Task("code-server", 1, 2),
    Task("daemon", 0.5, 1),
    Task("webserver", 0.5, 1),
    Task("monitoring", 0.25, 0.5),
    Task("pusher", 0.5, 1),
)
"""As in deploy/cloudformation/services.yaml, which a test compares."""
PUBLISHER = Task("run", 2, 4)


@dataclass(frozen=True, slots=True)
class Hardware:
    redis_bytes: float
    redis_node: str
    redis_shards: int
    publishers: int
    delivery: Task
    database: str
    database_gigabytes: int

    @property
    def tasks(self) -> tuple[Task, ...]:
        publishers = Task(PUBLISHER.name, PUBLISHER.cpus, PUBLISHER.gigabytes, self.publishers)
        return (*FIXED_TASKS, publishers, self.delivery)


def hardware_for(of: Installation, use: Use) -> Hardware:
    """Raises ConfigurationError if Redis cannot accept the changes, or a task of delivery cannot hold the schedules."""
    versions = of.schedules * of.changes / DAY
    memory = estimate(of)
    node, shards = _redis(memory, versions * use.peak)
    return Hardware(
        redis_bytes=memory,
        redis_node=node,
        redis_shards=shards,
        publishers=max(1, ceil(versions * use.peak / RECORDED_A_SECOND)),
        delivery=_delivery(of, use),
        database=next(name for most, name in _DATABASES if versions <= most),
        database_gigabytes=_database_gigabytes(of, use),
    )


def _redis(memory: float, writes_a_second: float) -> tuple[str, int]:
    """The type of node, and the number of shards, which the memory decides."""
    if writes_a_second > REDIS_WRITES_A_SECOND:
        raise ConfigurationError(
            f"{writes_a_second:,.0f} versions a second in the busiest minute are more than the "
            f"{REDIS_WRITES_A_SECOND:,} of the one master with the work queue; divide the services between "
            "installations"
        )
    needed = memory * _HEADROOM / (1 - _RESERVED)
    shards = max(ceil(needed / _NODES[-1][1]), 1)
    return next(name for name, most in _NODES if most >= needed / shards), shards


def requests_a_second(of: Installation, use: Use) -> float:
    """Polls, and a fetch of every new version, of all partners on average."""
    fetched = of.schedules * of.changes * use.share * of.partners / DAY
    return of.partners * use.polls / 60 + fetched


def _delivery(of: Installation, use: Use) -> Task:
    base, each = DELIVERY_BYTES
    # Half as much again for answers under way, and for the moment in which a new keyspace is read beside the old one.
    held = base + each * of.schedules * 1.5
    gigabytes = max(2, ceil((held + RENDERERS_BYTES + REMEMBERED_BYTES) / 2**30))
    cpus = next((cpus for cpus, most in _FARGATE_MEMORY if gigabytes <= most), None)
    if cpus is None:
        raise ConfigurationError(
            f"delivery holds every schedule in memory: {of.schedules:,} need {gigabytes:,} GB, and a task has at most "
            f"{_FARGATE_MEMORY[-1][1]} GB; divide the services between installations"
        )
    count = max(2, ceil(requests_a_second(of, use) * use.peak / ANSWERED_A_SECOND))
    return Task("delivery", cpus, gigabytes, count)


def _database_gigabytes(of: Installation, use: Use) -> int:
    """The records that are kept, the latest of each schedule, and as much again for indexes and vacuum."""
    kept = of.schedules * (1 + of.changes * use.records_kept_days) * RECORDED_BYTES
    return max(50, ceil(2 * kept / 1e9))
