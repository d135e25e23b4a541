"""Notifications of both queues in each of their envelopes, and notifications that are rejected."""

import json
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.notification import (
    CatalogueAction,
    CatalogueNotification,
    ScheduleNotification,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import InvalidMessage

_NORTH = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_SOUTH = ScheduleKey(Sid("alder_one_southern"), date(2026, 1, 16))
_OBJECT = "schedules/alder_one_north/2026-01-15.json"
_OTHER_OBJECT = "schedules/alder_one_southern/2026-01-16.json"
_PUT, _REMOVED = "ObjectCreated:Put", "ObjectRemoved:Delete"
_Message = dict[str, Any]


def _json(message: object) -> str:
    return json.dumps(message)


def _record(key: object = _OBJECT, event_name: object = _PUT) -> _Message:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-10T09:30:00.000Z",
        "eventName": event_name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "schedule-source", "arn": "arn:aws:s3:::schedule-source"},
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": "0055",
            },
        },
    }


def _event(*records: object) -> _Message:
    return {"Records": list(records)}


def _envelope(message: object) -> _Message:
    """As SNS delivers to SQS where raw delivery is off."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-west-1:000000000000:events",
        "Subject": "Amazon S3 Notification",
        "Message": message if isinstance(message, str) else _json(message),
        "Timestamp": "2026-01-10T09:30:00.123Z",
    }


def _eventbridge(key: object = _OBJECT, detail_type: object = "Object Created") -> _Message:
    """As S3 reports to EventBridge."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-01-10T09:30:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:s3:::schedule-source"],
        "detail": {
            "version": "0",
            "bucket": {"name": "schedule-source"},
            "object": {"key": key, "size": 5, "etag": "b57f9512698f4b09e608f4f2a65852e5"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


_TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-10T09:30:00.000Z",
    "Bucket": "schedule-source",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}
_BARE = {"sid": "alder_one_north", "date": "2026-01-15"}
_UPDATE = {
    "action": "UPDATE",
    "type": "episode",
    "pid": "b0000001",
    "seq": 123,
    "at": "2026-01-10T09:30:00Z",
}


@pytest.mark.parametrize(
    ("message", "keys", "removal"),
    [
        pytest.param(_BARE, (_NORTH,), False, id="bare"),
        pytest.param(_BARE | {"action": "PUT"}, (_NORTH,), False, id="bare put"),
        pytest.param(_BARE | {"action": "DELETE"}, (_NORTH,), True, id="bare removal"),
        pytest.param(_BARE | {"at": "now", "more": [1]}, (_NORTH,), False, id="bare with unknown fields"),
        pytest.param(_event(_record()), (_NORTH,), False, id="S3 put"),
        pytest.param(_event(_record(event_name="s3:ObjectCreated:Copy")), (_NORTH,), False, id="S3 copy"),
        pytest.param(_event(_record(event_name=_REMOVED)), (_NORTH,), True, id="S3 removal"),
        pytest.param(
            _event(_record(event_name="ObjectRemoved:DeleteMarkerCreated")),
            (_NORTH,),
            True,
            id="S3 delete marker",
        ),
        pytest.param(_event(_record(quote(_OBJECT, safe=""))), (_NORTH,), False, id="S3 key encoded"),
        pytest.param(
            _event(_record("schedules%2falder%5Fone_north%2F2026%2d01-15%2Ejson")), (_NORTH,), False, id="%"
        ),
        pytest.param(
            _event(_record(), _record(_OTHER_OBJECT)), (_NORTH, _SOUTH), False, id="several records"
        ),
        pytest.param(_event(_record(), _record()), (_NORTH,), False, id="the same object twice"),
        pytest.param(
            _event(_record(event_name=_REMOVED), _record(_OTHER_OBJECT)),
            (_NORTH, _SOUTH),
            False,
            id="both kinds",
        ),
        pytest.param(
            _event(_record(event_name=_REMOVED), _record(_OTHER_OBJECT, _REMOVED)),
            (_NORTH, _SOUTH),
            True,
            id="several removals",
        ),
        pytest.param(
            _event(_record("logs/today.txt"), _record()), (_NORTH,), False, id="beside another object"
        ),
        pytest.param(_TEST_EVENT, (), False, id="S3 test event"),
        pytest.param(
            _event(_record(event_name="LifecycleExpiration:Delete")), (_NORTH,), True, id="S3 expiry"
        ),
        pytest.param(
            _event(_record(event_name="s3:LifecycleExpiration:DeleteMarkerCreated")),
            (_NORTH,),
            True,
            id="S3 expiry of a version",
        ),
        pytest.param(_eventbridge(), (_NORTH,), False, id="EventBridge put"),
        pytest.param(_eventbridge(_OBJECT, "Object Deleted"), (_NORTH,), True, id="EventBridge removal"),
        pytest.param(
            _eventbridge(_OBJECT, "Object Tags Added"), (_NORTH,), False, id="EventBridge, another event"
        ),
    ],
)
@pytest.mark.parametrize("is_enveloped", [False, True], ids=["alone", "in SNS"])
def test_schedule_notification_is_read(
    message: _Message, keys: tuple[ScheduleKey, ...], *, removal: bool, is_enveloped: bool
) -> None:
    """The schedules that a notification names are read from each form, with or without an envelope."""
    body = _json(_envelope(message) if is_enveloped else message)

    notification = parse_schedule_notification(body)

    assert notification == ScheduleNotification(keys, removal)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        pytest.param({}, "sid: Field required; date: Field required", id="empty object"),
        pytest.param({"sid": "alder_one_north"}, "date: Field required", id="no date"),
        pytest.param(_BARE | {"sid": 7}, "sid: Input should be a valid string", id="sid a number"),
        pytest.param(_BARE | {"sid": "Alder"}, "not a service id", id="bad sid"),
        pytest.param(_BARE | {"date": "15/01/2026"}, "not a date", id="bad date"),
        pytest.param(_BARE | {"date": "9999-12-31"}, "not a date", id="date without a next"),
        pytest.param(
            _BARE | {"action": "MOVE"}, "action: Input should be 'PUT' or 'DELETE'", id="other action"
        ),
        pytest.param({"Event": "s3:OtherEvent"}, "sid: Field required", id="other S3 event"),
        pytest.param(_event(), "Records: List should have at least 1 item", id="no records"),
        pytest.param({"Records": None}, "Records: Input should be a valid list", id="records null"),
        pytest.param({"Records": {"a": 1}}, "Records: Input should be a valid list", id="records an object"),
        pytest.param(_event(None), "Records.0: Input should be", id="record null"),
        pytest.param(
            _event({"eventName": _PUT}), "Records.0.s3: Field required", id="record without an object"
        ),
        pytest.param(
            _event(_record(7)), "Records.0.s3.object.key: Input should be", id="object key a number"
        ),
        pytest.param(
            _event(_record(event_name=None)), "Records.0.eventName: Input should be", id="event null"
        ),
        pytest.param(_eventbridge("schedules%2Falder%2F2026-01-15.json"), "not a schedule's", id="encoded"),
        pytest.param(_eventbridge(7), "detail.object.key: Input should be", id="EventBridge key a number"),
        pytest.param(_eventbridge(_OBJECT, None), "detail-type: Input should be", id="EventBridge null"),
        pytest.param(
            _eventbridge() | {"source": "aws.ec2"},
            "source: Input should be 'aws.s3'",
            id="of another service",
        ),
        pytest.param(_event(_record("logs/today.txt")), "not a schedule's object key", id="another object"),
        pytest.param(
            _event(_record(""), _record("b")), "not a schedule's object key: ''", id="other objects"
        ),
    ],
)
@pytest.mark.parametrize("is_enveloped", [False, True], ids=["alone", "in SNS"])
def test_schedule_notification_rejects(message: _Message, complaint: str, *, is_enveloped: bool) -> None:
    """A notification that names no schedule is rejected with the reason."""
    body = _json(_envelope(message) if is_enveloped else message)

    with pytest.raises(InvalidMessage) as rejected:
        parse_schedule_notification(body)

    assert str(rejected.value).startswith(f"schedule notification: {complaint}")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(None, id="null"),
        pytest.param({"eventName": _PUT}, id="without an object"),
        pytest.param(_record(7), id="object key a number"),
        pytest.param(_record(_OBJECT, None), id="event null"),
        pytest.param({"eventName": _PUT, "s3": {"object": {"key": None, "n": 2**70}}}, id="large number"),
    ],
)
@pytest.mark.parametrize("is_enveloped", [False, True], ids=["alone", "in SNS"])
def test_a_record_that_cannot_be_read_does_not_cost_its_siblings(bad: object, *, is_enveloped: bool) -> None:
    """The other records are read, and the bad one is returned as a message of its own, with its reason."""
    message = _event(_record(), bad, _record(_OTHER_OBJECT))

    notification = parse_schedule_notification(_json(_envelope(message) if is_enveloped else message))

    assert notification.keys == (_NORTH, _SOUTH)
    assert notification.unreadable is not None
    assert json.loads(notification.unreadable.body) == {"Records": [bad]}
    assert notification.unreadable.reason.startswith("schedule notification: Records.1")
    with pytest.raises(InvalidMessage, match=r"Records\.0"):
        parse_schedule_notification(notification.unreadable.body)


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        pytest.param({}, CatalogueAction.UPDATE, id="update"),
        pytest.param({"action": "DELETE"}, CatalogueAction.DELETE, id="delete"),
        pytest.param({"action": "delete"}, CatalogueAction.DELETE, id="delete in lower case"),
        pytest.param({"action": "CREATE"}, CatalogueAction.UPDATE, id="another action"),
        pytest.param({"action": "update"}, CatalogueAction.UPDATE, id="lower case"),
        pytest.param({"action": None}, CatalogueAction.UPDATE, id="action null"),
        pytest.param({"action": ["DELETE"]}, CatalogueAction.UPDATE, id="action a list"),
        pytest.param({"type": "clip"}, CatalogueAction.UPDATE, id="another type"),
        pytest.param({"type": 7}, CatalogueAction.UPDATE, id="type a number"),
        pytest.param({"seq": None, "at": 5}, CatalogueAction.UPDATE, id="fields that are not read"),
        pytest.param({"document": {"a": 1}}, CatalogueAction.UPDATE, id="unknown field"),
    ],
)
@pytest.mark.parametrize("is_enveloped", [False, True], ids=["alone", "in SNS"])
def test_catalogue_notification_is_read(
    changes: _Message, action: CatalogueAction, *, is_enveloped: bool
) -> None:
    """Every action but DELETE means that the item is to be checked again, with or without an envelope."""
    message = _UPDATE | changes

    notification = parse_catalogue_notification(_json(_envelope(message) if is_enveloped else message))

    assert notification == CatalogueNotification(Pid("b0000001"), action)


