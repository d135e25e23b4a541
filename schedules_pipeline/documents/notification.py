"""Notifications from both queues, in every envelope in which they come.

A schedule notification is an S3 event, an EventBridge event of S3, or the bare form ``{"sid", "date"}``. A catalogue
notification is ``{"action", "pid", …}``. Either may be inside an SNS envelope. Only what changed is read from it: the
data always comes from the source.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from schedules_pipeline.documents.validation import summarise
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidIdentifier, InvalidMessage

MAXIMUM_CHARACTERS = 1_048_576
"""The limit of SQS. A longer text cannot be an SQS message and is rejected unread."""

_OBJECT_KEY = re.compile(r"schedules/([^/]+)/([^/]+)\.json")
_REMOVALS = ("ObjectRemoved", "LifecycleExpiration")
_UNCONFIRMED = (
    "the subscription of topic {topic} awaits confirmation, and nothing arrives from it until then: confirm it at the "
    "SubscribeURL in the message"
)
_ENDED = "the subscription of topic {topic} has ended, and nothing arrives from it: subscribe the queue again"


class CatalogueAction(StrEnum):
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a message, as a message of its own, and why it cannot be read."""

    body: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleNotification:
    """The schedules whose source documents were put or removed; none for S3's test event. ``unreadable``: the records
    of the same message that name no object.
    """

    keys: tuple[ScheduleKey, ...]
    removal: bool = False
    unreadable: Unreadable | None = None


@dataclass(frozen=True, slots=True)
class CatalogueNotification:
    """``action``: UPDATE for every action but DELETE, since the current document is read in any case."""

    pid: Pid
    action: CatalogueAction


def object_key(key: ScheduleKey) -> str:
    """Where the source keeps the document of a schedule."""
    return f"schedules/{key.sid}/{key.date.isoformat()}.json"


def parse_object_key(name: str) -> ScheduleKey:
    """The schedule of an object key; raises :class:`InvalidIdentifier` for any other object."""
    match = _OBJECT_KEY.fullmatch(name)
    if match is None:
        raise InvalidIdentifier(f"not a schedule's object key: {name[:120]!r}")
    return ScheduleKey(Sid(match[1]), parse_date(match[2]))


class _S3Object(BaseModel):
    key: str


class _S3Entity(BaseModel):
    object: _S3Object


class _S3Record(BaseModel):
    event_name: str = Field(alias="eventName")
    s3: _S3Entity


class _S3Event(BaseModel):
    records: list[Any] = Field(alias="Records", min_length=1)


class _EventBridgeEvent(BaseModel):
    """Unlike in an S3 event, the key is not URL-encoded."""

    source: Literal["aws.s3"]
    detail_type: str = Field(alias="detail-type")
    detail: _S3Entity


class _BareSchedule(BaseModel):
    sid: str
    date: str
    action: Literal["PUT", "DELETE"] = "PUT"


class _Catalogue(BaseModel):
    pid: str
    action: Any = None


def parse_schedule_notification(body: str) -> ScheduleNotification:
    """Raises :class:`InvalidMessage` where the body names no schedule in any known form."""
    message = _open(body)
    try:
        if message.get("Event") == "s3:TestEvent":
            return ScheduleNotification(())
        if "Records" in message:
            return _from_s3(_S3Event.model_validate(message).records)
        if "detail-type" in message:
            return _from_eventbridge(_EventBridgeEvent.model_validate(message))
        bare = _BareSchedule.model_validate(message)
        return ScheduleNotification(
            (ScheduleKey(Sid(bare.sid), parse_date(bare.date)),), bare.action == "DELETE"
        )
    except ValidationError as error:
        raise InvalidMessage(f"schedule notification: {summarise(error)}") from error
    except InvalidIdentifier as error:
        raise InvalidMessage(f"schedule notification: {error}") from error


