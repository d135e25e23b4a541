"""Every parser on every sort of input gives a value or a readable rejection."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from fuzz.hostile import contents, extremes, thoroughly
from fuzz.parsers import KEY, PARSERS, PID, Parser, catalogue_document, source_document
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.catalogue_document import (
    MAXIMUM_TEXT,
    MAXIMUM_TITLE,
    parse_catalogue_document,
)
from schedules_pipeline.documents.notification import (
    MAXIMUM_CHARACTERS,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS, parse_source_document
from schedules_pipeline.errors import ContentError, InvalidDocument, InvalidMessage, InvalidRecord
from schedules_pipeline.history.recorded import read_history

_LONGEST_REASON = 1_000
_parsers = pytest.mark.parametrize("parser", PARSERS, ids=str)


def read_or_reject(parser: Parser, content: bytes) -> bool:
    """Whether the input was accepted. Raises AssertionError if the value loses information, or if the rejection is not
    readable.
    """
    try:
        value = parser.read(content)
    except ContentError as rejection:
        reason = str(rejection)
        assert 0 < len(reason) <= _LONGEST_REASON
        assert reason.isprintable()
        return False
    if parser.read_again is not None:
        assert parser.read_again(value) == value
    return True


@_parsers
def test_samples_are_read(parser: Parser) -> None:
    """What the mutations start from is accepted, so that they are only just wrong."""
    assert all(read_or_reject(parser, sample) for sample in parser.samples)


@_parsers
def test_any_input_is_read_or_rejected(parser: Parser) -> None:
    """Any input gives a value that survives being written and read, or a ContentError in a printable line."""

    @thoroughly
    @given(contents(parser.samples))
    def property_of(content: bytes) -> None:
        read_or_reject(parser, content)

    property_of()


@_parsers
def test_extreme_input_is_read_or_rejected(parser: Parser) -> None:
    """Megabytes, a hundred thousand levels or members, and numbers of a million digits are input like any other."""
    for content in extremes(parser.samples[0]).values():
        read_or_reject(parser, content)


@pytest.mark.parametrize("levels", [190, 1_000])
@_parsers
def test_deep_value_of_any_field_is_read_or_rejected(parser: Parser, levels: int) -> None:
    """A field that is nested nearly as deep as JSON may be is refused by a reader of it, and shown by none."""
    deep = b"[" * levels + b"]" * levels
    for sample in parser.samples:
        for nested in _with_each_value_as(deep, sample):
            read_or_reject(parser, nested)


def _with_each_value_as(deep: bytes, sample: bytes) -> Iterator[bytes]:
    """The sample with this instead of one of its values, each in turn; none if it is no JSON."""
    try:
        document = orjson.loads(sample)
    except orjson.JSONDecodeError:
        return
    if not isinstance(document, dict | list):
        return
    for place in document if isinstance(document, dict) else range(len(document)):
        before, document[place] = document[place], "here"
        yield orjson.dumps(document).replace(b'"here"', deep)
        document[place] = before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("accepted_schedule", b"", id="nothing accepted"),
        pytest.param("accepted_schedule", b"2026-03-28T12:00:00Z\np0000001\nw0000001", id="a slot too few"),
        pytest.param("accepted_schedule", b'2026-03-28T12:00:00Z\n-\nw0000001\n"start":1', id="half a slot"),
        pytest.param("copy", b'["episode","","","","",""]', id="a copy of too few fields"),
        pytest.param("copy", b'["film","",null,"","","","",null]', id="a copy of no known kind"),
        pytest.param("copy", b'["episode",5,null,"","","","",null]', id="a copy with a number for a title"),
        pytest.param(
            "copy", b'["episode","","nobody","","","","",null]', id="a copy with a parent that is no pid"
        ),
        pytest.param("cause", b'["id","catalogue",5,"2026-03-28T12:00:00Z"]', id="a number for a subject"),
        pytest.param("change_row", b"[]", id="a list for a row"),
        pytest.param("change_row", b'{"key":"alder/2026-03-28"}', id="half a row"),
        pytest.param("partner_document", b'{"seq":1,"broadcasts":[]}', id="an envelope without its hash"),
    ],
)
def test_record_that_cannot_be_decoded_is_rejected(name: str, content: bytes) -> None:
    """A stored record that the pipeline did not write raises an error that says so."""
    (parser,) = [parser for parser in PARSERS if parser.name == name]

    with pytest.raises(InvalidRecord, match="cannot be decoded"):
        parser.read(content)


(_HISTORY_LINE,) = [parser for parser in PARSERS if parser.name == "history_line"]


@thoroughly
@given(
    lines=st.lists(contents(_HISTORY_LINE.samples).map(lambda line: line.replace(b"\n", b" ")), max_size=4)
)
def test_history_is_read_up_to_the_first_line_that_is_none(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    """A recorded history gives its events, or names the first line that is not one."""
    path = tmp_path_factory.getbasetemp() / "history.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines), compresslevel=1))
    proper = [bool(line.strip()) and read_or_reject(_HISTORY_LINE, line) for line in lines]
    wrong = [number for number, line in enumerate(lines) if line.strip() and not proper[number]]

    if wrong:
        with pytest.raises(ContentError, match=f"line {wrong[0] + 1}:"):
            list(read_history(path))
    elif any(proper):
        assert len(list(read_history(path))) == sum(proper)
    else:
        with pytest.raises(ContentError, match="no event is in it"):
            list(read_history(path))


@thoroughly
@given(content=st.binary(max_size=200), cut=st.integers(0, 60))
def test_history_in_another_wrapping_is_rejected(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int
) -> None:
    """Bytes that are no gzip file, and one that was cut off, end in a ContentError."""
    path: Path = tmp_path_factory.getbasetemp() / "cut.jsonl.gz"
    path.write_bytes(content if cut == 0 else gzip.compress(content + b"x")[:-cut])

    with pytest.raises(ContentError):
        list(read_history(path))


# Limits


def _of_broadcasts(number: int) -> bytes:
    document = orjson.loads(source_document(broadcasts=1))
    broadcast = document["broadcasts"][0]
    document["broadcasts"] = [{**broadcast, "broadcast_pid": f"w{i:09}"} for i in range(number)]
    return orjson.dumps(document)


def test_source_document_of_too_many_broadcasts_is_rejected() -> None:
    """A hundred thousand broadcasts are refused in one complaint, which tells how many there may be."""
    with pytest.raises(InvalidDocument, match=f"at most {MAXIMUM_BROADCASTS} items") as rejected:
        parse_source_document(KEY, _of_broadcasts(100_000))

    assert len(str(rejected.value)) < _LONGEST_REASON


@pytest.mark.parametrize(
    ("seconds", "end"), [(1, "2026-03-28T06:00:01Z"), (30 * 3600, "2026-03-29T12:00:00Z")]
)
def test_odd_lengths_of_broadcasts_are_accepted(seconds: int, end: str) -> None:
    """A broadcast of a second or of a whole radio day is odd and not wrong: it is published and reported."""
    document = orjson.loads(source_document(broadcasts=1))
    document["broadcasts"][0] |= {"start": "2026-03-28T06:00:00Z", "end": end}

    (broadcast,) = parse_source_document(KEY, orjson.dumps(document)).schedule.slots

    assert (broadcast.end - broadcast.start).total_seconds() == seconds


@pytest.mark.parametrize("instant", ["1774677600", "1774677600000", "1774677600.5", 1774677600])
@pytest.mark.parametrize("field", ["start", "end"])
def test_numbers_are_no_instants(instant: object, field: str) -> None:
    """A number, also one written as a text, is not guessed to be seconds or milliseconds."""
    document = orjson.loads(source_document(broadcasts=1))
    document["broadcasts"][0][field] = instant

    (quarantined,) = parse_source_document(KEY, orjson.dumps(document)).quarantined

    assert f"{field}: Input should be a valid datetime" in quarantined.reason


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (("title",), MAXIMUM_TITLE),
        (("image_pid",), MAXIMUM_TITLE),
        (("synopses", "short"), MAXIMUM_TEXT),
        (("synopses", "medium"), MAXIMUM_TEXT),
        (("synopses", "long"), MAXIMUM_TEXT),
        (("warning_text",), MAXIMUM_TEXT),
    ],
)
def test_texts_of_the_catalogue_are_limited(path: tuple[str, ...], limit: int) -> None:
    """A text of the greatest length is read; one character more and the document is refused, field and limit named."""
    document = orjson.loads(catalogue_document())
    holder = document if len(path) == 1 else document[path[0]]

    holder[path[-1]] = "\U0001f600" * limit
    parse_catalogue_document(PID, orjson.dumps(document))
    holder[path[-1]] += "x"
    with pytest.raises(InvalidDocument) as rejected:
        parse_catalogue_document(PID, orjson.dumps(document))

    assert str(rejected.value).endswith(f"{'.'.join(path)}: String should have at most {limit} characters")


@pytest.mark.parametrize("parse", [parse_schedule_notification, parse_catalogue_notification])
def test_longer_message_than_any_queue_takes_is_rejected(parse: Callable[[str], object]) -> None:
    """A body above the limit is not even read as JSON."""
    with pytest.raises(InvalidMessage, match="1,048,577 characters are more than a message may have"):
        parse("{}" + " " * (MAXIMUM_CHARACTERS - 1))


@pytest.mark.parametrize("parser", [p for p in PARSERS if p.samples[0].startswith((b"{", b"["))], ids=str)
def test_nesting_is_limited(parser: Parser) -> None:
    """Every parser of JSON rejects more than a thousand levels of nesting, before the stack overflows."""
    sample = parser.samples[0]
    name = b'"more":' if sample.startswith(b"{") else b""
    deep = b"[" * 1_100 + b"]" * 1_100

    with pytest.raises(ContentError):
        parser.read(sample[:1] + name + deep + b"," + sample[1:])
