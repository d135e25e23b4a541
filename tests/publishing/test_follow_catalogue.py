"""The records that following a catalogue item leaves, beyond those of the simulation."""

from toy_world import World

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import Pid

_PID = Pid("b00000001")


def test_a_valid_document_ends_a_rejection() -> None:
    """A rejected document is listed and leaves the copy unchanged; the next valid one ends the rejection."""
    world = World()
    store, upstreams, pipeline = world.store, world.upstreams, world.pipeline
    cause = world.cause(Origin.CATALOGUE)
    upstreams.catalogue_source.documents[_PID] = b'{"pid": "b00000001", "type": "brand", "title": "One"}'
    pipeline.follower.insert_if_absent([_PID])
    held = store.copies.read([_PID])

    upstreams.catalogue_source.documents[_PID] = b'{"pid": "b00000001", "type": "brand", "title": 1}'
    rejected = pipeline.follower.follow({_PID: cause})
    listed = list(store.rejections.all())
    upstreams.catalogue_source.documents[_PID] = b'{"pid": "b00000001", "type": "brand", "title": "Two"}'
    mended = pipeline.follower.follow({_PID: cause})

    assert rejected.rejected == {_PID}
    assert listed == [_PID]
    assert held
    assert set(mended.changed) == {_PID}
    assert store.rejections.all() == {}
