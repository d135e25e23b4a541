"""What is sent to the receivers of webhooks, for OpenAPI: its ``webhooks``, with examples that the pusher's own code
has rendered.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.push.subscription import Envelope
from schedules_pipeline.push.webhook_event import (
    BATCH,
    PING,
    PUBLISHED,
    REMOVED,
    RESET,
    Event,
    change_event,
    ping_event,
    render_message,
    reset_event,
)

TAG: Final = "webhooks"
_REFERENCES: Final = "#/components/schemas/{model}"


class ScheduleChange(BaseModel):
    sid: str
    date: date
    seq: int
    etag: str | None = Field(description="Null for a removal.")
    published_at: datetime
    href: str = Field(description="Where to read this version or a later one, below the service's address.")
    cursor: str = Field(description="After this request you have every change up to here.")


class FeedReset(BaseModel):
    reason: str
    href: str = Field(description="The digest: compare your copy with it.")
    cursor: str


class SubscriptionPing(BaseModel):
    subscription: str = Field(description="Its name.")


class WebhookEvent(BaseModel):
    """The envelope `standard`. Ignore members that you do not know."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="The same whenever the event is sent again.")
    type: str = Field(description="Ignore types that you do not know.")
    timestamp: datetime
    data: ScheduleChange | FeedReset | SubscriptionPing


class WebhookEvents(BaseModel):
    events: list[WebhookEvent] = Field(description="Each of another schedule.")


class WebhookBatch(BaseModel):
    """What a subscription with `batch` above 1 gets, also for a single event."""

    id: str
    type: Literal["events"]
    timestamp: datetime
    data: WebhookEvents


class CloudEvent(BaseModel):
    """The envelope `cloudevents`: CloudEvents 1.0 in structured mode."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: str
    source: str = Field(description="To be resolved against the service's address.")
    type: str
    subject: str | None = Field(default=None, description="The schedule, as `sid/date`.")
    time: datetime
    datacontenttype: str
    data: ScheduleChange | FeedReset | SubscriptionPing


_MODELS: Final = (WebhookBatch, CloudEvent)
_AT: Final = datetime(2026, 3, 28, 12, 0, 6, 120000, UTC)
_CURSOR: Final = render_cursor(FeedCursor("4f1c", "1774699206123-0"))


def _change(sid: str, seq: int, etag: str) -> Event:
    key = ScheduleKey(Sid(sid), _AT.date())
    return change_event(Change(seq, key, etag, _AT, 45, 0, False, 0, (), 0, ""), "4f1c", _CURSOR)


_NEW: Final = _change("alder_one_north", 7, "0a4d55a8d778e5022fab701977c5d840")
_GONE: Final = _change("birch_two", 4, "")
_EVENTS: Final[tuple[tuple[str, Event, str], ...]] = (
    (PUBLISHED, _NEW, "A schedule has a new version"),
    (REMOVED, _GONE, "A schedule was removed"),
    (RESET, reset_event("1774699206123-0", "4f1c", _CURSOR, "the store began anew", _AT), "Begin anew"),
    (PING, ping_event("willow-guides-webhook", _AT), "You asked for a ping"),
)
_SIGNED: Final = (
    ("webhook-id", "The `id` of the body; of a batch of CloudEvents, an id of its own."),
    ("webhook-timestamp", "Unix seconds of the signature. Reject what is more than five minutes off."),
    ("webhook-signature", "`v1,` and a base64 HMAC-SHA256; during a rotation two, separated by a space."),
)
_ANSWERS: Final = {
    "2XX": "Stored. The next event follows.",
    "410": "Nothing more is sent until an operator resumes the subscription.",
    "429": "Repeated after `Retry-After`, at most an hour.",
    "default": "Repeated with growing pauses.",
}


def webhooks() -> dict[str, Any]:
    """The section ``webhooks``: each kind of request to a receiver, in both envelopes."""
    found = {
        kind: _request(kind, summary, _contents([event], in_batches=False))
        for kind, event, summary in _EVENTS
    }
    return found | {
        BATCH: _request(BATCH, "Several events at once", _contents([_NEW, _GONE], in_batches=True))
    }


def webhook_schemas() -> dict[str, Any]:
    _, found = models_json_schema([(model, "serialization") for model in _MODELS], ref_template=_REFERENCES)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _request(kind: str, summary: str, contents: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    fields = [
        {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}
        for name, meaning in _SIGNED
    ]
    operation = {
        "operationId": f"receive_{kind.replace('.', '_')}",
        "tags": [TAG],
        "summary": summary,
        "description": "Sent to the address of your webhook, signed as Standard Webhooks specifies.",
        "security": [],
        "parameters": fields,
        "requestBody": {"required": True, "content": dict(contents)},
        "responses": {status: {"description": meaning} for status, meaning in _ANSWERS.items()},
    }
    return {"post": operation}


def _contents(events: Sequence[Event], *, in_batches: bool) -> Iterator[tuple[str, Any]]:
    """By media type the schema, and an example as it is sent."""
    for envelope in Envelope:
        message = render_message(events, envelope, in_batches=in_batches)
        yield (
            message.media_type,
            {"schema": _schema(envelope, in_batches=in_batches), "example": orjson.loads(message.body)},
        )


def _schema(envelope: Envelope, *, in_batches: bool) -> dict[str, Any]:
    def of(model: type[BaseModel]) -> dict[str, Any]:
        return {"$ref": _REFERENCES.format(model=model.__name__)}

    if envelope is Envelope.CLOUDEVENTS:
        return {"type": "array", "items": of(CloudEvent)} if in_batches else of(CloudEvent)
    return of(WebhookBatch if in_batches else WebhookEvent)
