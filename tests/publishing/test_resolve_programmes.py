"""Resolving the programmes of a batch while catalogue items change."""

from collections.abc import Sequence

import orjson
import pytest
from toy_world import World

from schedules_pipeline.domain.causes import Origin
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


def test_a_later_registration_asks_the_source_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source lacks a brand when the first schedule of a batch is registered for it. The brand arrives while no
    schedule is registered. The second schedule of the batch, registered afterwards, shows it.
    """
    world = World()
    follower, documents = world.pipeline.follower, world.upstreams.catalogue_source.documents
    documents[_EPISODE], documents[_OTHER] = (_item(pid, "episode", _BRAND) for pid in (_EPISODE, _OTHER))
    follower.insert_if_absent([_EPISODE])
    insert_if_absent = CatalogueFollower.insert_if_absent

    def insert_while_the_brand_arrives(self: CatalogueFollower, pids: Sequence[Pid]) -> None:
        insert_if_absent(self, pids)
        if _BRAND not in documents:
            documents[_BRAND] = _item(_BRAND, "brand")
            world.store.references.unregister({_FIRST: [Entry(_BRAND)]}, 9)
            self.follow({_BRAND: world.cause(Origin.CATALOGUE)})

    monkeypatch.setattr(CatalogueFollower, "insert_if_absent", insert_while_the_brand_arrives)
    resolver = ProgrammeResolver(world.store.as_store(), follower, 1, None)

    programmes = resolver.resolve({_FIRST: _needs(_EPISODE), _SECOND: _needs(_OTHER)}).programmes

    brand = programmes[_OTHER].programme.brand
    assert brand is not None
    assert brand.title == "the brand"
