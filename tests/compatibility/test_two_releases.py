"""A publisher of an earlier release and one of this release work on one keyspace at once, and converge, while this
release stores plain content (``SCHEDULES_STORED_COMPRESSED``). Compressed content stops the earlier one.

Every later change of a stored format passes this test: the wheel stays, and a release whose records differ adds its
own. The wheel was built before ``presentation_title`` and ``position`` were added.
"""

import ast
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Self
from zipfile import ZipFile

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from workers import (
    Server,
    Workers,
    assert_announced_once,
    build_everything,
    contents,
    load_sample,
    pipeline_on,
    write_item,
)

from demo.sample import Sample
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.partner_document import hash_content, split_document
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.store.schedules import StorageForm

_HERE = Path(__file__).parent
_WHEELS = sorted(_HERE.glob("*.whl"))
_CHANGES = 40
_COMPRESSED, _PLAIN = StorageForm(), StorageForm(is_compressed=False)


def new_fields_since(wheel: Path) -> frozenset[str]:
    """The fields of the catalogue that this release reads and the earlier one does not know."""
    with ZipFile(wheel) as archive:
        module = ast.parse(archive.read("schedules_pipeline/domain/catalogue.py"))
    (item,) = (n for n in module.body if isinstance(n, ast.ClassDef) and n.name == CatalogueItem.__name__)
    known = {
        n.target.id for n in item.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    }
    return frozenset(field.name for field in fields(CatalogueItem)) - known


class EarlierPublisher:
    """The child process."""

    def __init__(self, wheel: Path, server: Server, keyspace: str) -> None:
        command = [sys.executable, str(_HERE / "earlier_publisher.py"), str(wheel), server.url, keyspace]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_HERE, env={}
        )

    def handle(self, kind: str, subject: str) -> None:
        """Have it handle a notification."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{kind} {subject}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "handled\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=120)

    @property
    def has_failed(self) -> bool:
        return self._process.returncode != 0


def readable_by_earlier(wheel: Path, server: Server, keyspace: str) -> int:
    """How many schedules the earlier release's delivery service can serve."""
    command = [sys.executable, str(_HERE / "earlier_publisher.py"), str(wheel), server.url, keyspace, "read"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_HERE, env={}, check=True, timeout=120)
    return int(done.stdout.splitlines()[-1])


class World:
    """The invented broadcaster's day, as both publishers see it, without the catalogue's fields in ``withheld``."""

    def __init__(self, server: Server, *, withheld: frozenset[str] = frozenset()) -> None:
        self.server = server
        self.source: FakeUpstreams = fake_upstreams(FakeClock(), Random(0))
        self.sample: Sample
        self.sample, self.keys = load_sample(server, self.source)
        self._link = server.link()
        self._withheld = withheld
        self.items = {pid: self._allowed(item) for pid, item in self.sample.catalogue.items()}
        self._link.run([write_item(item) for item in self.items.values()])
        for key in self.keys:
            self.put(key, self.document(key))

    def pipeline(self, keyspace: str, form: StorageForm = _COMPRESSED) -> Pipeline:
        pipeline = pipeline_on(self.server, keyspace, self.source)
        store = redis_store(self.server.link(), keyspace, form)
        return Pipeline(store, pipeline.upstreams, pipeline.calendar, pipeline.clock)

    def document(self, key: ScheduleKey) -> dict[str, Any]:
        return dict(self.sample.schedules[str(key.sid), key.date])

    def put(self, key: ScheduleKey, document: Mapping[str, Any]) -> None:
        content = orjson.dumps(document)
        self.source.schedule_source.put(key, content)
        self._link.call("HSET", "bucket", str(key), content)

    def change(self, random: Random, number: int) -> tuple[str, str]:
        """Change an item or a schedule; returns its notification."""
        if random.random() < 0.3:
            key = random.choice(self.keys)
            document = self.document(key)
            document["broadcasts"] = document["broadcasts"][number % 3 :]
            self.put(key, document)
            return "schedule", str(key)
        item = self.items[random.choice(sorted(self.items))]
        name = "presentation_title" if not self._withheld and number % 2 else "title"
        self._link.run([write_item({**item, name: f"Title {number}"})])
        return "item", item["pid"]

    def _allowed(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in item.items() if n not in self._withheld}


def handle(pipeline: Pipeline, kind: str, subject: str) -> None:
    """Handle a notification in this process, as the earlier publisher does in its own."""
    origin = Origin.CATALOGUE if kind == "item" else Origin.SCHEDULE
    cause = Cause("this release", origin, subject, pipeline.clock())
    if kind == "item":
        pipeline.follower.follow({Pid(subject): cause})
    else:
        key = ScheduleKey.parse(subject)
        pipeline.store.schedules.count_source_change([key])
        pipeline.store.work.mark([Mark(key, pipeline.clock(), cause)])