def parse_catalogue_notification(body: str) -> CatalogueNotification:
    """Raises :class:`InvalidMessage` where the body names no catalogue item in any known form."""
    try:
        model = _Catalogue.model_validate(_open(body))
        is_delete = isinstance(model.action, str) and model.action.upper() == CatalogueAction.DELETE
        return CatalogueNotification(
            Pid(model.pid), CatalogueAction.DELETE if is_delete else CatalogueAction.UPDATE
        )
    except ValidationError as error:
        raise InvalidMessage(f"catalogue notification: {summarise(error)}") from error
    except InvalidIdentifier as error:
        raise InvalidMessage(f"catalogue notification: {error}") from error


def traceparent_of(body: str) -> str:
    """The W3C ``traceparent`` among the attributes of an SNS envelope, or ""."""
    try:
        match _load(body):
            case {"TopicArn": str(), "MessageAttributes": {"traceparent": {"Value": str(text)}}}:
                return text
    except InvalidMessage:
        pass
    return ""


def _open(body: str) -> dict[str, Any]:
    """Take a message out of its SNS envelope, if it is in one."""
    if len(body) > MAXIMUM_CHARACTERS:
        raise InvalidMessage(f"notification: {len(body):,} characters are more than a message may have")
    message = _load(body)
    _require_notification(message)
    if isinstance(message, dict) and isinstance(message.get("Message"), str) and "TopicArn" in message:
        message = _load(message["Message"])
    if not isinstance(message, dict):
        raise InvalidMessage("notification: not a JSON object")
    return message


def _load(text: str) -> Any:
    try:
        # It limits nesting more than orjson, so that pydantic can show a wrong value without exceeding recursion.
        return from_json(text.encode(), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidMessage(f"notification: not JSON ({error})") from error


def _require_notification(message: object) -> None:
    """Raises :class:`InvalidMessage` if SNS speaks of the subscription itself."""
    match message:
        case {"Type": "SubscriptionConfirmation", "TopicArn": topic}:
            raise InvalidMessage("notification: " + _UNCONFIRMED.format(topic=str(topic)[:120]))
        case {"Type": "UnsubscribeConfirmation", "TopicArn": topic}:
            raise InvalidMessage("notification: " + _ENDED.format(topic=str(topic)[:120]))


def _from_s3(records: Sequence[Any]) -> ScheduleNotification:
    """Raises :class:`InvalidIdentifier` or :class:`InvalidMessage` only if no record is a schedule's.

    Records of other objects are skipped, and records that cannot be read are returned, beside a schedule's.
    """
    named: list[tuple[ScheduleKey, str]] = []
    strangers: list[InvalidIdentifier] = []
    unreadable: list[Any] = []
    reasons: list[str] = []
    for number, content in enumerate(records):
        try:
            record = _S3Record.model_validate(content)
            named.append((parse_object_key(unquote_plus(record.s3.object.key)), record.event_name))
        except InvalidIdentifier as error:
            strangers.append(error)
        except ValidationError as error:
            unreadable.append(content)
            reasons.append(f"schedule notification: {_of_record(number, error)}")
    if not named:
        raise InvalidMessage(reasons[0]) if reasons else strangers[0]
    removal = all(any(kind in event_name for kind in _REMOVALS) for _, event_name in named)
    keys = tuple(dict.fromkeys(key for key, _ in named))
    left = Unreadable(json.dumps({"Records": unreadable}), reasons[0]) if unreadable else None
    return ScheduleNotification(keys, removal, left)


def _of_record(number: int, error: ValidationError) -> str:
    """The summary, with the record's number in front of each field."""
    parts = summarise(error).split("; ")
    return "; ".join(f"Records.{number}.{part}".replace(".document: ", ": ") for part in parts)


def _from_eventbridge(event: _EventBridgeEvent) -> ScheduleNotification:
    return ScheduleNotification(
        (parse_object_key(event.detail.object.key),), event.detail_type == "Object Deleted"
    )
