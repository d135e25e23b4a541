"""Webhooks: signed requests for the changed schedules that the partner may see.

A schedule that changes again before its request starts is sent once, with its newest version. The position in the feed
moves when the receiver has everything up to it. If the process dies, what was accepted after that position is sent
again, in the same version or a newer one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import perf_counter

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.push.lanes import Lanes, ThreadLanes
from schedules_pipeline.push.ports import Answer, Receiver
from schedules_pipeline.push.sending import Route, Sending, failure_of
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import Failure
from schedules_pipeline.push.turn import Turn
from schedules_pipeline.push.webhook_event import Event, change_event, ping_event, render_message, reset_event
from schedules_pipeline.push.webhook_signature import signed_headers

_OTHER_KEYSPACE = "the feed began anew; sequence numbers may begin again"
_TOO_OLD = "changes are kept for some days, and some were not delivered in time"


@dataclass(frozen=True, slots=True)
class WebhookPush:
    """``master_secret``: the secret from which every subscription's secret is derived; None if it is not configured.
    ``open_lanes`` is given the number of requests that may be under way.
    """

    feed: ChangeFeed
    rows: SharedRows
    receiver: Receiver
    master_secret: bytes | None
    open_lanes: Callable[[int], Lanes] = ThreadLanes

    def push(self, turn: Turn, partner: Partner, epoch: str) -> Failure | None:
        """Send pending changes until the turn is over; returns the first failure.

        Raises :class:`ConfigurationError` if there is no master secret.
        """
        route = Route(self.feed, self.rows, partial(self._post_changes, turn, epoch), self.open_lanes)
        if turn.progress.ping_at is not None and (failure := self._send_ping(turn, turn.progress.ping_at)):
            return failure
        while turn.has_time():
            if turn.progress.epoch == epoch:
                sending = Sending(turn, partner, epoch, route)
                failure = sending.run()
                if sending.is_complete or failure is not None:
                    return failure
            failure = self._send_reset(turn, epoch)
            if failure is not None:
                return failure
        return None

    def _post_changes(
        self, turn: Turn, epoch: str, changes: Sequence[Change], position: str
    ) -> Callable[[], Answer]:
        cursor = render_cursor(FeedCursor(epoch, position))
        return self._post(turn, [change_event(change, epoch, cursor) for change in changes])

    def _send_reset(self, turn: Turn, epoch: str) -> Failure | None:
        """The position is read before the request, so the digest that the receiver then reads is at least as new."""
        position = self.feed.last_position()
        reason = _OTHER_KEYSPACE if turn.progress.epoch != epoch else _TOO_OLD
        cursor = render_cursor(FeedCursor(epoch, position))
        failure = self._post_alone(turn, reset_event(position, epoch, cursor, reason, turn.now))
        if failure is None:
            turn.remember(())
            turn.write_delivered(turn.progress.delivered(position, epoch, turn.now))
        return failure

    def _send_ping(self, turn: Turn, asked_at: datetime) -> Failure | None:
        failure = self._post_alone(turn, ping_event(turn.subscription.name, asked_at))
        if failure is None:
            turn.write_delivered(replace(turn.progress.recovered(), ping_at=None, delivered_at=turn.now))
        return failure

    def _post_alone(self, turn: Turn, event: Event) -> Failure | None:
        """Send what is no change, and wait for the answer."""
        answer = self._post(turn, [event])()
        turn.note(answer, 0)
        return failure_of(answer, turn.now)

    def _post(self, turn: Turn, events: Sequence[Event]) -> Callable[[], Answer]:
        """Sign a request; the result sends it."""
        if self.master_secret is None:
            raise ConfigurationError(
                "webhooks cannot be signed: set SCHEDULES_WEBHOOK_MASTER_SECRET for the process that pushes"
            )
        subscription = turn.subscription
        message = render_message(events, subscription.envelope, in_batches=subscription.batch > 1)
        signature = signed_headers(self.master_secret, subscription, message.id, turn.now, message.body)
        headers = {"Content-Type": message.media_type, "User-Agent": "schedules-pipeline", **signature}
        return partial(_timed, partial(self.receiver.post, subscription.target, headers, message.body))


def _timed(post: Callable[[], Answer]) -> Answer:
    began = perf_counter()
    answer = post()
    return replace(answer, seconds=perf_counter() - began)
