"""What following a catalogue item leaves behind, beyond what the simulation judges."""

from random import Random

from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid

_PID = Pid("b00000001")


def test_a_mended_item_is_no_longer_listed_as_rejected() -> None:
    """A refused document leaves the copy as it is and is listed; the next valid one clears the list."""
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    pipeline = pipeline_over(store.as_store(), upstreams, clock)
    cause = Cause("e", Origin.CATALOGUE, _PID, clock())
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
