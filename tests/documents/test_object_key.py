"""The names of schedules' objects in the bucket."""

import json
from datetime import date
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.notification import (
    object_key,
    parse_object_key,
    parse_schedule_notification,
)
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import InvalidIdentifier

_keys = st.builds(
    ScheduleKey,
    st.text("abcxyz0189_", min_size=1, max_size=64).map(Sid),
    st.dates(date(2, 1, 1), date(9998, 12, 31)),
)


@given(_keys)
def test_object_key_is_read_back(key: ScheduleKey) -> None:
    """The name of a schedule's object is read back as the schedule's key."""
    name = object_key(key)

    assert parse_object_key(name) == key


@given(_keys)
def test_object_key_is_read_from_an_event(key: ScheduleKey) -> None:
    """The name of a schedule's object, encoded as in S3's events, is read as the schedule's key."""
    record = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": quote_plus(object_key(key))}}}
    body = json.dumps({"Records": [record]})

    notification = parse_schedule_notification(body)

    assert notification.keys == (key,)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "schedules/",
        "schedules/alder_one_north/2026-01-15",
        "schedules/alder_one_north/2026-01-15.json.bak",
        "schedules/alder_one_north/2026-01-15.json\n",
        "schedules/alder_one_north/2026-01-15xjson",
        "/schedules/alder_one_north/2026-01-15.json",
        "old/schedules/alder_one_north/2026-01-15.json",
        "schedules/alder_one_north/north/2026-01-15.json",
        "schedules/2026-01-15.json",
        "schedules/Alder/2026-01-15.json",
        "schedules/alder_one_north/2026-02-30.json",
        "schedules/alder_one_north/latest.json",
    ],
)
def test_object_key_rejects(name: str) -> None:
    """An object of any other name is no schedule's."""
    with pytest.raises(InvalidIdentifier):
        parse_object_key(name)
