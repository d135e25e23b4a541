"""Notifications from both queues, in every envelope in which they come.

A schedule notification is an S3 event (bare, inside an SNS envelope, or S3's test event) or the bare
form ``{"sid", "date"}``. A catalogue notification is ``{"action", "type", "pid", "seq", "at"}``, bare or
inside an SNS envelope. Only what changed is read from it: the data always comes from the source.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from schedules_pipeline.documents.validation import summarise
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidIdentifier, InvalidMessage

MAXIMUM_CHARACTERS = 1_048_576
"""The limit of SQS. A longer text cannot be an SQS message and is rejected unread."""

_OBJECT_KEY = re.compile(r"schedules/([^/]+)/([^/]+)\.json")


class CatalogueAction(StrEnum):
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class ScheduleNotification:
    """The schedules whose source documents were put or removed; none for S3's test event."""

    keys: tuple[ScheduleKey, ...]
    removal: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueNotification:
    pid: Pid
    kind: Kind
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
    records: list[_S3Record] = Field(alias="Records", min_length=1)


class _BareSchedule(BaseModel):
    sid: str
    date: str
    action: Literal["PUT", "DELETE"] = "PUT"


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="ignore")

    action: CatalogueAction
    type: Kind
    pid: str


def parse_schedule_notification(body: str) -> ScheduleNotification:
    """Raises :class:`InvalidMessage` where the body names no schedule in any known form."""
    message = _open(body)
    try:
        if message.get("Event") == "s3:TestEvent":
            return ScheduleNotification(())
        if "Records" in message:
            return _from_s3(_S3Event.model_validate(message))
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
        return CatalogueNotification(Pid(model.pid), model.type, model.action)
    except ValidationError as error:
        raise InvalidMessage(f"catalogue notification: {summarise(error)}") from error
    except InvalidIdentifier as error:
        raise InvalidMessage(f"catalogue notification: {error}") from error


def _open(body: str) -> dict[str, Any]:
    """Take a message out of its SNS envelope, if it is in one."""
    if len(body) > MAXIMUM_CHARACTERS:
        raise InvalidMessage(f"notification: {len(body):,} characters are more than a message may have")
    message = _load(body)
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


def _from_s3(event: _S3Event) -> ScheduleNotification:
    """Raises :class:`InvalidIdentifier` only if no object is a schedule's; records of other objects beside a
    schedule's are skipped.
    """
    named: list[tuple[ScheduleKey, str]] = []
    stranger: InvalidIdentifier | None = None
    for record in event.records:
        try:
            named.append((parse_object_key(unquote_plus(record.s3.object.key)), record.event_name))
        except InvalidIdentifier as error:
            stranger = stranger or error
    if not named and stranger is not None:
        raise stranger
    removal = all("ObjectRemoved" in event_name for _, event_name in named)
    return ScheduleNotification(tuple(dict.fromkeys(key for key, _ in named)), removal)