def test_catalogue_notification_needs_only_the_pid() -> None:
    """Without action and type the item is checked again."""
    notification = parse_catalogue_notification('{"pid": "b0000001"}')

    assert notification == CatalogueNotification(Pid("b0000001"), CatalogueAction.UPDATE)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        pytest.param({}, "pid: Field required", id="empty object"),
        pytest.param(_UPDATE | {"pid": "b1"}, "not a pid: 'b1'", id="bad pid"),
        pytest.param(_UPDATE | {"pid": None}, "pid: Input should be a valid string", id="pid null"),
        pytest.param(_UPDATE | {"pid": 10000001}, "pid: Input should be a valid string", id="pid a number"),
        pytest.param(_BARE, "pid: Field required", id="a schedule's"),
        pytest.param(_TEST_EVENT, "pid: Field required", id="S3 test event"),
    ],
)
@pytest.mark.parametrize("is_enveloped", [False, True], ids=["alone", "in SNS"])
def test_catalogue_notification_rejects(message: _Message, complaint: str, *, is_enveloped: bool) -> None:
    """A notification that names no catalogue item is rejected with the reason."""
    body = _json(_envelope(message) if is_enveloped else message)

    with pytest.raises(InvalidMessage) as rejected:
        parse_catalogue_notification(body)

    assert str(rejected.value).startswith(f"catalogue notification: {complaint}")


