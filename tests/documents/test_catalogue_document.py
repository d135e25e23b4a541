"""Catalogue documents, and the copies that we keep of what outputs use in them."""

from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.catalogue_document import parse_catalogue_document, parse_copy, render_copy
from schedules_pipeline.domain.catalogue import NO_SYNOPSES, CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.visible import visible_or_empty
from schedules_pipeline.errors import InvalidDocument

_PID = Pid("b0000001")
_Document = dict[str, Any]
_USED_OF_ALL = ("title", "parent_pid", "image_pid")


def _document(**changes: Any) -> _Document:
    return {
        "pid": "b0000001",
        "type": "episode",
        "title": "Lanterns",
        "parent_pid": "b0000002",
        "synopses": {"short": "s", "medium": "m", "long": "l"},
        "image_pid": "p0000001",
        "warning_text": "Flashing lights",
    } | changes


def _read(document: _Document) -> CatalogueItem:
    return parse_catalogue_document(_PID, orjson.dumps(document))


def _copy(document: _Document) -> bytes:
    return render_copy(_read(document))


def _complaint(content: bytes) -> str:
    with pytest.raises(InvalidDocument) as rejected:
        parse_catalogue_document(_PID, content)
    return str(rejected.value)


def test_catalogue_document_is_read() -> None:
    """Every field of an episode that outputs use is read."""
    item = _read(_document())

    assert item == CatalogueItem(
        _PID,
        Kind.EPISODE,
        "Lanterns",
        Pid("b0000002"),
        "p0000001",
        Synopses("s", "m", "l"),
        "Flashing lights",
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"pid": "b0000001", "type": "episode"}, id="absent"),
        pytest.param(
            _document(title=None, parent_pid=None, synopses=None, image_pid=None, warning_text=None),
            id="null",
        ),
        pytest.param(
            _document(title="", parent_pid="", synopses={}, image_pid="", warning_text=None), id="empty"
        ),
        pytest.param(
            _document(
                title="",
                parent_pid=None,
                synopses={"short": None, "medium": None, "long": None},
                image_pid="",
                warning_text=None,
            ),
            id="null synopses",
        ),
    ],
)
def test_catalogue_document_takes_absent_and_null_for_empty(document: _Document) -> None:
    """A field that is absent, null or empty gives an empty text, and no parent and no warning."""
    item = _read(document)

    assert item == CatalogueItem(_PID, Kind.EPISODE, "", None, "", Synopses("", "", ""), None)


@pytest.mark.parametrize("warning", ["", " ", "\u200b", None])
def test_a_warning_that_shows_nothing_is_none(warning: str | None) -> None:
    """Equal meanings are equal values."""
    item = _read(_document(warning_text=warning))

    assert item.warning_text is None


def test_texts_that_show_nothing_are_empty() -> None:
    """Of an episode, its synopses, and of a series or brand."""
    item = _read(
        _document(
            title="\u200b",
            presentation_title="\u00ad",
            synopses={"short": "\u3164", "medium": " ", "long": "x"},
        )
    )
    brand = _read(_document(type="brand", title="\ufeff"))

    assert (item.title, item.presentation_title, item.synopses) == ("", "", Synopses("", "", "x"))
    assert brand.title == ""


def test_catalogue_document_takes_some_synopses() -> None:
    """A synopsis that is not given is empty, and the others stay."""
    item = _read(_document(synopses={"medium": "m"}))

    assert item.synopses == Synopses("", "m", "")


@pytest.mark.parametrize("kind", Kind)
def test_catalogue_document_of_each_kind_is_read(kind: Kind) -> None:
    """Episodes, series and brands are read; a parent of any kind is accepted."""
    item = _read(_document(type=kind.value))

    assert (item.kind, item.parent_pid) == (kind, "b0000002")


@pytest.mark.parametrize("kind", [Kind.SERIES, Kind.BRAND])
def test_copy_of_a_series_or_brand_has_no_synopsis_and_no_warning(kind: Kind) -> None:
    """What a series or brand says in synopses and warning is in no output, and not in the copy."""
    bare = _document(type=kind.value, synopses=None, warning_text=None)

    copy = _copy(_document(type=kind.value))

    assert copy == _copy(bare)


@pytest.mark.parametrize(
    "extra",
    [
        {"subtitles": ["en"]},
        {"availability": {"from": "2026-01-01T00:00:00Z", "until": None}},
        {"updated_at": "2026-01-10T09:30:00Z"},
        {"synopses": {"short": "s", "medium": "m", "long": "l", "huge": "h"}},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_copy_does_not_hold_fields_that_no_output_uses(extra: _Document) -> None:
    """A change in a field that no output uses leaves the copy's bytes as they are."""
    copy = _copy(_document(**extra))

    assert copy == _copy(_document())


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *[(kind, {field: "b0000009"}) for kind in Kind for field in _USED_OF_ALL],
        *[(kind, {field: None}) for kind in Kind for field in _USED_OF_ALL],
        (Kind.EPISODE, {"synopses": {"short": "other", "medium": "m", "long": "l"}}),
        (Kind.EPISODE, {"synopses": {"short": "s", "medium": "other", "long": "l"}}),
        (Kind.EPISODE, {"synopses": {"short": "s", "medium": "m", "long": "other"}}),
        (Kind.EPISODE, {"warning_text": "Loud noises"}),
        (Kind.EPISODE, {"warning_text": None}),
    ],
)
def test_copy_follows_fields_that_outputs_use(kind: Kind, changes: _Document) -> None:
    """A change in a field that some output uses changes the copy."""
    before = _document(type=kind.value)

    copy = _copy(before | changes)

    assert copy != _copy(before)


