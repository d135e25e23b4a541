"""Webhooks: one signed request for every change that the partner may see, in the order of the feed.

A request is repeated until it is taken, and the place moves when it was: so each change comes at least once, and of one
subscription never two at a time. Who dies between an answer and writing it down causes a repetition under the same id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

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

RenderCursor = Callable[[str, str], str]
"""From an epoch and a position to the cursor that partners know."""

_ASKS_TO_WAIT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_OTHER_KEYSPACE = "the feed began anew; sequence numbers may begin again"
_TOO_OLD = "changes are kept for some days, and some were not delivered in time"


@dataclass(frozen=True, slots=True)
class WebhookPush:
    """``master_secret``: from which those of all subscriptions are derived; None where there is none."""

    feed: ChangeFeed
    rows: SharedRows
    receiver: Receiver
    render_cursor: RenderCursor
    master_secret: bytes | None

    def push(self, turn: Turn, partner: Partner, epoch: str) -> Failure | None:
        """Tell what there is to tell, for as long as the turn lasts; answers with what was not taken, if something.

        Raises :class:`ConfigurationError` where there is no secret to sign with.
        """
        while turn.goes_on():
            rows = self._rows(turn, epoch)
            if rows is None:
                failure = self._reset(turn, epoch)
            elif rows:
                failure = self._tell(turn, partner, epoch, rows)
            else:
                return None
            if failure is not None:
                return failure
        return None

    def _rows(self, turn: Turn, epoch: str) -> list[FeedEntry] | None:
        """None where the feed does not lead on from where the subscription is."""
        if turn.progress.epoch != epoch:
            return None
        return self.rows.after(turn.progress.position, epoch)

    def _tell(self, turn: Turn, partner: Partner, epoch: str, rows: list[FeedEntry]) -> Failure | None:
        """What is not for this partner is passed over with the next that is, or at the end."""
        for entry in rows:
            if not partner.may_see(entry.change.key.sid):
                continue
            if not turn.goes_on():
                return None
            event = render_change(entry, epoch, self.render_cursor(epoch, entry.position))
            failure = self._post(turn, event)
            if failure is not None:
                return failure
            turn.deliver(entry.position, epoch)
        if turn.progress.position != rows[-1].position:
            turn.write(turn.progress.passed(rows[-1].position))
        return None

    def _reset(self, turn: Turn, epoch: str) -> Failure | None:
        """What is published when the receiver hears of it is at least what was when its new place was taken."""
        position = self.feed.last_position()
        reason = _OTHER_KEYSPACE if turn.progress.epoch != epoch else _TOO_OLD
        cursor = self.render_cursor(epoch, position)
        failure = self._post(turn, render_reset(position, epoch, cursor, reason, turn.now))
        if failure is None:
            turn.deliver(position, epoch)
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
    """None where it was taken."""
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if answer.problem:
        return Failure(f"no answer: {answer.problem}")
    reason = f"answered with status {answer.status}"
    if answer.status == HTTPStatus.GONE:
        return Failure(f"{reason}: it wants nothing any more", is_final=True)
    if answer.status in _ASKS_TO_WAIT:
        return Failure(reason, parse_retry_after(answer.retry_after, now))
    return Failure(reason)
