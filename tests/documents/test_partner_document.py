"""The published document: its exact bytes, its hash, and its envelope."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from builders import a_slot
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.documents.broadcasts import render_joined, render_programme, render_slot
from schedules_pipeline.documents.partner_document import (
    NO_PROGRAMME,
    Publication,
    fill,
    hash_content,
    render_document,
    split_document,
)
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import Episode, Programme, TitledItem, resolve_programme
from schedules_pipeline.domain.schedule import Slot

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)
_EPISODE, _SERIES, _BRAND = Pid("b0000001"), Pid("b0000002"), Pid("b0000003")


def _reference(document: object) -> bytes:
    """Another renderer than the one under test: the same canonical form by the standard library."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


# The golden document: a programme with all there is, a blanked slot, and an episode that is not known.

_CATALOGUE = {
    item.pid: item
    for item in (
        CatalogueItem(
            _EPISODE,
            Kind.EPISODE,
            'The "Lantern" \N{EM DASH} part\t1',
            _SERIES,
            "",
            Synopses("A lamp.", "A lamp\nis lit.", ""),
            "Flashing lights",
        ),
        CatalogueItem(_SERIES, Kind.SERIES, "Series 2", _BRAND, "p0000009"),
        CatalogueItem(_BRAND, Kind.BRAND, "Quiet Viaduct \N{OWL}", None, "p0000008"),
    )
}


def _slot(number: int, *, episode_pid: Pid | None = None, is_blanked: bool = False) -> Slot:
    return a_slot(
        number,
        _SIX + timedelta(minutes=30 * number),
        broadcast_pid=Pid(f"p{number:07}"),
        version_pid=None if is_blanked else Pid("v0000001"),
        episode_pid=episode_pid,
        is_repeat=number == 1,
        is_blanked=is_blanked,
        is_audio_described=number == 1,
    )


_SLOTS = [
    _slot(1, episode_pid=_EPISODE),
    _slot(2, is_blanked=True),
    _slot(3, episode_pid=Pid("b0000007")),
]
_GOLDEN_CONTENT = (
    b'[{"broadcast_pid":"p0000001","version_pid":"v0000001",'
    b'"start":"2026-01-15T06:30:00Z","end":"2026-01-15T07:00:00Z","duration_seconds":1800,'
    b'"is_repeat":true,"is_blanked":false,"is_signed":false,"is_audio_described":true,'
    b'"episode_pid":"b0000001","episode":{"pid":"b0000001",'
    b'"title":"The \\"Lantern\\" \xe2\x80\x94 part\\t1",'
    b'"synopses":{"short":"A lamp.","medium":"A lamp\\nis lit.","long":""},'
    b'"image_pid":"p0000009","warning_text":"Flashing lights"},'
    b'"series":{"pid":"b0000002","title":"Series 2"},'
    b'"brand":{"pid":"b0000003","title":"Quiet Viaduct \xf0\x9f\xa6\x89"},'
    b'"title":"Quiet Viaduct \xf0\x9f\xa6\x89",'
    b'"subtitle":"Series 2: The \\"Lantern\\" \xe2\x80\x94 part\\t1"},'
    b'{"broadcast_pid":"p0000002","version_pid":"",'
    b'"start":"2026-01-15T07:00:00Z","end":"2026-01-15T07:30:00Z","duration_seconds":1800,'
    b'"is_repeat":false,"is_blanked":true,"is_signed":false,"is_audio_described":false,'
    b'"episode_pid":"","episode":null,"series":null,"brand":null,"title":"","subtitle":""},'
    b'{"broadcast_pid":"p0000003","version_pid":"v0000001",'
    b'"start":"2026-01-15T07:30:00Z","end":"2026-01-15T08:00:00Z","duration_seconds":1800,'
    b'"is_repeat":false,"is_blanked":false,"is_signed":false,"is_audio_described":false,'
    b'"episode_pid":"b0000007","episode":null,"series":null,"brand":null,"title":"","subtitle":""}]'
)


