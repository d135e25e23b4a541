"""Hostile messages through both intakes, and hostile documents all the way to what partners see.

Belongs here: what one world of fakes holds after each. Does not belong here: order, delay and death (``simulation``).
"""

from dataclasses import fields
from random import Random
from typing import Any

import orjson
import pytest
from fakes import FakeClock, FakeStore, fake_store, fake_upstreams, pipeline_over
from from_scratch import as_accepted, coldstart, contents, find_missing_entries, replay_feed
from fuzz.hostile import contents as hostile_contents
from fuzz.hostile import mutants, texts, thoroughly
from fuzz.parsers import (
    CATALOGUE_MESSAGES,
    KEY,
    PID,
    SCHEDULE_MESSAGES,
    catalogue_document,
    source_document,
)
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.broadcasts import render_joined, render_slot
from schedules_pipeline.documents.catalogue_document import (
    MAXIMUM_TEXT,
    MAXIMUM_TITLE,
    parse_catalogue_document,
)
from schedules_pipeline.documents.notification import (
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS, parse_source_document
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.errors import InvalidDocument, InvalidMessage
from schedules_pipeline.publishing.intake import IngestResult, ingest
from schedules_pipeline.publishing.ports import rejections
from schedules_pipeline.publishing.ports.upstream import SourceObject

_PIDS = (PID, Pid("s0000001"), Pid("b0000001"))
_SOURCES = (source_document(), source_document(broadcasts=4), source_document(broadcasts=1))
_ITEMS = (catalogue_document(), catalogue_document(parent="b0000001"), catalogue_document(parent=PID))


def _bodies(samples: tuple[bytes, ...]) -> st.SearchStrategy[list[str]]:
    """Up to twelve message bodies; bytes that are not UTF-8 are lone surrogates in them."""
    one = hostile_contents(samples).map(lambda content: content.decode(errors="surrogateescape"))
    return st.lists(one | texts, min_size=1, max_size=12)


class _World:
    """One pipeline over fakes."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)

    def take_in_all(self) -> IngestResult:
        """Until both queues are empty: that a message is deleted shows in that this ends."""
        taken = IngestResult()
        while not self.upstreams.schedule_queue.is_empty():
            taken += ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
        while not self.upstreams.catalogue_queue.is_empty():
            taken += ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0)
        return taken

    def settle(self) -> None:
        self.take_in_all()
        self.pipeline.publisher.publish_all()

    def announce_schedule(self) -> None:
        self.upstreams.schedule_queue.post(SCHEDULE_MESSAGES[0].decode())

    def announce_item(self, pid: Pid) -> None:
        self.upstreams.catalogue_queue.post(
            orjson.dumps({"action": "UPDATE", "type": "episode", "pid": pid}).decode()
        )

    def apart_from_the_journal(self) -> dict[str, str]:
        """The whole store without the rejections and the counters."""
        parts = [field.name for field in fields(self.store) if field.name not in ("rejections", "counters")]
        return {part: repr(_held(getattr(self.store, part))) for part in parts}

    def published(self) -> bytes | None:
        return contents(self.store.as_store(), [KEY]).get(KEY)


def _held(fake: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(fake).items() if isinstance(value, dict | list | set | int)}


def _counted(world: _World, name: str) -> int:
    """The sum of the counters of that name over all queues."""
    return sum(amount for counter, amount in world.store.counters.all().items() if counter.endswith(name))


def _is_rejected(parse: Any, body: str) -> bool:
    try:
        parse(body)
    except InvalidMessage:
        return True
    return False


def _is_rejected_in_part(body: str) -> bool:
    try:
        return parse_schedule_notification(body).unreadable is not None
    except InvalidMessage:
        return False


@thoroughly
@given(bodies=_bodies(SCHEDULE_MESSAGES))
def test_schedule_messages_of_any_kind_are_handled_or_rejected(bodies: list[str]) -> None:
    """Every message is counted and deleted; exactly those that say nothing are kept as refused."""
    world = _World()
    for body in bodies:
        world.upstreams.schedule_queue.post(body)

    taken = world.take_in_all()

    rejected = sum(_is_rejected(parse_schedule_notification, body) for body in bodies)
    in_part = sum(_is_rejected_in_part(body) for body in bodies)
    assert taken.received == len(bodies)
    assert len(taken.rejected) == len(world.store.rejections.all()) == rejected + in_part
    assert _counted(world, "messages refused") == rejected + in_part
    assert sum(taken.counts.values()) == len(bodies) - rejected
    assert world.upstreams.schedule_dead_letters.depth().waiting == rejected + in_part


@thoroughly
@given(bodies=_bodies(CATALOGUE_MESSAGES))
def test_catalogue_messages_of_any_kind_are_handled_or_rejected(bodies: list[str]) -> None:
    """Every message is counted and deleted; exactly those that say nothing are kept as refused."""
    world = _World()
    for body in bodies:
        world.upstreams.catalogue_queue.post(body)

    taken = world.take_in_all()

    rejected = sum(_is_rejected(parse_catalogue_notification, body) for body in bodies)
    assert taken.received == len(bodies)
    assert len(taken.rejected) == len(world.store.rejections.all()) == rejected
    assert _counted(world, "messages refused") == rejected
    assert world.upstreams.catalogue_dead_letters.depth().waiting == rejected


@thoroughly
@given(schedule_bodies=_bodies(SCHEDULE_MESSAGES), catalogue_bodies=_bodies(CATALOGUE_MESSAGES))
def test_rejected_messages_leave_no_other_trace(
    schedule_bodies: list[str], catalogue_bodies: list[str]
) -> None:
    """A rejected message changes nothing in the store but the record of rejections and the counters."""
    world = _World()
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()
    before = world.apart_from_the_journal()

    for body in schedule_bodies:
        if _is_rejected(parse_schedule_notification, body):
            world.upstreams.schedule_queue.post(body)
    for body in catalogue_bodies:
        if _is_rejected(parse_catalogue_notification, body):
            world.upstreams.catalogue_queue.post(body)
    world.take_in_all()

    assert world.apart_from_the_journal() == before


@thoroughly
@given(documents=st.lists(mutants(_SOURCES) | hostile_contents(_SOURCES), min_size=1, max_size=4))
def test_source_documents_of_any_kind_are_shown_or_rejected(documents: list[bytes]) -> None:
    """Each document replaces what partners see, or leaves it byte for byte and is kept as refused."""
    world = _World()
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()

    for content in documents:
        before = world.published()
        world.upstreams.schedule_source.put(KEY, content)
        world.announce_schedule()
        world.settle()

        rejection = world.store.rejections.all().get(str(KEY))
        assert world.store.work.backlog().is_empty
        assert not world.store.work.quarantined()
        assert (rejection is not None) == _must_be_rejected(content)
        if rejection is not None:
            assert world.published() == before
            assert len(rejection.excerpt) <= 2_000
    _assert_sound(world)


def _must_be_rejected(content: bytes) -> bool:
    try:
        parse_source_document(KEY, content)
    except InvalidDocument:
        return True
    return False


@thoroughly
@given(
    documents=st.lists(
        st.tuples(st.sampled_from(_PIDS), mutants(_ITEMS) | hostile_contents(_ITEMS)), min_size=1, max_size=4
    )
)
def test_catalogue_documents_of_any_kind_are_shown_or_rejected(documents: list[tuple[Pid, bytes]]) -> None:
    """Each document becomes the next published version, or is recorded as rejected and leaves the published bytes
    unchanged.
    """
    world = _World()
    for pid in _PIDS:
        world.upstreams.catalogue_source.documents[pid] = catalogue_document(pid, parent=None)
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()

    for pid, content in documents:
        before = world.published()
        world.upstreams.catalogue_source.documents[pid] = content
        world.announce_item(pid)
        world.settle()

        assert world.store.work.backlog().is_empty
        assert not world.store.work.quarantined()
        if not _is_item(pid, content):
            assert world.published() == before
    _assert_sound(world)


def _is_item(pid: Pid, content: bytes) -> bool:
    try:
        parse_catalogue_document(pid, content)
    except InvalidDocument:
        return False
    return True


def _assert_sound(world: _World) -> None:
    """The published schedules equal a coldstart from the pipeline's copies, in standard JSON."""
    store = world.store.as_store()
    assert contents(store, [KEY]) == coldstart(as_accepted(store, [KEY], _PIDS), [KEY])
    assert find_missing_entries(store, [KEY], _PIDS) == []
    assert replay_feed(store)[KEY].seq == orjson.loads(store.schedules.documents([KEY])[KEY])["seq"]


def test_flood_of_rejected_messages_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest rejected messages are kept to look into; all are deleted and counted, and fill nothing."""
    monkeypatch.setattr(rejections, "MOST_REJECTIONS", 5)
    world = _World()
    for _ in range(100):
        world.upstreams.schedule_queue.post("{")
        world.upstreams.catalogue_queue.post("[]")

    world.take_in_all()

    assert _counted(world, "messages refused") == 200
    assert len(world.store.rejections.all()) == 5


def test_largest_document_there_can_be_fits_into_redis() -> None:
    """Texts at their limits, of characters that take six bytes each, in every broadcast that there may be, stay
    below the 512 MiB of a Redis string: no content can make a build fail by its size.
    """
    title, text = "\0" * MAXIMUM_TITLE, "\0" * MAXIMUM_TEXT
    chain = [CatalogueItem(Pid(f"p{n:031}"), Kind.BRAND, title, Pid(f"p{n + 1:031}")) for n in range(1, 9)]
    items = {item.pid: item for item in chain}
    episode = Pid(f"p{0:031}")
    synopses = Synopses(text, text, text)
    items[episode] = CatalogueItem(episode, Kind.EPISODE, title, chain[0].pid, title, synopses, text)
    (broadcast,) = parse_source_document(KEY, source_document(broadcasts=1)).schedule.slots

    programme = render_joined(resolve_programme(episode, items.get).items)

    assert len(programme) > 100_000
    assert (len(render_slot(broadcast)) + 200 + len(programme)) * MAXIMUM_BROADCASTS < 512 * 1024 * 1024


def test_too_large_source_document_is_rejected_unread() -> None:
    """A document that the source read only in part is rejected by its size, and the published version stays."""
    world = _World()
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()
    before = world.published()

    world.upstreams.schedule_source.objects[KEY] = SourceObject(source_document()[:50], "put 2", 7_000_000)
    world.announce_schedule()
    world.settle()

    rejection = world.store.rejections.all()[str(KEY)]
    assert "7,000,050 bytes are more than a document may have" in rejection.reason
    assert world.published() == before
    assert world.store.work.backlog().is_empty


def test_document_that_cannot_be_decoded_is_rejected() -> None:
    """The rejection names the fault of the object's encoding, and partners keep the last good version."""
    world = _World()
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()
    before = world.published()

    world.upstreams.schedule_source.objects[KEY] = SourceObject(b"?", "put 2", defect="it is not gzip")
    world.announce_schedule()
    world.settle()

    assert world.store.rejections.all()[str(KEY)].reason == f"schedule {KEY}: it is not gzip"
    assert world.published() == before


def test_too_large_catalogue_document_is_rejected() -> None:
    """A catalogue document above the limit leaves our copy, and what partners see, as they are."""
    world = _World()
    world.upstreams.catalogue_source.documents[PID] = catalogue_document(parent=None)
    world.upstreams.schedule_source.put(KEY, source_document())
    world.announce_schedule()
    world.settle()
    before = world.published()

    larger = orjson.loads(catalogue_document(parent=None)) | {"title": "Another", "unknown": "x" * 1_000_000}
    world.upstreams.catalogue_source.documents[PID] = orjson.dumps(larger)
    world.announce_item(PID)
    world.settle()

    assert "bytes are more than a document may have" in world.store.rejections.all()[PID].reason
    assert world.published() == before
