"""Takes notifications in: what they say is made durable as marks, and only then may they be deleted.

A notification carries a name, never data; so duplicates, delays and another order are harmless, and many for
one schedule become one rebuild.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from schedules_pipeline.documents.notification import (
    CatalogueAction,
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import InvalidMessage
from schedules_pipeline.publishing.count_failures import counting_failures
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.rejections import rejection
from schedules_pipeline.publishing.urgency import due_at

MOST_REJECTIONS_KEPT = 10_000
"""Above it refused messages are counted and no longer kept: whoever floods a queue must not fill the store, and
ten thousand are more than anybody looks at. What is refused of documents is bounded by what there is of them.
"""

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What came of some messages. ``copies_changed``: by kind, how many of our copies are different now.
    ``causes``: what was notified, one for each message that named something.
    """

    received: int = 0
    marked: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
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
    """Receive once, handle, then delete. A message whose handling failed stays, and comes again."""
    messages = queue.receive(wait_seconds)
    if not messages:
        return IngestResult()
    taken = handle(messages)
    queue.delete(messages)
    return taken


class ScheduleIntake:
    """Handles messages of the queue ``schedule-events``."""

    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self._store = store
        self._calendar = calendar
        self._clock = clock

    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Count up the source mark first, then mark dirty: a build in between fetches once too often."""
        began = time.perf_counter()
        with counting_failures(self._store.counters, "schedule intakes failed"):
            taken = self._handle(messages)
            return _finish(self._store, "schedule", taken, began)

    def _handle(self, messages: Sequence[Message]) -> IngestResult:
        marks: list[Mark] = []
        counts = {"schedule puts": 0, "schedule removals": 0, "schedule messages ignored": 0}
        rejected = {}
        now = self._clock()
        for message in messages:
            try:
                notification = parse_schedule_notification(message.body)
            except InvalidMessage as error:
                rejected[message.message_id] = _rejection(error, message, now)
                continue
            counts[_kind_of(notification.keys, removal=notification.removal)] += 1
            marks += [
                Mark(key, due_at(key, now, self._calendar), _cause(message, Origin.SCHEDULE, str(key)))
                for key in notification.keys
            ]
        keys = list(dict.fromkeys(mark.key for mark in marks))
        self._store.schedules.count_source_change(keys)
        self._store.work.mark(marks)
        causes = tuple(dict.fromkeys(mark.cause for mark in marks))
        return IngestResult(len(messages), len(keys), counts, {}, rejected, causes)


class CatalogueIntake:
    """Handles messages of the queue ``catalogue-events``."""

    def __init__(self, store: PublishingStore, follower: CatalogueFollower, clock: Clock) -> None:
        self._store = store
        self._follower = follower
        self._clock = clock

    def handle(self, messages: Sequence[Message]) -> IngestResult:
        """Follow each item once, however many messages name it. A deletion is not propagated."""
        began = time.perf_counter()
        with counting_failures(self._store.counters, "catalogue intakes failed"):
            taken = self._handle(messages)
            return _finish(self._store, "catalogue", taken, began)

    def _handle(self, messages: Sequence[Message]) -> IngestResult:
        updates: dict[Pid, Cause] = {}
        causes: list[Cause] = []
        deletes = 0
        rejected = {}
        for message in messages:
            try:
                notification = parse_catalogue_notification(message.body)
            except InvalidMessage as error:
                rejected[message.message_id] = _rejection(error, message, self._clock())
                continue
            if notification.action is CatalogueAction.DELETE:
                deletes += 1
            else:
                causes.append(_cause(message, Origin.CATALOGUE, notification.pid))
                _keep_oldest(updates, notification.pid, causes[-1])
        taken = self._follow(updates)
        counts = {**taken.counts, "catalogue deletes": deletes, "catalogue updates": len(updates)}
        return IngestResult(len(messages), taken.marked, counts, taken.copies_changed, rejected, causes)

    def _follow(self, updates: Mapping[Pid, Cause]) -> IngestResult:
        if not updates:
            return IngestResult()
        followed = self._follower.follow(updates)
        changed: dict[Kind, int] = {}
        for kind in followed.changed.values():
            changed[kind] = changed.get(kind, 0) + 1
        counts = {
            "catalogue ignored, nobody refers to it": len(followed.unneeded),
            "catalogue ignored, no used field changed": len(followed.unchanged),
            "catalogue ignored, no document": len(followed.absent),
            "catalogue documents refused": len(followed.rejected),
        }
        return IngestResult(0, followed.schedules_marked, counts, changed)


def _keep_oldest(updates: dict[Pid, Cause], pid: Pid, cause: Cause) -> None:
    known = updates.get(pid)
    if known is None or cause.notified_at < known.notified_at:
        updates[pid] = cause


def _rejection(error: InvalidMessage, message: Message, now: datetime) -> Rejection:
    """A body may hold half of a surrogate pair, of which there are no bytes; it is shown as a question mark."""
    return rejection(error, message.body.encode(errors="replace"), now)


def _cause(message: Message, origin: Origin, subject: str) -> Cause:
    return Cause(message.message_id, origin, subject, message.sent_at)


def _kind_of(keys: Sequence[ScheduleKey], *, removal: bool) -> str:
    if not keys:
        return "schedule messages ignored"
    return "schedule removals" if removal else "schedule puts"


def _finish(store: PublishingStore, queue: str, taken: IngestResult, began: float) -> IngestResult:
    if taken.rejected and store.rejections.count() < MOST_REJECTIONS_KEPT:
        store.rejections.keep(taken.rejected)
    messages = {
        f"{queue} messages received": taken.received,
        f"{queue} messages refused": len(taken.rejected),
    }
    store.counters.add({**taken.counts, **messages}, {f"{queue} intake": [time.perf_counter() - began]})
    return taken


def _sum(a: Mapping[_K, int], b: Mapping[_K, int]) -> dict[_K, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in [*a, *(n for n in b if n not in a)]}
