"""Two publishers and a collector on one real Redis, with the back-references in a DynamoDB table."""

from collections.abc import Mapping
from itertools import count
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from from_scratch import find_missing_entries
from redis import Redis
from workers import (
    Server,
    Workers,
    assert_announced_once,
    build_everything,
    contents,
    load_sample,
    pipeline_on,
    schedule_message,
    write_item,
)

from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import with_external_index
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.store.dynamodb import DynamoReferenceIndex

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Table = tuple["DynamoDBClient", str]
_CHANGES = 12
_SCHEDULES = 3
_COLLECTED_AT_ONCE = 15


@pytest.fixture
def server(redis_server: RedisServer, redis_client: Redis) -> Server:
    return Server(redis_server.url, is_cluster=False)


def _pipeline(server: Server, table: Table, keyspace: str, source: FakeUpstreams) -> Pipeline:
    near = pipeline_on(server, keyspace, source)
    index = DynamoReferenceIndex(*table, keyspace)
    store = with_external_index(near.store, server.link(), keyspace, index)
    return Pipeline(store, near.upstreams, near.calendar, near.clock)


def _without_some(document: Mapping[str, Any], random: Random) -> bytes:
    """The document without up to a third of its broadcasts, so that it is still accepted."""
    broadcasts = document["broadcasts"]
    kept = random.sample(range(len(broadcasts)), len(broadcasts) - random.randint(0, len(broadcasts) // 3))
    return orjson.dumps({**document, "broadcasts": [broadcasts[i] for i in sorted(kept)]})


def test_two_publishers_and_a_collector_converge(server: Server, references_table: Table) -> None:
    """Items and schedules change while copies are collected, and the result equals a build from scratch."""
    source = fake_upstreams(FakeClock(), Random(0))
    sample, keys = load_sample(server, source)
    keys = keys[:_SCHEDULES]
    follower = _pipeline(server, references_table, "beside", source)
    build_everything(follower, keys)
    documents = dict(zip(keys, sample.schedules.values(), strict=False))
    pids = [pid for batch in follower.store.references.pids() for pid in batch]
    items = [sample.catalogue[pid] for pid in pids if pid in sample.catalogue]
    random, catalogue, numbers = Random(1), server.link(), count()
    workers = Workers()
    for _ in range(2):
        workers.publisher(_pipeline(server, references_table, "beside", source))
    collector = _pipeline(server, references_table, "beside", source)

    with workers:
        for number in range(_CHANGES):
            item, key = random.choice(items), random.choice(keys)
            catalogue.run([write_item({**item, "title": f"Title {number}"})])
            source.schedule_source.put(key, _without_some(documents[key], random))
            collection = Thread(
                target=collector.store.copies.collect, args=(random.sample(pids, _COLLECTED_AT_ONCE),)
            )
            collection.start()
            follower.schedule_intake.handle([schedule_message(next(numbers), key)])
            cause = Cause(f"change {number}", Origin.CATALOGUE, item["pid"], follower.clock())
            follower.follower.follow({Pid(item["pid"]): cause})
            collection.join()

    scratch = pipeline_on(server, "scratch", source)
    build_everything(scratch, keys)
    assert workers.setbacks == []
    assert contents(follower, keys) == contents(scratch, keys)
    assert find_missing_entries(follower.store, keys, pids) == []
    assert_announced_once(follower)
