"""A published document, read back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from delivery.asking import document_of, held
from delivery.guides import BIRCH, NOON, key, schedule, showing
from delivery_stage import DeliveryStage
from hypothesis import given
from hypothesis import strategies as st
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot

from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.documents.partner_document import parse_published, split_document
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidRecord

_SHOWINGS = st.builds(
    showing,
    st.integers(0, 9_999_999),
    st.integers(0, 100_000).map(lambda minutes: datetime.fromtimestamp(1_773_000_000 + 60 * minutes, UTC)),
    st.integers(1, 300),
    episode_pid=st.sampled_from([None, Pid("p0000001"), Pid("p0000002")]),
    is_known=st.booleans(),
    is_repeat=st.booleans(),
    title=st.text(st.characters(codec="utf-8"), max_size=20),
)


@given(showings=st.lists(_SHOWINGS, max_size=5), seq=st.integers(1, 2**53))
def test_document_reads_back(showings: list[object], seq: int) -> None:
    """Every field of a published schedule is read back from the document unchanged."""
    listed = schedule(key(), showings, seq, published_at=NOON)  # type: ignore[arg-type]

    read = parse_published(document_of(listed))

    assert (read.key, read.seq, read.published_at) == (listed.key, seq, NOON)
    assert (read.etag, read.broadcasts) == (held(listed).etag, listed.broadcasts)


def test_document_of_the_pipeline_reads_back() -> None:
    """A document of the pipeline, read and rendered again, has the same bytes."""
    stage = DeliveryStage()
    slots = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], EPISODES[1]), Slot(BROADCASTS[2], None))
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights", image_pid="p0image1"), SchedulePut(KEYS[0], slots)])
    document = stage.store.schedules.documents(KEYS)[KEYS[0]]

    read = parse_published(document)

    _, content = split_document(document)
    assert render_json([broadcast_fields(shown) for shown in read.broadcasts]) == content
    assert len(read.broadcasts) == 3


_SEPARATORS = '},{"broadcast_pid":"w0000009","episode":{}'


def test_texts_may_hold_what_stands_between_broadcasts() -> None:
    """A document is split by its bytes, and quotes in a text are escaped."""
    listed = schedule(
        key(), [showing(1, NOON, title=_SEPARATORS), showing(2, NOON, title=f"[{_SEPARATORS}]")]
    )

    assert parse_published(document_of(listed)).broadcasts == listed.broadcasts


@pytest.mark.parametrize("options", [{"indent": 1}, {"sort_keys": True}, {"separators": (",", ":")}])
def test_a_document_in_another_form_is_the_same(options: dict[str, Any]) -> None:
    """As any JSON may be spelt and ordered."""
    document = document_of(
        schedule(key(), [showing(1, NOON), showing(2, NOON), showing(3, NOON, episode_pid=None)])
    )

    assert parse_published(json.dumps(json.loads(document), **options).encode()) == parse_published(document)


@pytest.mark.parametrize(
    "place", [b'"version_pid"', b'"duration_seconds"', b'"episode"', b'"series"', b'"title"']
)
def test_fields_of_a_newer_release_are_passed_over(place: bytes) -> None:
    """Wherever they stand in a broadcast: processes of two releases run over one keyspace."""
    document = document_of(schedule(key(), [showing(1, NOON), showing(2, NOON)]))

    read = parse_published(document.replace(place, b'"later":{"episode":1},' + place))

    assert read == parse_published(document)
    assert not hasattr(read.broadcasts[0], "later")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"sid"', b'["sid"'),
        (b'"sid":"alder_one"', b'"sid":"Alder"'),
        (b'"date":"2026-03-10"', b'"date":"today"'),
        (b'"seq":1,', b""),
        (b'"published_at":"2026', b'"published_at":"x2026'),
        (b'"broadcasts":[', b'"broadcasts":[7,'),
        (b'"broadcasts":[', b'"broadcasts":'),
        (b'[{"broadcast_pid"', b'[{"broadcast_pit"'),
        (b'[{"broadcast_pid"', b'({"broadcast_pid"'),
        (b'"broadcasts":[', b'"broadcasts":[]['),
        (b"}]}", b"}]}}"),
        (b"}]}", b"},]}"),
        (b'"series":', b'"seriez":'),
        (b'"broadcast_pid":"w0000001"', b'"broadcast_pid":"W"'),
        (b'"start":"2026', b'"start":"then 2026'),
        (b'"synopses":{"short"', b'"synopses":{"shorter"'),
        (b'"episode":{', b'"episode":"p",'),
        (b"}", b""),
    ],
)
def test_what_is_none_of_ours_is_rejected(before: bytes, after: bytes) -> None:
    """A document that is damaged anywhere is refused, with its beginning in the error."""
    document = document_of(schedule(key(), [showing(1, NOON)]))
    assert before in document

    with pytest.raises(InvalidRecord, match="cannot be decoded"):
        parse_published(document.replace(before, after, 1))


@given(st.binary(max_size=60))
def test_any_other_bytes_are_rejected(document: bytes) -> None:
    """Any bytes in the store are read, or raise the documented error."""
    with pytest.raises(InvalidRecord):
        parse_published(document)


def test_blanked_broadcast_names_nothing() -> None:
    """A slot that shows no programme has neither episode nor version, and none is made up."""
    read = parse_published(
        document_of(schedule(key(BIRCH), [showing(1, NOON, episode_pid=None)]))
    ).broadcasts[0]

    assert (read.is_blanked, read.episode_pid, read.version_pid, read.episode) == (True, None, None, None)
