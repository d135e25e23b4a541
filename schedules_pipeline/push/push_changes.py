"""Webhooks: one signed request for each change that the partner may see, in feed order.

A request is repeated until the receiver accepts it, and only then does the position move. Each change therefore arrives
at least once, and a subscription has at most one request under way. If the process dies after an answer and before the
position is written, the request is repeated with the same id.
"""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from time import time_ns

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry
from schedules_pipeline.push.ports import Answer, Receiver
from schedules_pipeline.push.retry_after import parse_retry_after
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Failure
from schedules_pipeline.push.turn import Turn
from schedules_pipeline.push.webhook_event import Event, render_change, render_reset
from schedules_pipeline.push.webhook_signature import signed_headers
from schedules_pipeline.tracing import followed

_ASKS_TO_WAIT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_OTHER_KEYSPACE = "the feed began anew; sequence numbers may begin again"
_TOO_OLD = "changes are kept for some days, and some were not delivered in time"


@dataclass(frozen=True, slots=True)
class WebhookPush:
    """``master_secret``: the secret from which every subscription's secret is derived; None if it is not configured."""

    feed: ChangeFeed
    rows: SharedRows
    receiver: Receiver
    master_secret: bytes | None

    def push(self, turn: Turn, partner: Partner, epoch: str) -> Failure | None:
        """Send pending changes until the turn is over; returns the first failure.

        Raises :class:`ConfigurationError` if there is no master secret.
        """
        while turn.has_time():
            rows = self._pending(turn, epoch)
            if rows is None:
                failure = self._send_reset(turn, epoch)
            elif rows:
                failure = self._send(turn, partner, epoch, rows)
            else:
                return None
            if failure is not None:
                return failure
        return None

    def _pending(self, turn: Turn, epoch: str) -> list[FeedEntry] | None:
        """None if the feed does not continue from the subscription's position."""
        if turn.progress.epoch != epoch:
            return None
        return self.rows.after(turn.progress.position, epoch)

    def _send(self, turn: Turn, partner: Partner, epoch: str, rows: list[FeedEntry]) -> Failure | None:
        """Rows of other services are skipped without a write of their own."""
        for entry in rows:
            if not partner.may_see(entry.change.key.sid):
                continue
            if not turn.has_time():
                return None
            event = render_change(entry, epoch, render_cursor(FeedCursor(epoch, entry.position)))
            began = time_ns()
            failure = self._post(turn, event)
            followed("webhook", entry.change, began, failure.reason if failure else "", partner=partner.name)
            if failure is not None:
                return failure
            turn.write_delivered(turn.progress.delivered(entry.position, epoch, turn.now))
        if turn.progress.position != rows[-1].position:
            turn.write(turn.progress.moved_to(rows[-1].position))
        return None

    def _send_reset(self, turn: Turn, epoch: str) -> Failure | None:
        """The position is read before the request, so the digest that the receiver then reads is at least as new."""
        position = self.feed.last_position()
        reason = _OTHER_KEYSPACE if turn.progress.epoch != epoch else _TOO_OLD
        cursor = render_cursor(FeedCursor(epoch, position))
        failure = self._post(turn, render_reset(position, epoch, cursor, reason, turn.now))
        if failure is None:
            turn.write_delivered(turn.progress.delivered(position, epoch, turn.now))
        return failure

    def _post(self, turn: Turn, event: Event) -> Failure | None:
        if self.master_secret is None:
            raise ConfigurationError(
                "webhooks cannot be signed: set SCHEDULES_WEBHOOK_MASTER_SECRET for the process that pushes"
            )
        now = turn.now
        signature = signed_headers(self.master_secret, turn.subscription, event.id, now, event.body)
        headers = {"Content-Type": "application/json", "User-Agent": "schedules-pipeline", **signature}
        return failure_of(self.receiver.post(turn.subscription.target, headers, event.body), now)


def failure_of(answer: Answer, now: datetime) -> Failure | None:
    """None if the receiver accepted the request."""
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if answer.problem:
        return Failure(f"no answer: {answer.problem}")
    reason = f"answered with status {answer.status}"
    if answer.status == HTTPStatus.GONE:
        return Failure(f"{reason}: the receiver wants no more changes", is_final=True)
    if answer.status in _ASKS_TO_WAIT:
        return Failure(reason, parse_retry_after(answer.retry_after, now))
    return Failure(reason)
