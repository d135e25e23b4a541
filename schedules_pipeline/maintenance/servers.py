"""The servers that hold the keyspace, as they describe themselves. Pure values, and the port that reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

PRIMARY = "master"
NO_EVICTION = "noeviction"


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """One replica of a primary. ``lag``: since its last acknowledgement, which replicas send every second."""

    address: str
    is_online: bool
    lag: timedelta


@dataclass(frozen=True, slots=True)
class Lineage:
    """Which history of writes a server continues, and how far.

    ``run_id``: the process. ``replication_id`` and ``offset``: the history and the position in it. A promoted replica
    begins a new history; ``previous_id`` then names the old one, which it followed up to ``previous_offset``.
    Both are empty, "" and -1, for a history without a predecessor, as after a restart with an append-only file.
    """

    run_id: str
    replication_id: str
    offset: int
    previous_id: str = ""
    previous_offset: int = -1


@dataclass(frozen=True, slots=True)
class RedisServerFacts:
    """What ``INFO`` says about one server. Managed services answer ``INFO`` and not ``CONFIG GET``.

    ``maxmemory``: in bytes, 0 without a limit. ``persistence_problem``: which write to disk failed last, or "".
    ``rejected``: commands that failed since the server started, by error, such as ``OOM``, ``MISCONF``,
    ``NOREPLICAS`` and ``READONLY``. ``good_replicas``: replicas that count for ``min-replicas-to-write``; None unless
    that is set.
    """

    address: str
    version: str
    role: str
    lineage: Lineage
    replicas: Sequence[ReplicaFacts] = ()
    used_memory: int = 0
    maxmemory: int = 0
    eviction_policy: str = NO_EVICTION
    evicted_keys: int = 0
    has_append_only_file: bool = False
    persistence_problem: str = ""
    good_replicas: int | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_primary(self) -> bool:
        return self.role == PRIMARY

    @property
    def evicts(self) -> bool:
        """Whether Redis may delete schedules when its memory is full."""
        return self.eviction_policy != NO_EVICTION


class ServerStore(Protocol):
    def facts(self) -> Sequence[RedisServerFacts]:
        """The server behind the address, or each primary of a cluster. Raises :class:`ServiceError`."""
