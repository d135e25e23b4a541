"""The back-references in Redis and in DynamoDB: the same work through the same port, and its requests to DynamoDB.

DynamoDB is the emulator here, one Python process on this machine. Its times show the cost of the client's side and
nothing about AWS. The numbers of requests hold there too, and so do the units, which are computed from the sizes of
items by DynamoDB's published rules: a write unit is one write of up to 1 kB, whether or not its condition holds; a
read unit is a consistent read of up to 4 kB of all items of one query together.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any

import orjson
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
    WrongResult,
    milliseconds,
    take_turns,
    timed,
)
from benchmarks.stack import Services, running_services
from benchmarks.world import add_brand, regional_sample, source_documents, write_catalogue
from demo.provision import REFERENCES_TABLE, provision_references
from demo.sample import Document, derive_pid
from demo.upstream import CATALOGUE_PREFIX
from schedules_pipeline.composition import Pipeline, Store
from schedules_pipeline.connections import redis_store, with_external_index
from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.domain.dependencies import Entry, dependencies
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.store.dynamodb import DynamoReferenceIndex, dynamodb_client
from schedules_pipeline.store.link import RedisLink, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

_HOMES = ("Redis", "DynamoDB")


@dataclass(frozen=True, slots=True)
class _Size:
    variants: int
    days: int
    registrations: int
    rounds: int


_FULL = _Size(variants=12, days=25, registrations=2, rounds=9)
_QUICK = _Size(variants=2, days=2, registrations=1, rounds=2)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = regional_sample(size.variants, size.days)
    sample, brand = add_brand(sample, list(sample.schedules), "Benchmark Row")
    with running_services(bench) as services:
        provision_references(services.endpoints)
        write_catalogue(services.redis, sample.catalogue.values())
        contest = _Contest(services, DocumentsInMemory(source_documents(sample)), brand, bench.say)
        return contest.result(size)


class _Contest:
    """Both stores of references, with the same schedules on the same Redis."""

    def __init__(
        self, services: Services, source: DocumentsInMemory, brand: Document, say: Callable[[str], None]
    ) -> None:
        self._services = services
        self._redis: Redis = services.redis
        self._link = RedisLink(connect(services.redis_url))
        self._source = source
        self._brand = brand
        self._numbers = count(1)
        self._client = dynamodb_client(services.endpoints.region, services.endpoints.endpoint_url)
        self._keys = list(source.list_keys())
        self._pipelines: dict[str, Pipeline] = {}
        for home in _HOMES:
            say(f"building {len(self._keys)} schedules with the index in {home}")
            self._pipelines[home] = self._pipeline(home, home.lower())
            rebuild_everything(self._pipelines[home], self._keys)
        self._entries = self._read_entries()

    def result(self, size: _Size) -> Result:
        figures: list[Figure] = []
        facts: dict[str, Any] = self._sizes()
        actions: Mapping[str, tuple[Callable[[str], object], int]] = {
            "register all schedules": (self._register, size.registrations),
            "read the dependants of the brand": (self._read, size.rounds),
            "change of the brand, end to end": (self._change, size.rounds),
            "event that is ignored": (self._ignore, size.rounds),
        }
        for what, (action, rounds) in actions.items():
            sides = {home: partial(timed, partial(action, home)) for home in _HOMES}
            times = take_turns(sides, rounds, warm_up=0)
            figures += [Figure(f"{what}, {home}", "ms", milliseconds(times[home])) for home in _HOMES]
            facts[f"requests, {what}"] = self._requests(partial(action, "DynamoDB"))
        return Result(facts, figures)

    def _pipeline(self, home: str, keyspace: str) -> Pipeline:
        near = make_engine(self._services.redis_url, self._source, keyspace)
        store = self._store(home, keyspace)
        return Pipeline(store, near.upstreams, near.calendar, near.clock)

    def _store(self, home: str, keyspace: str) -> Store:
        store = redis_store(self._link, keyspace)
        if home == "Redis":
            return store
        index = DynamoReferenceIndex(self._client, REFERENCES_TABLE, keyspace)
        return with_external_index(store, self._link, keyspace, index)

    def _read_entries(self) -> dict[ScheduleKey, frozenset[Entry]]:
        """The dependencies of the committed states."""
        states = self._pipelines["Redis"].store.schedules.read(self._keys)
        return {
            key: dependencies(parse_accepted(state.accepted or b"").shown(), state.ancestors)
            for key, state in states.items()
        }

    def _register(self, home: str) -> None:
        """Build into an empty keyspace."""
        keyspace = f"{home.lower()}{next(self._numbers)}"
        self._store(home, keyspace).references.register(self._entries, 1)

    def _read(self, home: str) -> None:
        brand = Pid(self._brand["pid"])
        found = self._pipelines[home].store.references.references([brand])[brand]
        if len(found) != len(self._keys):
            raise WrongResult(f"{len(found)} dependants, not {len(self._keys)}")

    def _change(self, home: str) -> None:
        """The time from the notification to the last published schedule."""
        changed = {**self._brand, "title": f"Title {next(self._numbers)}"}
        self._redis.set(f"{CATALOGUE_PREFIX}{self._brand['pid']}", orjson.dumps(changed))
        follow_item(self._pipelines[home], self._brand["pid"])
        publish_exactly(self._pipelines[home], len(self._keys))

    def _ignore(self, home: str) -> None:
        followed = follow_item(self._pipelines[home], derive_pid(f"nobody's {next(self._numbers)}", "b"))
        if not followed.unneeded:
            raise WrongResult("somebody depends on what nobody shows")

    def _requests(self, action: Callable[[], object]) -> dict[str, int]:
        with _counted(self._client) as requests:
            action()
        return dict(requests)

    def _sizes(self) -> dict[str, Any]:
        """The sizes of the items as DynamoDB counts them: the bytes of names and values."""
        sizes = [
            _item_bytes("schedules", entry, key)
            for key, entries in self._entries.items()
            for entry in entries
        ]
        brand = [_item_bytes("schedules", Entry(Pid(self._brand["pid"])), key) for key in self._keys]
        return {
            "schedules": len(self._keys),
            "entries": len(sizes),
            "bytes of an item": sum(sizes) / len(sizes),
            "write units, register all schedules": sum(ceil(size / 1024) for size in sizes),
            "read units, read the dependants of the brand": ceil(sum(brand) / 4096),
        }


def _item_bytes(keyspace: str, entry: Entry, key: ScheduleKey) -> int:
    """A number needs one byte for every two digits, and one more."""
    member = str(key) if entry.broadcast_pid is None else f"{key}/{entry.broadcast_pid}"
    score_bytes = 4
    return len(f"item{keyspace}:{entry.pid}") + len(f"member{member}") + len("score") + score_bytes


@contextmanager
def _counted(client: "DynamoDBClient") -> "Iterator[Counter[str]]":
    """Count the calls of each operation within the block."""
    requests: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        requests[model.name] += 1

    client.meta.events.register("before-call.dynamodb", note)
    try:
        yield requests
    finally:
        client.meta.events.unregister("before-call.dynamodb", note)