def _content(slots: Sequence[Slot]) -> bytes:
    found = [
        resolve_programme(slot.episode_pid, _CATALOGUE.get).items if slot.episode_pid else ()
        for slot in slots
    ]
    return fill([render_slot(slot) for slot in slots], map(render_joined, found))


def test_content_is_exactly() -> None:
    """The content of a small schedule is these bytes: key order, escapes, instants, nulls and all."""
    content = _content(_SLOTS)

    assert content == _GOLDEN_CONTENT


def test_document_is_exactly() -> None:
    """The published document is the envelope, in this order, with the content as its last member."""
    publication = Publication(7, datetime(2026, 1, 10, 9, 30, 0, 120, tzinfo=UTC), "0123456789abcdef")

    document = render_document(_KEY, publication, _GOLDEN_CONTENT)

    assert document == (
        b'{"sid":"alder_one_north","date":"2026-01-15","seq":7,'
        b'"published_at":"2026-01-10T09:30:00.000120Z","etag":"0123456789abcdef","broadcasts":'
        + _GOLDEN_CONTENT
        + b"}"
    )


def test_content_of_no_broadcast_is_an_empty_list() -> None:
    """A schedule without broadcasts has an empty list of them."""
    content = fill([], [])

    assert content == b"[]"


def test_etag_is_the_beginning_of_a_hash() -> None:
    """The etag is the first 32 hexadecimal digits of the content's SHA-256."""
    etag = hash_content(b"abc")

    assert etag == "ba7816bf8f01cfea414140de5dae2223"


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param(1, id="one"),
        pytest.param(1_500, id="more than a day"),
        pytest.param(60 * 30, id="a radio day"),
    ],
)
def test_slot_gives_its_length_in_seconds(minutes: int) -> None:
    """A slot's duration is the seconds from its start to its end, beyond a day too."""
    fields = {"broadcast_pid": "p0000001", "start": _SIX, "end": _SIX + timedelta(minutes=minutes)}
    source = {"sid": _KEY.sid, "date": _KEY.date, "published_at": _SIX, "broadcasts": [fields]}
    (read,) = parse_source_document(_KEY, orjson.dumps(source)).schedule.slots

    slot = orjson.loads(b"{" + render_slot(read) + b"}")

    assert slot["duration_seconds"] == minutes * 60


# Any schedule at all, against the reference.

_pids = st.text("0123456789bcdfghjklmnpqrstvwxyz", min_size=8, max_size=12).map(Pid)
_texts = st.text(max_size=12) | st.text('"\\/\b\f\n\r\t\0\x1f\x7f\x80\u2028\ufeff\N{OWL}{},:[]', max_size=8)
_synopses = st.builds(Synopses, _texts, _texts, _texts)
_titled = st.none() | st.builds(TitledItem, pid=_pids, title=_texts)
_episodes = st.builds(
    Episode, pid=_pids, title=_texts, synopses=_synopses, image_pid=_texts, warning_text=st.none() | _texts
)
_programmes = st.builds(
    Programme, episode=st.none() | _episodes, series=_titled, brand=_titled, title=_texts, subtitle=_texts
)
_slots = st.builds(
    a_slot,
    st.just(1),
    st.integers(0, 86_399).map(lambda seconds: _SIX + timedelta(seconds=seconds)),
    st.integers(1, 200_000).map(lambda seconds: seconds / 60),
    broadcast_pid=_pids,
    version_pid=st.none() | _pids,
    episode_pid=st.none() | _pids,
    is_repeat=st.booleans(),
    is_blanked=st.booleans(),
    is_signed=st.booleans(),
    is_audio_described=st.booleans(),
)
_publications = st.builds(
    Publication,
    st.integers(1, 2**53),
    st.timedeltas(timedelta(0), timedelta(days=2_900_000)).map(lambda after: _SIX + after),
    st.text("0123456789abcdef", min_size=32, max_size=32),
)