@pytest.mark.parametrize("parse", [parse_schedule_notification, parse_catalogue_notification])
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        pytest.param("", "not JSON", id="empty"),
        pytest.param("hello", "not JSON", id="text"),
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param("[" * 5_000, "not JSON", id="nested without end"),
        pytest.param('{"pid": "\\ud800"}', "not JSON", id="half emoji"),
        pytest.param("\ud800", "not JSON", id="text that is not UTF-8"),
        pytest.param("null", "not a JSON object", id="null"),
        pytest.param("7", "not a JSON object", id="number"),
        pytest.param('"text"', "not a JSON object", id="JSON text"),
        pytest.param("[]", "not a JSON object", id="list"),
        pytest.param(_json(_envelope("hello")), "not JSON", id="text in SNS"),
        pytest.param(_json(_envelope("")), "not JSON", id="nothing in SNS"),
        pytest.param(_json(_envelope("[]")), "not a JSON object", id="list in SNS"),
    ],
)
def test_notification_rejects_garbage(parse: Any, body: str, complaint: str) -> None:
    """A body that is not a JSON object, or an envelope that holds none, is refused."""
    with pytest.raises(InvalidMessage) as rejected:
        parse(body)

    assert str(rejected.value).startswith(f"notification: {complaint}")


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (parse_schedule_notification, _BARE | {"sid": "x" * 10_000}),
        (parse_schedule_notification, _BARE | {"date": "x" * 10_000}),
        (parse_schedule_notification, _event(_record("x" * 10_000))),
        (parse_schedule_notification, _event(_record(f"schedules/{'x' * 10_000}/2026-01-15.json"))),
        (parse_catalogue_notification, _UPDATE | {"pid": "x" * 10_000}),
        (parse_schedule_notification, _event(_record("x" * 10_000, None))),
    ],
    ids=["sid", "date", "object key", "sid of an object key", "pid", "record"],
)
def test_notification_does_not_echo_long_values(parse: Any, message: _Message) -> None:
    """A complaint is short, however long the value that it is about."""
    with pytest.raises(InvalidMessage) as rejected:
        parse(_json(message))

    assert len(str(rejected.value)) < 250


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
_names = st.sampled_from(["Records", "Event", "Message", "TopicArn", "sid", "date", "action", "type", "pid"])
_messages = _values | st.dictionaries(_names, _values).map(lambda changes: _BARE | _UPDATE | changes)


@given(_messages, st.sampled_from([parse_schedule_notification, parse_catalogue_notification]))
def test_notification_is_read_or_rejected(message: object, parse: Any) -> None:
    """A body of any JSON is read, or rejected as invalid."""
    body = _json(message)

    try:
        outcome: object = parse(body)
    except InvalidMessage as error:
        outcome = error

    assert isinstance(outcome, (ScheduleNotification, CatalogueNotification, InvalidMessage))
