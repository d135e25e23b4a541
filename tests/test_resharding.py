"""Slots of a real cluster move from master to master while publishers and both intakes work."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from random import Random

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from from_scratch import find_missing_entries
from workers import (
    Server,
    Workers,
    assert_announced_once,
    build_everything,
    catalogue_message,
    contents,
    load_sample,
    pipeline_on,
    schedule_message,
    write_item,
)

from demo.redis_cluster import Cluster, slot_of
from demo.sample import Sample
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing import publish
from schedules_pipeline.publishing.ports.upstream import Message

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]

_KEYSPACE = "resharded"
_MOVES_BETWEEN_STEPS = 3


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim whose release did not get through is taken back after a lease, which is long in production."""
    monkeypatch.setattr(publish, "LEASE_FOR", timedelta(seconds=3))
    monkeypatch.setattr(publish, "_PAUSE_AFTER_OUTAGE", timedelta(seconds=0.2))


def test_slots_that_move_while_changes_arrive_lose_nothing(cluster: Cluster) -> None:
    """When every busy slot has been to each master, all documents equal a build from nothing, announced once."""
    server = Server(cluster.url, is_cluster=True)
    source = fake_upstreams(FakeClock(), Random(0))
    sample, keys = load_sample(server, source)
    observer, *pipelines = (pipeline_on(server, _KEYSPACE, source) for _ in range(5))
    build_everything(observer, keys)
    workers = Workers()
    workers.publisher(pipelines[0])
    workers.publisher(pipelines[1])
    workers.intake(_changing_items(workers, server, sample), pipelines[2].catalogue_intake.handle)
    workers.intake(_changing_schedules(source, sample), pipelines[3].schedule_intake.handle)

    with workers:
        _go_round(cluster, _busy_slots(sample, keys), workers)

    scratch = pipeline_on(server, "scratch of resharded", source)
    build_everything(scratch, keys)
    assert contents(observer, keys) == contents(scratch, keys)
    assert_announced_once(observer)
    assert find_missing_entries(observer.store, keys, [Pid(pid) for pid in sample.catalogue]) == []
    assert observer.store.work.quarantined() == {}


def _go_round(cluster: Cluster, slots: Sequence[int], workers: Workers) -> None:
    """Move each slot to each master in turn, letting the workers come upon every state in between."""
    for master in (*cluster.masters[1:], cluster.masters[0]):
        for slot in slots:
            cluster.move_slot(slot, master, between=lambda: workers.wait_for_moves(_MOVES_BETWEEN_STEPS))
            workers.wait_for_moves(_MOVES_BETWEEN_STEPS)


def _busy_slots(sample: Sample, keys: Sequence[ScheduleKey]) -> list[int]:
    """Those that every worker uses, and some of single schedules and items."""
    brands = [pid for pid, item in sample.catalogue.items() if item["type"] == "brand"]
    return [slot_of(tag) for tag in ("work", "feed", "journal", *map(str, keys[:4]), *brands[:4])]


def _changing_items(workers: Workers, server: Server, sample: Sample) -> Iterator[Message]:
    """Give a brand a new title, then say so; without end."""
    link, random = server.link(), Random(1)
    brands = [item for item in sample.catalogue.values() if item["type"] == "brand"]
    for number in count():
        item = {**random.choice(brands), "title": f"Title {number}"}
        workers.insist(lambda: link.run([write_item(item)]))  # noqa: B023 - called at once
        yield catalogue_message(number, item)


def _changing_schedules(source: FakeUpstreams, sample: Sample) -> Iterator[Message]:
    """Put a schedule without its last broadcast, or with it again, then say so; without end."""
    random = Random(2)
    documents = list(sample.schedules.values())
    for number in count():
        document = random.choice(documents)
        key = ScheduleKey.parse(f"{document['sid']}/{document['date']}")
        broadcasts = document["broadcasts"][: None if random.random() < 0.5 else -1]
        source.schedule_source.put(key, orjson.dumps({**document, "broadcasts": broadcasts}))
        yield schedule_message(number, key)