def run_together(world: World, wheel: Path) -> tuple[Pipeline, EarlierPublisher]:
    """Both publishers work while changes come, and each handles a half of the notifications."""
    shared = world.pipeline("shared", _PLAIN)
    build_everything(shared, world.keys)
    workers, random = Workers(), Random(1)
    workers.publisher(world.pipeline("shared", _PLAIN))
    with EarlierPublisher(wheel, world.server, "shared") as earlier, workers:
        for number in range(_CHANGES):
            notification = world.change(random, number)
            for _ in range(random.choice([1, 1, 2])):
                if random.random() < 0.5:
                    earlier.handle(*notification)
                else:
                    handle(shared, *notification)
    shared.publisher.publish_all()
    assert not shared.store.work.quarantined()
    return shared, earlier


def assert_nothing_is_published_twice(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    """No version of a schedule has the content of the version before it."""
    for key in keys:
        versions = pipeline.store.versions.versions(key)
        assert all(one.etag != other.etag for one, other in pairwise(versions))


def rebuild(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    cause = Cause("upgrade", Origin.OPERATOR, "", pipeline.clock())
    pipeline.store.work.mark([Mark(key, pipeline.clock(), cause) for key in keys])
    pipeline.publisher.publish_all()


def assert_as_from_scratch(pipeline: Pipeline, world: World) -> None:
    scratch = world.pipeline("scratch")
    build_everything(scratch, world.keys)
    assert contents(pipeline, world.keys) == contents(scratch, world.keys)


def assert_every_version_is_read(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    """The document of every listed version has the content that its row names."""
    for key in keys:
        for version in pipeline.store.versions.versions(key):
            document = pipeline.store.versions.document(key, version.seq)
            found = "" if document is None else hash_content(split_document(document)[1])
            assert found == version.etag


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    request.getfixturevalue("redis_client")
    return Server(request.getfixturevalue("redis_server").url, is_cluster=False)


@pytest.mark.parametrize("wheel", _WHEELS, ids=lambda wheel: wheel.name.split("-")[1])
def test_two_releases_converge(server: Server, wheel: Path) -> None:
    """While no document has new fields, every version is that of a build from scratch, and none is published twice."""
    world = World(server, withheld=new_fields_since(wheel))

    shared, earlier = run_together(world, wheel)

    assert not earlier.has_failed
    assert readable_by_earlier(wheel, server, "shared") == len(world.keys)
    assert_as_from_scratch(shared, world)
    assert_announced_once(shared)
    assert_nothing_is_published_twice(shared, world.keys)


@pytest.mark.parametrize("wheel", _WHEELS, ids=lambda wheel: wheel.name.split("-")[1])
def test_new_fields_are_complete_once_the_earlier_release_has_left(server: Server, wheel: Path) -> None:
    """The next build of each schedule adds the new fields that the earlier publisher left out."""
    world = World(server)
    shared, earlier = run_together(world, wheel)

    rebuild(shared, world.keys)

    assert not earlier.has_failed
    assert_as_from_scratch(shared, world)
    assert_announced_once(shared)


@pytest.mark.parametrize("wheel", _WHEELS, ids=lambda wheel: wheel.name.split("-")[1])
def test_content_is_compressed_once_the_earlier_release_has_left(server: Server, wheel: Path) -> None:
    """The same content is no new version, every earlier version is still read, and what changes is compressed."""
    world = World(server, withheld=new_fields_since(wheel))
    before, _ = run_together(world, wheel)
    versions = {key: before.store.versions.versions(key) for key in world.keys}
    after = world.pipeline("shared", _COMPRESSED)

    rebuild(after, world.keys)

    assert {key: after.store.versions.versions(key) for key in world.keys} == versions
    assert_every_version_is_read(after, world.keys)
    for number in range(3):
        handle(after, *world.change(Random(number), number))
        after.publisher.publish_all()
        after.store.versions.compact(world.keys)
        assert_every_version_is_read(after, world.keys)
    assert_as_from_scratch(after, world)


@pytest.mark.parametrize("wheel", _WHEELS, ids=lambda wheel: wheel.name.split("-")[1])
def test_an_earlier_publisher_stops_at_compressed_content(server: Server, wheel: Path) -> None:
    """In the wrong order of the upgrade the earlier publisher fails and publishes nothing wrong; the earlier delivery
    service can serve only what the earlier publisher wrote before it failed.
    """
    world = World(server, withheld=new_fields_since(wheel))

    shared, random = world.pipeline("shared"), Random(1)
    build_everything(shared, world.keys)
    with EarlierPublisher(wheel, server, "shared") as earlier:
        for number in range(_CHANGES):
            earlier.handle(*world.change(random, number))

    assert earlier.has_failed
    assert readable_by_earlier(wheel, server, "shared") < len(world.keys) / 2
    rebuild(shared, world.keys)
    assert_as_from_scratch(shared, world)
    assert_every_version_is_read(shared, world.keys)
