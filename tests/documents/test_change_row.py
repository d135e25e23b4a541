"""Rows of the change feed are read back as written, and begin with the sequence number."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.change_row import parse_row, render_row
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid

_AT = datetime(2026, 1, 10, 9, 30, 0, 120, tzinfo=UTC)
_CHANGE = Change(
    key=ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15)),
    seq=7,
    etag="0123456789abcdef",
    published_at=_AT,
    broadcasts=30,
    content_bytes=20_480,
    source_changed=True,
    build_milliseconds=12.5,
    causes=(Cause("message-1", Origin.CATALOGUE, "b0000001", _AT),),
    cause_count=3,
    recorded_by="",
)

_instants = st.datetimes(timezones=st.just(UTC))
_counts = st.integers(0, 2**53)
_changes = st.builds(
    Change,
    key=st.builds(
        ScheduleKey,
        st.text("abcxyz0189_", min_size=1, max_size=64).map(Sid),
        st.dates(date(2, 1, 1), date(9998, 12, 31)),
    ),
    seq=_counts,
    etag=st.just("") | st.text("0123456789abcdef", min_size=32, max_size=32),
    published_at=_instants,
    broadcasts=_counts,
    content_bytes=_counts,
    source_changed=st.booleans(),
    build_milliseconds=st.floats(0, 1e9),
    causes=st.lists(
        st.builds(Cause, st.text(max_size=8), st.sampled_from(Origin), st.text(max_size=8), _instants),
        max_size=3,
    ).map(tuple),
    cause_count=_counts,
    recorded_by=st.text(max_size=8),
)


_MEMBERS = (
    b'{"seq":7,"key":"alder_one_north/2026-01-15","etag":"0123456789abcdef",'
    b'"published_at":"2026-01-10T09:30:00.000120Z","broadcasts":30,"content_bytes":20480,'
    b'"source_changed":true,"build_milliseconds":12.5,"causes":[%s],"cause_count":3,"recorded_by":""'
)


def test_row_is_exactly() -> None:
    """A row is one JSON object, with these fields in this order."""
    cause = (
        b'{"event_id":"message-1","origin":"catalogue","subject":"b0000001",'
        b'"notified_at":"2026-01-10T09:30:00.000120Z","changed":[]}'
    )

    assert render_row(_CHANGE) == _MEMBERS % cause + b',"v":2}'


def test_row_of_release_0_1_0_is_read() -> None:
    """Release 0.1.0 wrote each cause as a list."""
    cause = b'["message-1","catalogue","b0000001","2026-01-10T09:30:00.000120+00:00"]'

    assert parse_row(_MEMBERS % cause + b"}") == _CHANGE


def test_row_of_a_later_release_is_read() -> None:
    """Members that this release does not know are ignored."""
    row = render_row(_CHANGE)[:-6].replace(b'"changed":[]', b'"changed":[],"more":{}') + b'"more":[1],"v":9}'

    assert parse_row(row) == _CHANGE


@given(_changes)
def test_row_is_read_back(change: Change) -> None:
    """A written change is read back as the same change."""
    row = render_row(change)

    assert parse_row(row) == change


@given(_changes)
def test_row_begins_with_the_sequence_number(change: Change) -> None:
    """Every row begins with its sequence number."""
    row = render_row(change)

    assert row.startswith(b'{"seq":%d,' % change.seq)


def test_row_of_a_removal_is_read_as_one() -> None:
    """A change without an etag is a removal, also when it has been written and read."""
    removal, publication = (parse_row(render_row(replace(_CHANGE, etag=etag))) for etag in ("", "0a"))

    assert removal.is_removal
    assert not publication.is_removal
