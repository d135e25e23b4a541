"""A keyspace that release 0.1.0 wrote is read, upgraded as it is used, and published without a new version.

The file was written by the code of 0.1.0 itself, with every kind of record in it.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from compatibility.keyspace_files import Fixture, load_fixture
from compatibility.keyspace_server import restore
from fakes import FakeClock, fake_upstreams, pipeline_over
from redis import Redis

from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline, Store
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.accepted_schedule import parse_accepted, read_source
from schedules_pipeline.documents.catalogue_document import is_outdated, parse_copy
from schedules_pipeline.documents.notification import parse_object_key
from schedules_pipeline.documents.partner_document import parse_published
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource
from schedules_pipeline.upstream.legacy import RedisLegacyKeyspace

_WRITTEN = load_fixture(Path(__file__).parent / "keyspace-0.1.0.json.gz")


class Restored:
    """The keyspace in a server of its own, and a pipeline over it, two minutes after it was written."""

    def __init__(self, server: RedisServer, written: Fixture = _WRITTEN) -> None:
        client = Redis.from_url(server.url, protocol=2)
        client.flushall()
        restore(written, client)
        link = RedisLink(connect(server.url))
        self.store: Store = redis_store(link, written.settings["keyspace"])
        self.clock = FakeClock(written.now + timedelta(minutes=2))
        upstreams = fake_upstreams(self.clock, Random(0))
        for source in written.sources.values():
            upstreams.schedule_source.put(parse_object_key(source.key), source.content)
        real = replace(
            upstreams,
            catalogue_source=RedisCatalogueSource(link, "catalogue:"),  # type: ignore[arg-type]  # the real one
            legacy=RedisLegacyKeyspace(link, "legacy:"),  # type: ignore[arg-type]  # the real one
        )
        self.pipeline: Pipeline = pipeline_over(self.store, real, self.clock)

    def keys(self) -> list[ScheduleKey]:
        return sorted(key for batch in self.store.schedules.stored_keys() for key in batch)

    def copies(self) -> dict[Pid, bytes]:
        pids = sorted(pid for batch in self.store.copies.stored_pids() for pid in batch)
        return self.store.copies.read(pids)

    def versions(self) -> dict[ScheduleKey, tuple[int, str]]:
        return {key: (s.seq, s.etag) for key, s in self.store.schedules.read(self.keys()).items()}

    def rebuild(self) -> None:
        """Finish the pending work, then build every published schedule once more."""
        self.pipeline.publisher.publish_all()
        shown = list(self.store.schedules.documents(self.keys()))
        cause = Cause("test", Origin.OPERATOR, "", self.clock())
        self.store.work.mark([Mark(key, self.clock(), cause) for key in shown])
        self.pipeline.publisher.publish_all()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("restored")) as started:
        yield started


@pytest.fixture
def restored(server: RedisServer) -> Restored:
    return Restored(server)


def test_every_record_is_read(restored: Restored) -> None:
    """Each store decodes every record of its kind, and finds as many as were written."""
    store, entries = restored.store, _WRITTEN.entries
    rows = store.feed.read_after("0", 1_000)
    states = store.schedules.read(restored.keys())

    for state in states.values():
        if state.accepted is not None:
            accepted = parse_accepted(state.accepted)
            assert len(read_source(state.key, accepted).slots) == len(accepted.slots)
        assert len(store.versions.versions(state.key)) <= max(state.seq, 100)
    for pid, copy in restored.copies().items():
        assert parse_copy(pid, copy).pid == pid
    for document in store.schedules.documents(restored.keys()).values():
        assert parse_published(document).seq > 0
    assert len(store.feed.heads()) == store.feed.count_schedules()
    assert rows
    assert store.work.pending_since()
    assert store.work.quarantined()
    assert store.rejections.all()
    assert store.comparisons.all()
    assert store.comparisons.tally()
    assert store.passes.all()
    assert store.parity_trend.all()
    assert store.served.switches()[0] == store.served.current()
    assert store.incidents.latest()
    assert store.subscriptions.all()
    assert {partner.name for partner in store.partners.all()} == set(_WRITTEN.partner_keys)
    assert not store.partners.unreadable()
    assert store.coldstarts.latest() is not None
    assert entries


def test_published_documents_are_as_they_were(restored: Restored) -> None:
    """Every schedule has the version and the bytes that release 0.1.0 published."""
    documents = restored.store.schedules.documents(restored.keys())

    assert {str(key): document for key, document in documents.items()} == {
        key: published.content
        for key, published in _WRITTEN.documents.items()
        if published.content is not None
    }


def test_copies_are_upgraded_without_a_new_version(restored: Restored) -> None:
    """A build rereads the copies that it uses, and publishes nothing but changes that were pending."""
    restored.pipeline.publisher.publish_all()
    before, copies = restored.versions(), restored.copies()
    follower = restored.pipeline.follower
    items = follower.read_source(list(copies))
    changed = {pid for pid, item in items.items() if parse_copy(pid, copies[pid]) != item}
    changed.add(Pid(_WRITTEN.cast["owed item"]))
    affected = {
        reference.key
        for references in restored.store.references.references(sorted(changed)).values()
        for reference in references
    }

    states = restored.store.schedules.read(restored.keys())
    affected |= {key for key, state in states.items() if state.must_fetch}

    restored.rebuild()

    after = restored.versions()
    assert {key for key in after if after[key] != before[key]} <= affected
    assert len(affected) < len(before) / 2
    assert any(map(is_outdated, copies.values()))
    used = restored.store.references.references(list(copies))
    outdated = {pid for pid, copy in restored.copies().items() if is_outdated(copy) and used[pid]}
    assert not outdated & items.keys()


def test_upgraded_keyspace_is_stable(restored: Restored) -> None:
    """Once upgraded, the same builds change neither a version nor a copy."""
    restored.rebuild()
    before, copies = restored.versions(), restored.copies()

    restored.rebuild()

    assert (restored.versions(), restored.copies()) == (before, copies)


def test_what_was_pending_is_finished(restored: Restored) -> None:
    """A publisher builds schedules that were marked or in progress; a reconciliation repairs every difference."""
    restored.pipeline.publisher.publish_all()

    assert restored.store.work.backlog().is_empty
    heads = restored.store.feed.heads()
    states = restored.store.schedules.read(list(heads))
    assert {key: head.seq for key, head in heads.items()} == {key: s.seq for key, s in states.items()}
    assert not restored.pipeline.reconciler.reconcile().problem
