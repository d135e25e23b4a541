"""Showings as answers spell them: no other than the documents do."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from builders import a_slot
from delivery.guides import NOON, key, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.broadcasts import (
    airing_fields,
    broadcast_fields,
    render_instant,
    render_joined,
    render_json,
    render_slot,
    split_broadcasts,
)
from schedules_pipeline.documents.partner_document import (
    Publication,
    fill,
    hash_content,
    parse_published,
    render_document,
)
from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.domain.schedule import Slot, in_order
from schedules_pipeline.errors import InvalidRecord

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 10))
_EPISODE, _SERIES, _BRAND = Pid("p0000001"), Pid("s0000001"), Pid("b0000001")
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_episodes = st.builds(
    CatalogueItem,
    st.just(_EPISODE),
    st.just(Kind.EPISODE),
    _texts,
    st.sampled_from([None, _SERIES, _BRAND]),
    _texts,
    st.builds(Synopses, _texts, _texts, _texts),
    st.none() | _texts,
)
_ancestors = st.fixed_dictionaries(
    {},
    optional={
        _SERIES: st.builds(CatalogueItem, st.just(_SERIES), st.just(Kind.SERIES), _texts, st.just(_BRAND)),
        _BRAND: st.builds(CatalogueItem, st.just(_BRAND), st.just(Kind.BRAND), _texts, st.none()),
    },
)
_slots = st.builds(
    lambda number, minutes, episode, flags: a_slot(
        number,
        datetime(2026, 3, 10, 6, tzinfo=UTC) + timedelta(minutes=minutes),
        60,
        version_pid=Pid("v0000001") if episode else None,
        episode_pid=episode,
        **flags,
    ),
    st.integers(0, 9_999_999),
    st.integers(0, 1_440),
    st.sampled_from([None, _EPISODE, Pid("p0000002")]),
    st.fixed_dictionaries(
        dict.fromkeys(("is_repeat", "is_blanked", "is_signed", "is_audio_described"), st.booleans())
    ),
)


def _document(slots: list[Slot], catalogue: dict[Pid, CatalogueItem]) -> bytes:
    """As the pipeline publishes it."""
    listed = in_order(slots)
    found = [
        resolve_programme(slot.episode_pid, catalogue.get).items if slot.episode_pid else ()
        for slot in listed
    ]
    content = fill([render_slot(slot) for slot in listed], map(render_joined, found))
    return render_document(_KEY, Publication(1, NOON, hash_content(content)), content)


@given(st.lists(_slots, max_size=4, unique_by=lambda b: b.broadcast_pid), _episodes, _ancestors)
def test_showing_is_spelt_as_in_its_document(
    slots: list[Slot], episode: CatalogueItem, ancestors: dict[Pid, CatalogueItem]
) -> None:
    """A showing that is read from a document and rendered has the very bytes that it has there."""
    document = _document(slots, {episode.pid: episode} | ancestors)

    rendered = render_json([broadcast_fields(shown) for shown in parse_published(document).broadcasts])

    assert document.endswith(b'"broadcasts":' + rendered + b"}")


@given(st.lists(_slots, max_size=4, unique_by=lambda b: b.broadcast_pid), _episodes, _ancestors)
def test_halves_are_what_the_document_was_put_together_from(
    slots: list[Slot], episode: CatalogueItem, ancestors: dict[Pid, CatalogueItem]
) -> None:
    """Splitting a document gives the joined halves and their lookup keys."""
    document = _document(slots, {episode.pid: episode} | ancestors)

    halves = split_broadcasts(document)

    content = b",".join(b"{" + half.slot + b"," + half.programme + b"}" for half in halves)
    assert document.endswith(b'"broadcasts":[' + content + b"]}")
    shown = parse_published(document).broadcasts
    assert [half[:3] for half in halves] == [
        (s.broadcast_pid, render_instant(s.start), s.episode.pid if s.episode else "") for s in shown
    ]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"broadcasts":[{}]}', b'{"broadcasts":[1]}'])
def test_other_documents_are_not_taken_apart(document: bytes) -> None:
    """A document of another form is rejected."""
    with pytest.raises(InvalidRecord, match="cannot be decoded"):
        split_broadcasts(document)


def test_airing_names_its_service_and_day() -> None:
    """An airing is its broadcast beside the service and the broadcast day of the schedule that lists it."""
    airing = Airing(key(days=1), showing(1, NOON))

    fields = orjson.loads(render_json(airing_fields(airing)))

    assert list(fields) == ["sid", "date", "broadcast"]
    assert (fields["sid"], fields["date"]) == ("alder_one", "2026-03-11")
    assert fields["broadcast"]["start"] == "2026-03-10T12:00:00Z"
