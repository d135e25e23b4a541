"""Resolving the programmes of a batch while the world goes on."""

from collections.abc import Sequence
from random import Random

import orjson
import pytest
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.dependencies import Entry, EpisodeMention
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.resolve_programmes import Need, ProgrammeResolver

_FIRST, _SECOND = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")
_EPISODE, _OTHER, _BRAND = Pid("p0000001"), Pid("p0000002"), Pid("b0000001")
_BROADCAST = Pid("w0000001")


def _needs(episode: Pid) -> Need:
    return Need({episode}, [EpisodeMention(episode, _BROADCAST)], frozenset())


def _item(pid: Pid, kind: str, parent: Pid | None = None) -> bytes:
    return orjson.dumps({"pid": pid, "type": kind, "title": f"the {kind}", "parent_pid": parent})


def test_what_is_registered_later_is_asked_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that the source lacked when one schedule of the batch was registered for it, and that came while
    nobody was, is found by another schedule of the batch that is registered for it afterwards.
    """
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    follower = pipeline_over(store.as_store(), upstreams, clock).follower
    documents = upstreams.catalogue_source.documents
    documents[_EPISODE], documents[_OTHER] = (_item(pid, "episode", _BRAND) for pid in (_EPISODE, _OTHER))
    follower.insert_if_absent([_EPISODE])
    insert_if_absent = CatalogueFollower.insert_if_absent

    def plant_while_the_brand_arrives(self: CatalogueFollower, pids: Sequence[Pid]) -> None:
        insert_if_absent(self, pids)
        if _BRAND not in documents:
            documents[_BRAND] = _item(_BRAND, "brand")
            store.references.unregister({_FIRST: [Entry(_BRAND)]}, 9)
            self.follow({_BRAND: Cause("event 1", Origin.CATALOGUE, _BRAND, clock())})

    monkeypatch.setattr(CatalogueFollower, "insert_if_absent", plant_while_the_brand_arrives)
    resolver = ProgrammeResolver(store.as_store(), follower, 1, None)

    programmes = resolver.resolve({_FIRST: _needs(_EPISODE), _SECOND: _needs(_OTHER)}).programmes

    brand = programmes[_OTHER].programme.brand
    assert brand is not None
    assert brand.title == "the brand"