def test_copy_follows_the_kind() -> None:
    """A series that becomes a brand has another copy."""
    series, brand = (_copy(_document(type=kind)) for kind in ("series", "brand"))

    assert series != brand


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "document: Invalid JSON", id="no bytes"),
        pytest.param(b'{"pid":', "document: Invalid JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "document: Invalid JSON", id="not UTF-8"),
        pytest.param(
            b'{"pid": "b0000001", "type": "episode", "title": "\\ud800"}', "document: Inv", id="half emoji"
        ),
        pytest.param(b"null", "document: Input should be an object", id="null"),
        pytest.param(b"[]", "document: Input should be an object", id="list"),
        pytest.param(b"{}", "pid: Field required; type: Field required", id="empty object"),
    ],
)
def test_catalogue_document_rejects_content(content: bytes, complaint: str) -> None:
    """Content that is not a JSON object with pid and type is refused."""
    reason = _complaint(content)

    assert reason.startswith(f"catalogue item b0000001: {complaint}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"pid": "b0000009"}, "the document says that it is 'b0000009'", id="another item's"),
        pytest.param({"pid": "B0000001"}, "the document says that it is 'B0000001'", id="pid in upper case"),
        pytest.param({"pid": None}, "pid: Input should be a valid string", id="pid null"),
        pytest.param(
            {"type": "clip"}, "type: Input should be 'episode', 'series' or 'brand'", id="other kind"
        ),
        pytest.param({"type": None}, "type: Input should be", id="kind null"),
        pytest.param({"title": 7}, "title: Input should be a valid string", id="title a number"),
        pytest.param({"title": {"en": "x"}}, "title: Input should be a valid string", id="title an object"),
        pytest.param({"parent_pid": "not a pid"}, "parent_pid: not a pid: 'not a pid'", id="bad parent"),
        pytest.param({"parent_pid": "b000001"}, "parent_pid: not a pid", id="short parent"),
        pytest.param(
            {"parent_pid": 10000001}, "parent_pid: Input should be a valid string", id="parent a number"
        ),
        pytest.param(
            {"image_pid": ["p0000001"]}, "image_pid: Input should be a valid string", id="image a list"
        ),
        pytest.param({"synopses": "short"}, "synopses: Input should be an object", id="synopses a text"),
        pytest.param(
            {"synopses": {"long": 1}}, "synopses.long: Input should be a valid", id="synopsis a number"
        ),
        pytest.param(
            {"warning_text": False}, "warning_text: Input should be a valid string", id="warning a flag"
        ),
    ],
)
def test_catalogue_document_rejects(changes: _Document, complaint: str) -> None:
    """A field of a wrong type or value refuses the document, by name."""
    reason = _complaint(orjson.dumps(_document(**changes)))

    assert reason.startswith(f"catalogue item b0000001: {complaint}")


@pytest.mark.parametrize("field", ["pid", "type", "parent_pid", "synopses"])
def test_catalogue_document_does_not_echo_long_values(field: str) -> None:
    """A complaint is short, however long the value that it is about."""
    reason = _complaint(orjson.dumps(_document(**{field: "x" * 10_000})))

    assert len(reason) < 300


_texts = st.text(max_size=20).map(visible_or_empty)
_parents = st.none() | st.sampled_from(["b0000002", "v1234567"]).map(Pid)
_episodes = st.builds(
    CatalogueItem,
    st.just(_PID),
    st.just(Kind.EPISODE),
    _texts,
    _parents,
    _texts,
    st.builds(Synopses, _texts, _texts, _texts),
    st.none() | _texts.filter(bool),
)
_others = st.builds(
    CatalogueItem,
    st.just(_PID),
    st.sampled_from([Kind.SERIES, Kind.BRAND]),
    _texts,
    _parents,
    _texts,
    st.just(NO_SYNOPSES),
    st.none(),
)
_items = _episodes | _others


@given(_items)
def test_copy_is_read_back(item: CatalogueItem) -> None:
    """A written item is read back as the same item."""
    copy = render_copy(item)

    assert parse_copy(_PID, copy) == item


@given(_items, _items)
def test_copies_have_equal_bytes_where_items_are_equal(one: CatalogueItem, other: CatalogueItem) -> None:
    """Two items have the same copy where they are equal, and nowhere else."""
    are_equal = render_copy(one) == render_copy(other)

    assert are_equal == (one == other)


@given(_items)
def test_catalogue_document_gives_the_item_that_it_was_written_for(item: CatalogueItem) -> None:
    """The fields of an item, written as the catalogue writes them, are read as that item."""
    document = asdict(item) | {"type": item.kind}

    parsed = _read(document)

    assert parsed == item


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(list(_document())), _json)
def test_catalogue_document_is_read_or_rejected(field: str, value: Any) -> None:
    """With any value in any one field, the document is read, or rejected as invalid."""
    content = orjson.dumps(_document(**{field: value}))

    try:
        outcome = f"catalogue item {parse_catalogue_document(_PID, content).pid}"
    except InvalidDocument as error:
        outcome = str(error).partition(":")[0]

    assert outcome == "catalogue item b0000001"
