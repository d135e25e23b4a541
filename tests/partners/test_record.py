"""The record of a partner, written and read."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.partners.record import PARTNER

_INSTANTS = st.datetimes(timezones=st.just(UTC))
_KEYS = st.builds(
    lambda random, made, ends: issue_key(random, made, ends).key,
    st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES),
    _INSTANTS,
    st.none() | _INSTANTS,
)
_PARTNERS = st.builds(
    Partner,
    name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True),
    created_at=_INSTANTS,
    services=st.lists(st.from_regex(r"[0-9a-z_*?]{1,64}", fullmatch=True), min_size=1, max_size=3).map(tuple),
    is_operator=st.booleans(),
    is_preview=st.booleans(),
    requests_per_minute=st.integers(1, 60_000),
    requests_per_day=st.integers(1, 100_000_000),
    waiting_at_once=st.integers(0, 1_000),
    keys=st.lists(_KEYS, max_size=5, unique_by=lambda key: key.id).map(tuple),
)


@given(_PARTNERS)
def test_a_partner_reads_back_as_it_was(partner: Partner) -> None:
    """Every partner that there can be is one line, and nothing of it is lost."""
    record = PARTNER.render(partner)

    assert b"\n" not in record
    assert PARTNER.parse(record) == partner


def test_instants_in_other_zones_are_the_same_instants() -> None:
    """A file that was edited by hand may have them."""
    record = orjson.loads(PARTNER.render(Partner("acme", datetime(2026, 3, 28, 12, tzinfo=UTC))))

    read = PARTNER.parse(orjson.dumps({**record, "created_at": "2026-03-28T14:00:00+02:00"}))

    assert read.created_at == datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert read.created_at.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"requests_per_day": "secret words"}, "requests_per_day"),
        ({"keys": [{"id": "secret words"}]}, "keys.0"),
        ({"name": "secret words"}, "the whole"),
        ({"created_at": "2026-03-28T12:00:00"}, "the whole"),
    ],
)
def test_the_error_names_fields_and_quotes_nothing(change: dict[str, object], says: str) -> None:
    """Where a record is wrong is told; what stands there is not."""
    record = orjson.loads(PARTNER.render(Partner("acme", datetime(2026, 3, 28, 12, tzinfo=UTC))))

    with pytest.raises(InvalidRecord, match=says) as caught:
        PARTNER.parse(orjson.dumps({**record, **change}))

    assert "secret" not in str(caught.value)
