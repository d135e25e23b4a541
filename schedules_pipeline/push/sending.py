"""The part of a webhook's turn that sends: which requests start when, and what their answers do to the progress."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from time import time_ns

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.push.backlog import Backlog
from schedules_pipeline.push.lanes import Lanes, Sent
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.retry_after import parse_retry_after
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import MOST_REMEMBERED, Failure
from schedules_pipeline.push.turn import Turn
from schedules_pipeline.tracing import followed

_ASKS_TO_WAIT = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_READ_AHEAD = 2_000
"""Waiting schedules, above which no more rows are read."""

_CHECK_FEED_SECONDS = 0.1
"""How often the feed is read while a lane is free and another is not."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where changes come from and where they go: ``post`` sends some in one request, with the cursor after them."""

    feed: ChangeFeed
    rows: SharedRows
    post: Callable[[Sequence[Change], str], Callable[[], Answer]]
    open_lanes: Callable[[int], Lanes]


class Sending:
    """``is_complete``: the receiver has everything, the time is over, or a request failed; otherwise rows were trimmed
    that the receiver does not have.
    """

    def __init__(self, turn: Turn, partner: Partner, epoch: str, route: Route) -> None:
        self.is_complete = True
        self._turn, self._partner, self._epoch, self._route = turn, partner, epoch, route
        known = ((ScheduleKey.parse(key), seq) for key, seq in turn.progress.ahead)
        self._backlog = Backlog(turn.progress.position, known)
        turn.remember(())
        self._failure: Failure | None = None
        self._is_at_end = False

    def run(self) -> Failure | None:
        """Send until the turn is over; returns the first failure, after the other requests have ended."""
        try:
            with closing(self._route.open_lanes(self._turn.subscription.concurrency)) as lanes:
                self._read()
                self._start(lanes)
                while lanes.under_way():
                    for sent, answer in lanes.ended(self._patience(lanes)):
                        self._end(sent, answer)
                    self._read()
                    self._start(lanes)
        finally:
            self._turn.remember(self._ahead())
        if self._backlog.position() != self._turn.progress.position:
            self._turn.write(self._turn.progress.moved_to(self._backlog.position()))
        return self._failure

    def _may_start(self) -> bool:
        return self._failure is None and self.is_complete and self._turn.has_time()

    def _patience(self, lanes: Lanes) -> float | None:
        is_idle = lanes.under_way() < self._limit() and self._may_start()
        return _CHECK_FEED_SECONDS if is_idle else None

    def _limit(self) -> int:
        """A receiver that failed gets one request until it has accepted it."""
        return 1 if self._turn.progress.failures else self._turn.subscription.concurrency

    def _read(self) -> None:
        while self._may_start() and len(self._backlog) < _READ_AHEAD:
            rows = self._route.rows.after(self._backlog.read_to, self._epoch)
            self.is_complete = rows is not None
            self._is_at_end = rows == []
            if not rows:
                return
            self._backlog.add(rows, self._partner.may_see)

    def _start(self, lanes: Lanes) -> None:
        while lanes.under_way() < self._limit() and self._may_start():
            changes = self._backlog.take(self._turn.subscription.batch, self._route.feed.heads_of)
            if not changes:
                return
            self._is_at_end = False
            post = self._route.post(changes, self._backlog.position(without=changes))
            lanes.start(Sent(changes, time_ns()), post)

    def _end(self, sent: Sent, answer: Answer) -> None:
        self._turn.note(answer, len(sent.changes))
        failure = failure_of(answer, self._turn.now)
        reason = failure.reason if failure else ""
        for change in sent.changes:
            followed("webhook", change, sent.began, reason, partner=self._partner.name)
        if failure is not None:
            self._failure = self._failure or failure
            return
        self._backlog.accept(sent.changes)
        progress, position = self._turn.progress, self._backlog.position()
        if position == progress.position:
            # The oldest pending change may be the one that fails: its failures are still counted.
            self._turn.write_delivered(replace(progress, delivered_at=self._turn.now))
        else:
            self._turn.write_delivered(progress.delivered(position, self._epoch, self._turn.now))

    def _ahead(self) -> tuple[tuple[str, int], ...]:
        """Nothing if the receiver has everything: the row of each accepted version was then read too."""
        if self._is_at_end and self._backlog.position() == self._backlog.read_to:
            return ()
        return tuple((str(key), seq) for key, seq in self._backlog.accepted_beyond(MOST_REMEMBERED))


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