def _expected(broadcast: Slot, programme: Programme) -> dict[str, Any]:
    episode, series, brand = programme.episode, programme.series, programme.brand
    return {
        "broadcast_pid": broadcast.broadcast_pid,
        "version_pid": broadcast.version_pid or "",
        "start": broadcast.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": broadcast.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_seconds": round((broadcast.end - broadcast.start) / timedelta(seconds=1)),
        "is_repeat": broadcast.is_repeat,
        "is_blanked": broadcast.is_blanked,
        "is_signed": broadcast.is_signed,
        "is_audio_described": broadcast.is_audio_described,
        "episode_pid": broadcast.episode_pid or "",
        "episode": None
        if episode is None
        else {
            "pid": episode.pid,
            "title": episode.title,
            "synopses": {
                "short": episode.synopses.short,
                "medium": episode.synopses.medium,
                "long": episode.synopses.long,
            },
            "image_pid": episode.image_pid,
            "warning_text": episode.warning_text,
        },
        "series": None if series is None else {"pid": series.pid, "title": series.title},
        "brand": None if brand is None else {"pid": brand.pid, "title": brand.title},
        "title": programme.title,
        "subtitle": programme.subtitle,
    }


@given(_publications, st.lists(st.tuples(_slots, _programmes), max_size=3))
def test_document_is_what_another_renderer_gives(
    publication: Publication, shown: list[tuple[Slot, Programme]]
) -> None:
    """With any texts, a document has the bytes that the standard library gives the same fields."""
    expected = {
        "sid": "alder_one_north",
        "date": "2026-01-15",
        "seq": publication.seq,
        "published_at": publication.published_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "etag": publication.etag,
        "broadcasts": [_expected(broadcast, programme) for broadcast, programme in shown],
    }

    content = fill([render_slot(b) for b, _ in shown], [render_programme(p) for _, p in shown])
    document = render_document(_KEY, publication, content)

    assert document == _reference(expected)


def test_slot_without_an_episode_is_followed_by_no_programme() -> None:
    """What follows a slot that names no episode is what follows one whose episode is unknown."""
    unknown = render_joined(resolve_programme(Pid("b0000007"), _CATALOGUE.get).items)

    assert unknown == NO_PROGRAMME


@given(_publications, st.lists(_texts, max_size=3).map(_reference) | st.just(b"[]"))
@example(Publication(1, _SIX, ""), _reference([{"pid": "b0000001", "broadcasts": []}]))
@example(Publication(1, _SIX, ""), _GOLDEN_CONTENT)
def test_document_is_taken_apart_again(publication: Publication, content: bytes) -> None:
    """Splitting a document gives the publication and the content that it was made of."""
    document = render_document(_KEY, publication, content)

    assert split_document(document) == (publication, content)


# Equal schedules have equal bytes, however their source writes them.


@given(st.permutations(_SLOTS), st.lists(st.integers(-840, 840), min_size=3, max_size=3))
def test_equal_schedules_have_equal_hashes(broadcasts: list[Slot], offsets: list[int]) -> None:
    """The order, the offsets and the unknown fields of a source document are not to be seen in the hash."""
    written = [
        vars(broadcast)
        | {
            "start": broadcast.start.astimezone(timezone(timedelta(minutes=offset))),
            "end": broadcast.end.astimezone(timezone(timedelta(minutes=-offset))),
            "offset": offset,
        }
        for broadcast, offset in zip(broadcasts, offsets, strict=True)
    ]
    source = {"sid": _KEY.sid, "date": _KEY.date, "published_at": _SIX, "broadcasts": written}

    read = parse_source_document(_KEY, orjson.dumps(source)).schedule.slots

    assert hash_content(_content(read)) == hash_content(_GOLDEN_CONTENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"broadcast_pid": Pid("p0000009")},
        {"version_pid": None},
        {"episode_pid": Pid("b0000007")},
        {"start": _SIX},
        {"end": _SIX + timedelta(hours=2)},
        {"is_repeat": False},
        {"is_blanked": True},
        {"is_signed": True},
        {"is_audio_described": False},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_different_schedules_have_different_hashes(changes: dict[str, Any]) -> None:
    """A change in any field of a broadcast changes the hash."""
    changed = [replace(_SLOTS[0], **changes), *_SLOTS[1:]]

    etag = hash_content(_content(changed))

    assert etag != hash_content(_GOLDEN_CONTENT)
