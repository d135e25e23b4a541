"""Records that break the build of one schedule, or of all schedules below one item, on a real Redis.

No accepted document breaks a build, so these tests damage stored records.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis
from workers import (
    Server,
    build_everything,
    catalogue_message,
    contents,
    load_sample,
    pipeline_on,
    schedule_message,
)

from demo.sample import Document, Sample
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.store.keys import Keys

pytestmark = pytest.mark.xdist_group("faults")

_KEYS = Keys("poisoned")
_DAMAGED = b"?"


class Poisoned:
    """A pipeline with everything published, before one record is damaged."""

    def __init__(self, server: Server, client: Redis) -> None:
        self.clock = FakeClock(datetime.now(UTC))
        self.source: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.sample: Sample
        self.sample, self.keys = load_sample(server, self.source)
        self.pipeline = pipeline_on(server, _KEYS.keyspace, self.source, self.clock)
        self.failures = 0
        self._server = server
        self._client = client
        build_everything(self.pipeline, self.keys)
        self.before = contents(self.pipeline, self.keys)

    def damage(self, write: Callable[[Redis], object]) -> None:
        """Damage a stored record."""
        write(self._client)

    def put_item(self, document: Document | bytes, pid: str) -> None:
        """Write a catalogue document and let the intake follow it."""
        content = document if isinstance(document, bytes) else orjson.dumps(document)
        self._client.set(f"catalogue:{pid}", content)
        self.pipeline.catalogue_intake.handle([catalogue_message(1, self.sample.catalogue[pid])])

    def retitle_all_but(self, pid: str) -> None:
        """Give every other brand a new title and announce it."""
        for item in self.sample.catalogue.values():
            if item["type"] == "brand" and item["pid"] != pid:
                self.put_item({**item, "title": f"New: {item['title']}"}, item["pid"])

    def mark(self, keys: Sequence[ScheduleKey]) -> None:
        cause = Cause("a test", Origin.OPERATOR, "", self.clock())
        self.pipeline.store.work.mark([Mark(key, self.clock(), cause) for key in keys])

    def work_off(self) -> None:
        """Publish repeatedly until nothing is pending."""
        while not self.pipeline.store.work.backlog().is_empty:
            try:
                if self.pipeline.publisher.publish_next() is None:
                    self.clock.advance(timedelta(seconds=2))
            except InvalidRecord:
                self.failures += 1

    def from_scratch(self) -> dict[ScheduleKey, bytes]:
        """The result of a build from nothing."""
        scratch = pipeline_on(self._server, "scratch of poisoned", self.source, self.clock)
        build_everything(scratch, self.keys)
        return contents(scratch, self.keys)

    def now(self) -> dict[ScheduleKey, bytes]:
        return contents(self.pipeline, self.keys)


Mend = Callable[[Poisoned, Sequence[ScheduleKey]], None]


@pytest.fixture
def poisoned(redis_server: RedisServer, redis_client: Redis) -> Poisoned:
    return Poisoned(Server(redis_server.url, is_cluster=False), redis_client)


def _by_a_new_document(poisoned: Poisoned, keys: Sequence[ScheduleKey]) -> None:
    for key in keys:
        document = poisoned.sample.schedules[key.sid, key.date]
        poisoned.source.schedule_source.put(key, orjson.dumps(document))
        poisoned.pipeline.schedule_intake.handle([schedule_message(1, key)])


def _by_rebuilding(poisoned: Poisoned, keys: Sequence[ScheduleKey]) -> None:
    cause = Cause("a test", Origin.OPERATOR, "", poisoned.clock())
    poisoned.pipeline.publisher.rebuild_from_sources(keys, cause)


@pytest.mark.parametrize("mend", [_by_a_new_document, _by_rebuilding])
def test_a_poison_document_is_quarantined_alone_and_returns_when_mended(
    poisoned: Poisoned, mend: Mend
) -> None:
    """After its attempts it is quarantined with its last good version, while the others go on; a good document ends
    that.
    """
    poison = poisoned.keys[0]
    poisoned.damage(lambda client: client.hset(_KEYS.state(poison), "accepted", _DAMAGED))

    poisoned.retitle_all_but("")
    poisoned.mark([poison])
    poisoned.work_off()

    expected = poisoned.from_scratch()
    assert set(poisoned.pipeline.store.work.quarantined()) == {poison}
    assert poisoned.failures == 8
    assert poisoned.now() == {**expected, poison: poisoned.before[poison]}
    mend(poisoned, [poison])
    poisoned.work_off()
    assert poisoned.pipeline.store.work.quarantined() == {}
    assert poisoned.now() == expected


def test_a_poison_document_whose_source_is_rejected_keeps_what_partners_have(poisoned: Poisoned) -> None:
    """If neither the stored record nor the source can be read, nothing is removed."""
    poison = poisoned.keys[0]
    poisoned.damage(lambda client: client.hset(_KEYS.state(poison), "accepted", _DAMAGED))
    poisoned.source.schedule_source.put(poison, _DAMAGED)

    poisoned.pipeline.schedule_intake.handle([schedule_message(1, poison)])
    poisoned.work_off()

    assert set(poisoned.pipeline.store.work.quarantined()) == {poison}
    assert set(poisoned.pipeline.store.rejections.all()) == {str(poison)}
    assert poisoned.now() == poisoned.before


def _by_announcing(poisoned: Poisoned, keys: Sequence[ScheduleKey]) -> None:
    poisoned.put_item(poisoned.sample.catalogue[_widest_brand(poisoned)], _widest_brand(poisoned))


@pytest.mark.parametrize("mend", [_by_announcing, _by_rebuilding])
def test_a_damaged_copy_quarantines_its_schedules_until_it_is_mended(poisoned: Poisoned, mend: Mend) -> None:
    """The schedules below the item keep their last version, all others go on; the next notification repairs the
    copy.
    """
    pid = _widest_brand(poisoned)
    touched = _dependants(poisoned.pipeline, pid)
    poisoned.damage(lambda client: client.set(_KEYS.copy(Pid(pid)), _DAMAGED))

    poisoned.retitle_all_but(pid)
    poisoned.mark(touched)
    poisoned.work_off()

    expected = poisoned.from_scratch()
    assert set(poisoned.pipeline.store.work.quarantined()) == set(touched)
    assert poisoned.now() == {**expected, **{key: poisoned.before[key] for key in touched}}
    mend(poisoned, touched)
    poisoned.work_off()
    assert poisoned.pipeline.store.work.quarantined() == {}
    assert poisoned.now() == expected


def test_a_catalogue_document_that_cannot_be_read_changes_nothing_until_a_valid_one_comes(
    poisoned: Poisoned,
) -> None:
    """The copy stays and the rejection is stored, while changes of other items go on."""
    pid = _widest_brand(poisoned)

    poisoned.put_item(b"{", pid)
    poisoned.retitle_all_but(pid)
    poisoned.work_off()

    assert set(poisoned.pipeline.store.rejections.all()) == {pid}
    poisoned.put_item(poisoned.sample.catalogue[pid], pid)
    poisoned.work_off()
    assert poisoned.pipeline.store.rejections.all() == {}
    assert poisoned.now() == poisoned.from_scratch()
    assert poisoned.failures == 0


def _widest_brand(poisoned: Poisoned) -> str:
    brands = [pid for pid, item in poisoned.sample.catalogue.items() if item["type"] == "brand"]
    return max(brands, key=lambda pid: (len(_dependants(poisoned.pipeline, pid)), pid))


def _dependants(pipeline: Pipeline, pid: str) -> list[ScheduleKey]:
    references = pipeline.store.references.references([Pid(pid)])[Pid(pid)]
    return sorted({reference.key for reference in references})
