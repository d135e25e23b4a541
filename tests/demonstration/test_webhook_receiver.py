"""The receiver accepts each signed event once, and rejects every other request."""

import http.client
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from builders import a_change
from fakes import FakeClock

from demo.webhook_receiver import Received, WebhookReceiver
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.push.subscription import Envelope, Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_event import Message, change_event, render_message, reset_event
from schedules_pipeline.push.webhook_signature import derive_secret, signed_headers

_MASTER = b"a master secret that is no secret at all"
_SUBSCRIPTION = Subscription(
    "demonstration-webhook",
    "demonstration",
    SubscriptionKind.WEBHOOK,
    "http://127.0.0.1/changes",
    datetime(2026, 3, 28, tzinfo=UTC),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def receiver(clock: FakeClock) -> Iterator[WebhookReceiver]:
    """It trusts the subscription's own secret."""
    with WebhookReceiver(clock) as receiver:
        receiver.trust(derive_secret(_MASTER, _SUBSCRIPTION, 1))
        yield receiver


def _change(clock: FakeClock, seq: int = 3) -> Message:
    key = ScheduleKey.parse("alder_one/2026-03-28")
    change = a_change(key, seq, etag="e" * 32, published_at=clock() - timedelta(seconds=0.5))
    event = change_event(change, "first", "cursor")
    return render_message([event], Envelope.STANDARD, in_batches=False)


def _post(receiver: WebhookReceiver, headers: Mapping[str, str], body: bytes, path: str = "/changes") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(receiver.url).port or 0, timeout=10)
    try:
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _send(receiver: WebhookReceiver, event: Message, now: datetime, master: bytes = _MASTER) -> int:
    return _post(receiver, signed_headers(master, _SUBSCRIPTION, event.id, now, event.body), event.body)


def test_a_signed_change_is_taken_once(receiver: WebhookReceiver, clock: FakeClock) -> None:
    """A repeated id is accepted without a second event, and drained events are not returned again."""
    event = _change(clock)

    statuses = [_send(receiver, event, clock()) for _ in range(2)]

    assert statuses == [204, 204]
    taken = Received("schedule.published", "alder_one/2026-03-28", 3, timedelta(seconds=0.5))
    assert receiver.drain() == [taken]
    assert receiver.drain() == []


def test_a_reset_concerns_no_schedule(receiver: WebhookReceiver, clock: FakeClock) -> None:
    """An event without a schedule concerns the whole feed."""
    reset = reset_event("9-0", "first", "cursor", "a reason", clock())
    _send(receiver, render_message([reset], Envelope.STANDARD, in_batches=False), clock())

    assert [(event.kind, event.key) for event in receiver.drain()] == [("feed.reset", "")]


@pytest.mark.parametrize("envelope", Envelope)
def test_a_batch_has_several_events(receiver: WebhookReceiver, clock: FakeClock, envelope: Envelope) -> None:
    """An event that was in another batch is not returned again."""
    key = ScheduleKey.parse("alder_one/2026-03-28")
    first, second, third = (change_event(a_change(key, seq), "first", "cursor") for seq in (3, 4, 5))

    for events in ([first, second], [second, third]):
        _send(receiver, render_message(events, envelope, in_batches=True), clock())

    assert [event.seq for event in receiver.drain()] == [3, 4, 5]


def test_what_is_not_signed_by_the_subscription_is_rejected(
    receiver: WebhookReceiver, clock: FakeClock
) -> None:
    """Another secret, a changed body, an old timestamp and a missing signature are rejected."""
    event, now = _change(clock), clock()
    signed = signed_headers(_MASTER, _SUBSCRIPTION, event.id, now, event.body)

    statuses = [
        _send(receiver, event, now, b"the master secret of somebody else"),
        _post(receiver, signed, event.body.replace(b'"seq":3', b'"seq":4')),
        _post(receiver, {**signed, "webhook-id": "another"}, event.body),
        _post(receiver, {}, event.body),
        _send(receiver, event, now - timedelta(minutes=6)),
        _send(receiver, event, now + timedelta(minutes=6)),
    ]

    assert statuses == [401] * 6
    assert receiver.drain() == []


def test_nothing_is_taken_before_anybody_is_trusted(clock: FakeClock) -> None:
    """A receiver without a secret rejects every request."""
    with WebhookReceiver(clock) as receiver:
        status = _send(receiver, _change(clock), clock())

    assert status == 401


def test_what_is_too_large_or_elsewhere_is_not_read(receiver: WebhookReceiver, clock: FakeClock) -> None:
    """A body without a length, a body that is too large, and another path are rejected."""
    event = _change(clock)
    signed = signed_headers(_MASTER, _SUBSCRIPTION, event.id, clock(), event.body)

    assert _post(receiver, signed, event.body, "/elsewhere") == 400
    assert _post(receiver, {**signed, "Content-Length": "100001"}, event.body) == 400
    assert _post(receiver, {**signed, "Content-Length": "many"}, event.body) == 400
    assert receiver.drain() == []
