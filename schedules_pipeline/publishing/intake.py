"""Ingests notifications: it makes their content durable as marks, and only then deletes the messages.

What cannot be read goes to the dead-letter queue with its reason, also before the deletion. A crash in between leaves a
duplicate, which is harmless.

A notification carries a key, never data. So duplicates, delays and reordering are harmless, and many notifications
for one schedule become one rebuild.
"""

from collections import Counter as Multiset
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from schedules_pipeline.documents.notification import (
    CatalogueAction,
    ScheduleNotification,
    Unreadable,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidMessage, ServiceError
from schedules_pipeline.publishing.counting import Tally, counted
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower, FollowResult
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.counters import Counter, Timer
from schedules_pipeline.publishing.ports.rejections import Rejection, RejectionStore, rejection
from schedules_pipeline.publishing.ports.upstream import Message, MessageSource, NotificationQueue, Outgoing
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at

_KINDS = (Counter.SCHEDULE_PUTS, Counter.SCHEDULE_REMOVALS, Counter.SCHEDULE_MESSAGES_IGNORED)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IngestResult:
    """``marked``: how many schedules. ``copies_changed``: by kind, how many catalogue copies have changed.
    ``rejected``: by message id. ``causes``: one for each message that named a schedule or an item. ``kept``: by the id
    of a rejected message, why it could not be sent to the dead letters; it stays in its queue. ``pending``: how many
    schedules waited for a build when these had been marked; 0 if none was.
    """

    received: int = 0
    marked: int = 0
    counts: Mapping[Counter, int] = field(default_factory=dict)
    copies_changed: Mapping[Kind, int] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    causes: Sequence[Cause] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    pending: int = 0

    def __add__(self, other: "IngestResult") -> "IngestResult":
        return IngestResult(
            self.received + other.received,
            self.marked + other.marked,
            _sum(self.counts, other.counts),
            _sum(self.copies_changed, other.copies_changed),
            {**self.rejected, **other.rejected},
            (*self.causes, *other.causes),
            {**self.kept, **other.kept},
            other.pending,
        )


def ingest(
    queue: MessageSource, handle: Callable[[Sequence[Message]], IngestResult], wait_seconds: int
) -> IngestResult:
    """Receive once, handle, then delete. If the handling fails, the queue delivers the messages again.

    SQS makes a message that is kept a dead letter after some deliveries.
    """
    messages = queue.receive(wait_seconds)
    if not messages:
        return IngestResult()
    result = handle(messages)
    queue.delete([message for message in messages if message.message_id not in result.kept])
    return result


@dataclass(frozen=True, slots=True)
class _Parsed(Generic[T]):
    """``letters``: by the id of the message that they are, or are a part of."""

    notifications: Sequence[tuple[Message, T]]
    rejected: Mapping[str, Rejection]
    letters: Mapping[str, Outgoing]


class _DeadLetterOffice:
    """Stores what could not be read, and sends it to the dead-letter queue."""

    def __init__(self, rejections: RejectionStore, queue: NotificationQueue) -> None:
        self._rejections = rejections
        self._queue = queue

    def keep(self, parsed: _Parsed[T]) -> dict[str, str]:
        """The ids of messages that could not be sent, with the reason."""
        self._rejections.keep(parsed.rejected)
        if not parsed.letters:
            return {}
        try:
            self._queue.send(list(parsed.letters.values()))
        except ServiceError as error:
            return dict.fromkeys(parsed.letters, str(error))
        return {}


def _tally_schedules(result: IngestResult, _: datetime) -> Tally:
    received, rejected = Counter.SCHEDULE_MESSAGES_RECEIVED, Counter.SCHEDULE_MESSAGES_REJECTED
    return Tally({**result.counts, received: result.received, rejected: len(result.rejected)})


def _tally_catalogue(result: IngestResult, _: datetime) -> Tally:
    received, rejected = Counter.CATALOGUE_MESSAGES_RECEIVED, Counter.CATALOGUE_MESSAGES_REJECTED
    return Tally({**result.counts, received: result.received, rejected: len(result.rejected)})


class ScheduleIntake:
    """Handles messages of the queue ``schedule-events``."""

    def __init__(
        self,
        store: PublishingStore,
        dead_letters: NotificationQueue,
        calendar: BroadcastCalendar,
        clock: Clock,
    ) -> None:
        self.store = store
        self.clock = clock
        self._calendar = calendar
        self._office = _DeadLetterOffice(store.rejections, dead_letters)

    @counted(Counter.SCHEDULE_INTAKES_FAILED, Timer.SCHEDULE_INTAKE, _tally_schedules)
    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Count the source change first, then mark: a build between the two only fetches once too often."""
        now = self.clock()
        parsed = _parse(messages, parse_schedule_notification, now)
        marks = [
            Mark(key, due_at(key, now, self._calendar), _cause(message, Origin.SCHEDULE, str(key)))
            for message, notification in parsed.notifications
            for key in notification.keys
        ]
        keys = list(dict.fromkeys(mark.key for mark in marks))
        self.store.schedules.count_source_change(keys)
        pending = self.store.work.mark(marks)
        kept = self._office.keep(parsed)
        kinds = Multiset(_kind_of(notification) for _, notification in parsed.notifications)
        causes = tuple(dict.fromkeys(mark.cause for mark in marks))
        counts = dict.fromkeys(_KINDS, 0) | kinds
        return IngestResult(len(messages), len(keys), counts, {}, parsed.rejected, causes, kept, pending)


class CatalogueIntake:
    """Handles messages of the queue ``catalogue-events``."""

    def __init__(
        self,
        store: PublishingStore,
        dead_letters: NotificationQueue,
        follower: CatalogueFollower,
        clock: Clock,
    ) -> None:
        self.store = store
        self.clock = clock
        self._follower = follower
        self._office = _DeadLetterOffice(store.rejections, dead_letters)

    @counted(Counter.CATALOGUE_INTAKES_FAILED, Timer.CATALOGUE_INTAKE, _tally_catalogue)
    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Follow each item once, for the oldest of its messages. Deletions are not propagated."""
        parsed = _parse(messages, parse_catalogue_notification, self.clock())
        causes = [
            _cause(message, Origin.CATALOGUE, notification.pid)
            for message, notification in parsed.notifications
            if notification.action is not CatalogueAction.DELETE
        ]
        updates = _oldest_by_pid(causes)
        followed = self._follower.follow(updates) if updates else FollowResult()
        kept = self._office.keep(parsed)
        counts = {
            Counter.CATALOGUE_DELETES: len(parsed.notifications) - len(causes),
            Counter.CATALOGUE_UPDATES: len(updates),
            Counter.CATALOGUE_UNREFERENCED: len(followed.unneeded),
            Counter.CATALOGUE_UNCHANGED: len(followed.unchanged),
            Counter.CATALOGUE_ABSENT: len(followed.absent),
            Counter.CATALOGUE_DOCUMENTS_REJECTED: len(followed.rejected),
        }
        changed = Multiset(followed.changed.values())
        marked, pending = followed.schedules_marked, followed.pending
        return IngestResult(len(messages), marked, counts, changed, parsed.rejected, causes, kept, pending)


def _parse(messages: Iterable[Message], parse: Callable[[str], T], now: datetime) -> _Parsed[T]:
    notifications, rejected, letters = [], {}, {}
    for message in messages:
        try:
            notification = parse(message.body)
        except InvalidMessage as error:
            unreadable: Unreadable | None = Unreadable(message.body, str(error))
        else:
            notifications.append((message, notification))
            unreadable = notification.unreadable if isinstance(notification, ScheduleNotification) else None
        if unreadable is not None:
            letters[message.message_id] = Outgoing(unreadable.body, unreadable.reason)
            # A body may hold half of a surrogate pair, which has no bytes. It is stored as a question mark.
            content = unreadable.body.encode(errors="replace")
            rejected[message.message_id] = rejection(InvalidMessage(unreadable.reason), content, now)
    return _Parsed(notifications, rejected, letters)


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
