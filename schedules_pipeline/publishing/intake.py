"""Ingests notifications: it makes their content durable as marks, and only then deletes the messages.

A notification carries a key, never data. So duplicates, delays and reordering are harmless, and many notifications
for one schedule become one rebuild.
"""

from collections import Counter as Multiset
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from schedules_pipeline.documents.notification import (
    CatalogueAction,
    ScheduleNotification,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidMessage
from schedules_pipeline.publishing.counting import Tally, counted
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower, FollowResult
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.counters import Counter, Timer
from schedules_pipeline.publishing.ports.rejections import Rejection, RejectionStore, rejection
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at

MOST_REJECTIONS_KEPT = 10_000
"""Above this, rejected messages are counted but not stored, so that a flooded queue cannot fill the store. Rejected
documents are bounded by the number of documents.
"""

_KINDS = (Counter.SCHEDULE_PUTS, Counter.SCHEDULE_REMOVALS, Counter.SCHEDULE_MESSAGES_IGNORED)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IngestResult:
    """``marked``: how many schedules. ``copies_changed``: by kind, how many catalogue copies have changed.
    ``rejected``: by message id. ``causes``: one for each message that named a schedule or an item.
    """

    received: int = 0
    marked: int = 0
    counts: Mapping[Counter, int] = field(default_factory=dict)
    copies_changed: Mapping[Kind, int] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    causes: Sequence[Cause] = ()

    def __add__(self, other: "IngestResult") -> "IngestResult":
        return IngestResult(
            self.received + other.received,
            self.marked + other.marked,
            _sum(self.counts, other.counts),
            _sum(self.copies_changed, other.copies_changed),
            {**self.rejected, **other.rejected},
            (*self.causes, *other.causes),
        )


def ingest(
    queue: NotificationQueue, handle: Callable[[Sequence[Message]], IngestResult], wait_seconds: int
) -> IngestResult:
    """Receive once, handle, then delete. If the handling fails, the queue delivers the messages again."""
    messages = queue.receive(wait_seconds)
    if not messages:
        return IngestResult()
    result = handle(messages)
    queue.delete(messages)
    return result


def _tally_schedules(result: IngestResult, _: datetime) -> Tally:
    received, rejected = Counter.SCHEDULE_MESSAGES_RECEIVED, Counter.SCHEDULE_MESSAGES_REJECTED
    return Tally({**result.counts, received: result.received, rejected: len(result.rejected)})


def _tally_catalogue(result: IngestResult, _: datetime) -> Tally:
    received, rejected = Counter.CATALOGUE_MESSAGES_RECEIVED, Counter.CATALOGUE_MESSAGES_REJECTED
    return Tally({**result.counts, received: result.received, rejected: len(result.rejected)})


class ScheduleIntake:
    """Handles messages of the queue ``schedule-events``."""

    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._calendar = calendar

    @counted(Counter.SCHEDULE_INTAKES_FAILED, Timer.SCHEDULE_INTAKE, _tally_schedules)
    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Count the source change first, then mark: a build between the two only fetches once too often."""
        now = self.clock()
        parsed, rejected = _parse(messages, parse_schedule_notification, now)
        marks = [
            Mark(key, due_at(key, now, self._calendar), _cause(message, Origin.SCHEDULE, str(key)))
            for message, notification in parsed
            for key in notification.keys
        ]
        keys = list(dict.fromkeys(mark.key for mark in marks))
        self.store.schedules.count_source_change(keys)
        self.store.work.mark(marks)
        _keep(self.store.rejections, rejected)
        counts = dict.fromkeys(_KINDS, 0) | Multiset(_kind_of(notification) for _, notification in parsed)
        causes = tuple(dict.fromkeys(mark.cause for mark in marks))
        return IngestResult(len(messages), len(keys), counts, {}, rejected, causes)


class CatalogueIntake:
    """Handles messages of the queue ``catalogue-events``."""

    def __init__(self, store: PublishingStore, follower: CatalogueFollower, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._follower = follower

    @counted(Counter.CATALOGUE_INTAKES_FAILED, Timer.CATALOGUE_INTAKE, _tally_catalogue)
    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Follow each item once, for the oldest of its messages. Deletions are not propagated."""
        parsed, rejected = _parse(messages, parse_catalogue_notification, self.clock())
        causes = [
            _cause(message, Origin.CATALOGUE, notification.pid)
            for message, notification in parsed
            if notification.action is not CatalogueAction.DELETE
        ]
        updates = _oldest_by_pid(causes)
        followed = self._follower.follow(updates) if updates else FollowResult()
        _keep(self.store.rejections, rejected)
        counts = {
            Counter.CATALOGUE_DELETES: len(parsed) - len(causes),
            Counter.CATALOGUE_UPDATES: len(updates),
            Counter.CATALOGUE_UNREFERENCED: len(followed.unneeded),
            Counter.CATALOGUE_UNCHANGED: len(followed.unchanged),
            Counter.CATALOGUE_ABSENT: len(followed.absent),
            Counter.CATALOGUE_DOCUMENTS_REJECTED: len(followed.rejected),
        }
        changed = Multiset(followed.changed.values())
        return IngestResult(len(messages), followed.schedules_marked, counts, changed, rejected, causes)


def _parse(
    messages: Iterable[Message], parse: Callable[[str], T], now: datetime
) -> tuple[list[tuple[Message, T]], dict[str, Rejection]]:
    parsed, rejected = [], {}
    for message in messages:
        try:
            parsed.append((message, parse(message.body)))
        except InvalidMessage as error:
            # A body may hold half of a surrogate pair, which has no bytes. It is stored as a question mark.
            rejected[message.message_id] = rejection(error, message.body.encode(errors="replace"), now)
    return parsed, rejected


def _keep(rejections: RejectionStore, rejected: Mapping[str, Rejection]) -> None:
    if rejected and rejections.count() < MOST_REJECTIONS_KEPT:
        rejections.keep(rejected)


def _oldest_by_pid(causes: Iterable[Cause]) -> dict[Pid, Cause]:
    oldest: dict[Pid, Cause] = {}
    for cause in causes:
        pid = Pid(cause.subject)
        known = oldest.get(pid)
        if known is None or cause.notified_at < known.notified_at:
            oldest[pid] = cause
    return oldest


def _cause(message: Message, origin: Origin, subject: str) -> Cause:
    return Cause(message.message_id, origin, subject, message.sent_at)


def _kind_of(notification: ScheduleNotification) -> Counter:
    if not notification.keys:
        return Counter.SCHEDULE_MESSAGES_IGNORED
    return Counter.SCHEDULE_REMOVALS if notification.removal else Counter.SCHEDULE_PUTS


def _sum(a: Mapping[T, int], b: Mapping[T, int]) -> dict[T, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in [*a, *b]}
