"""The records that following a catalogue item leaves, beyond those of the simulation."""

from builders import as_release_0_1_0
from toy_world import World

from schedules_pipeline.documents.catalogue_document import PROJECTION
from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.publishing.ports.catalogue import CopyUpdate

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


def test_a_copy_of_a_newer_release_is_never_equal() -> None:
    """A process that follows an item cannot tell whether fields changed that it does not know: it propagates."""
    world = World()
    copies = world.store.copies
    world.upstreams.catalogue_source.documents[_PID] = (
        b'{"pid": "b00000001", "type": "brand", "title": "One"}'
    )
    world.pipeline.follower.insert_if_absent([_PID])
    copy = copies.read([_PID])[_PID]
    newer = copy.replace(
        b'{"projection":%d,' % PROJECTION, b'{"projection":%d,"more":"x",' % (PROJECTION + 1)
    )
    copies.store({_PID: CopyUpdate(copies.begin([_PID])[_PID].token, newer)})

    followed = world.pipeline.follower.follow({_PID: world.cause(Origin.CATALOGUE)})

    assert set(followed.changed) == {_PID}
    assert copies.read([_PID])[_PID] == copy


def test_an_equal_copy_of_an_older_release_is_restated() -> None:
    """The copy gets the form of this release, and the item counts as unchanged."""
    world = World()
    copies = world.store.copies
    world.upstreams.catalogue_source.documents[_PID] = (
        b'{"pid": "b00000001", "type": "brand", "title": "One"}'
    )
    world.pipeline.follower.insert_if_absent([_PID])
    copy = copies.read([_PID])[_PID]
    copies.store({_PID: CopyUpdate(copies.begin([_PID])[_PID].token, as_release_0_1_0(_PID, copy))})

    followed = world.pipeline.follower.follow({_PID: world.cause(Origin.CATALOGUE)})

    assert followed.unchanged == {_PID}
    assert copies.read([_PID])[_PID] == copy
