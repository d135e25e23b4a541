"""Showings as answers spell them: no other than the documents do."""

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from delivery.guides import NOON, key, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.partner_document import (
    NO_PROGRAMME,
    Publication,
    fill,
    hash_content,
    render_document,
    render_programme,
    render_slot,
)
from schedules_pipeline.documents.published_schedule import parse_published
from schedules_pipeline.documents.showing import (
    airing_fields,
    render_instant,
    render_json,
    showing_fields,
    split_broadcasts,
)
from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.domain.schedule import Broadcast, in_order
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
_broadcasts = st.builds(
    lambda number, minutes, episode, flags: Broadcast(
        Pid(f"w{number:07}"),
        Pid("v0000001") if episode else None,
        episode,
        datetime(2026, 3, 10, 6, tzinfo=UTC) + timedelta(minutes=minutes),
        datetime(2026, 3, 10, 7, tzinfo=UTC) + timedelta(minutes=minutes),
        *flags,
    ),
    st.integers(0, 9_999_999),
    st.integers(0, 1_440),
    st.sampled_from([None, _EPISODE, Pid("p0000002")]),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)


def _document(broadcasts: list[Broadcast], catalogue: dict[Pid, CatalogueItem]) -> bytes:
    """As the pipeline publishes it."""
    listed = in_order(broadcasts)
    programmes = [
        render_programme(resolve_programme(b.episode_pid, catalogue.get)) if b.episode_pid else NO_PROGRAMME
        for b in listed
    ]
    content = fill([render_slot(b) for b in listed], programmes)
    return render_document(_KEY, Publication(1, NOON, hash_content(content)), content)


@given(st.lists(_broadcasts, max_size=4, unique_by=lambda b: b.broadcast_pid), _episodes, _ancestors)
def test_showing_is_spelt_as_in_its_document(
    broadcasts: list[Broadcast], episode: CatalogueItem, ancestors: dict[Pid, CatalogueItem]
) -> None:
    """A showing that is read from a document and rendered has the very bytes that it has there."""
    document = _document(broadcasts, {episode.pid: episode} | ancestors)

    rendered = render_json([showing_fields(shown) for shown in parse_published(document).showings])

    assert document.endswith(b'"broadcasts":' + rendered + b"}")


@given(st.lists(_broadcasts, max_size=4, unique_by=lambda b: b.broadcast_pid), _episodes, _ancestors)
def test_halves_are_what_the_document_was_put_together_from(
    broadcasts: list[Broadcast], episode: CatalogueItem, ancestors: dict[Pid, CatalogueItem]
) -> None:
    """A document that is taken apart gives the very halves that were joined in it, and what they are found by."""
    document = _document(broadcasts, {episode.pid: episode} | ancestors)

    halves = split_broadcasts(document)

    content = b",".join(b"{" + half.slot + b"," + half.programme + b"}" for half in halves)
    assert document.endswith(b'"broadcasts":[' + content + b"]}")
    shown = parse_published(document).showings
    assert [half[:3] for half in halves] == [
        (s.broadcast_pid, render_instant(s.start), s.episode.pid if s.episode else "") for s in shown
    ]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"broadcasts":[{}]}', b'{"broadcasts":[1]}'])
def test_other_documents_are_not_taken_apart(document: bytes) -> None:
    """What is no document of ours is refused, and not answered with something else."""
    with pytest.raises(InvalidRecord, match="none of ours"):
        split_broadcasts(document)


def test_airing_names_its_service_and_day() -> None:
    """An airing is its broadcast beside the service and the broadcast day of the schedule that lists it."""
    airing = Airing(key(days=1), showing(1, NOON))

    fields = orjson.loads(render_json(airing_fields(airing)))

    assert list(fields) == ["sid", "date", "broadcast"]
    assert (fields["sid"], fields["date"]) == ("alder_one", "2026-03-11")
    assert fields["broadcast"]["start"] == "2026-03-10T12:00:00Z"
