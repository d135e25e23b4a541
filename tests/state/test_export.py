"""Exports in a bucket: how many are kept, what is recorded, and the guard against exports of an emptied keyspace."""

from datetime import timedelta

import pytest
from push_stage import DiesAt, FakeFileStore, Killed
from state.restoring import Restored, emptied, world_with_state
from toy_world import World

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.state.document import parse_state
from schedules_pipeline.state.export import ExportFiles, StateExporter, StateLost


def _exporter(of: World | Restored) -> StateExporter:
    pipeline: Pipeline = of.pipeline
    return StateExporter(pipeline.store, pipeline.upstreams.catalogue_source, "schedules", pipeline.clock)


def test_the_latest_exports_are_kept_and_each_is_a_pass() -> None:
    """The names are in the order of time, and other objects of the bucket stay."""
    world, _ = world_with_state()
    files = FakeFileStore(DiesAt())
    files.objects = {"state/notes.txt": b"mine", "other/20200101T000000Z.json": b"another keyspace's"}
    bucket, exporter = ExportFiles(files, "state/", 2), _exporter(world)

    for _ in range(3):
        world.clock.advance(timedelta(hours=1))
        report = exporter.export_to(bucket)

    assert bucket.names() == ["state/20260328T140000Z.json", "state/20260328T150000Z.json"]
    assert len(files.objects) == 4
    assert parse_state(files.objects[bucket.names()[1]]).partners == tuple(world.store.partners.all())
    passed = world.store.passes.all()[PassName.STATE_EXPORT]
    assert (passed.latest, passed.runs, report.counts["partners"]) == (report, 3, 1)


def test_an_emptied_keyspace_pushes_no_good_export_out() -> None:
    """The pass fails until an import has restored the state."""
    world, _ = world_with_state()
    bucket = ExportFiles(FakeFileStore(DiesAt()), "state/", 2)
    _exporter(world).export_to(bucket)
    restored = emptied(world)
    exporter = _exporter(restored)
    world.clock.advance(timedelta(hours=1))

    with pytest.raises(StateLost, match="lost its partners"):
        exporter.export_to(bucket)
    failed = restored.store.passes.all()[PassName.STATE_EXPORT]
    content = bucket.files.read(bucket.names()[-1])
    assert content is not None
    restored.restore(parse_state(content))
    exporter.export_to(bucket)

    assert not failed.latest.succeeded
    assert len(bucket.names()) == 2


def test_an_installation_without_partners_has_exports_too() -> None:
    """Nothing was lost where nothing was ever created."""
    world = World()
    bucket = ExportFiles(FakeFileStore(DiesAt()), "", 2)

    for _ in range(2):
        world.clock.advance(timedelta(hours=1))
        _exporter(world).export_to(bucket)

    assert len(bucket.names()) == 2


def test_an_export_that_dies_leaves_a_whole_one() -> None:
    """Old exports go only once the new one is written."""
    world, _ = world_with_state()
    conditions = DiesAt()
    files = FakeFileStore(conditions)
    bucket, exporter = ExportFiles(files, "", 1), _exporter(world)
    exporter.export_to(bucket)
    for steps in range(3):
        world.clock.advance(timedelta(hours=1))
        conditions.left = steps
        with pytest.raises(Killed):
            exporter.export_to(bucket)

        assert all(parse_state(content).partners for content in files.objects.values())
        assert files.objects
