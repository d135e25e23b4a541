"""The records that following a catalogue item leaves, beyond those of the simulation."""

import orjson
import pytest
from builders import as_release_0_1_0
from toy_world import World

from schedules_pipeline.documents.catalogue_document import PROJECTION, is_outdated
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


@pytest.mark.parametrize("text", ["", "\u200b", "\u00ad \ufeff"])
def test_an_empty_text_in_another_spelling_changes_nothing(text: str) -> None:
    """Whether a warning is null, empty or invisible, its item stays the same, and so no schedule gets a version."""
    world = World()
    documents = world.upstreams.catalogue_source.documents
    item = {"pid": _PID, "type": "episode", "title": "One", "warning_text": None, "synopses": None}
    documents[_PID] = orjson.dumps(item)
    world.pipeline.follower.insert_if_absent([_PID])

    results = []
    for spelled in (text, None, text):
        synopses = {"short": spelled, "medium": spelled, "long": spelled}
        documents[_PID] = orjson.dumps(item | {"warning_text": spelled, "synopses": synopses})
        results.append(world.pipeline.follower.follow({_PID: world.cause(Origin.CATALOGUE)}))

    assert [result.unchanged for result in results] == [{_PID}] * 3


def test_a_copy_made_by_earlier_rules_is_reread_when_it_is_used() -> None:
    """An item whose empty warning an earlier release kept changes once; an item without one is restated."""
    world = World()
    copies, other = world.store.copies, Pid("b00000002")
    for pid, warning in ((_PID, ""), (other, None)):
        world.upstreams.catalogue_source.documents[pid] = orjson.dumps(
            {"pid": pid, "type": "episode", "title": "One", "warning_text": warning}
        )
    world.pipeline.follower.insert_if_absent([_PID, other])
    current = copies.read([_PID, other])
    current_mark, earlier_mark = (b'{"projection":%d,' % number for number in (PROJECTION, PROJECTION - 1))
    earlier = {pid: copy.replace(current_mark, earlier_mark) for pid, copy in current.items()}
    earlier[_PID] = earlier[_PID].replace(b',"v"', b',"warning_text":"","v"')
    copies.store({pid: CopyUpdate(copies.begin([pid])[pid].token, copy) for pid, copy in earlier.items()})

    outdated = {pid for pid, copy in copies.read([_PID, other]).items() if is_outdated(copy)}
    followed = world.pipeline.follower.follow(dict.fromkeys([_PID, other], world.cause(Origin.CATALOGUE)))

    assert outdated == {_PID, other}
    assert set(followed.changed) == {_PID}
    assert followed.unchanged == {other}
    assert copies.read([_PID, other]) == current
