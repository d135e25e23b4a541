"""Estimates how long the oldest message of a queue has waited, from the recorded polls of the intake.

SQS reports this age only through CloudWatch, minutes late and not in every region.
"""

from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.ports import HealthStore, QueueName, QueuePolls
from schedules_pipeline.maintenance.ports import MaintenanceSources
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, QueueDepth

LONGEST_KEPT = timedelta(days=14)
"""The longest time for which SQS keeps a message."""


def queues_by_name(sources: MaintenanceSources) -> dict[QueueName, NotificationQueue]:
    return {
        QueueName.SCHEDULE_EVENTS: sources.schedule_queue,
        QueueName.CATALOGUE_EVENTS: sources.catalogue_queue,
    }


def queue_lag(store: HealthStore, sources: MaintenanceSources, clock: Clock) -> timedelta:
    """How long the oldest message of both queues has waited, at most; :data:`LONGEST_KEPT` if that is unknown."""
    try:
        depths = {name: queue.depth() for name, queue in queues_by_name(sources).items()}
    except ServiceError:
        return LONGEST_KEPT
    polls, now = store.queue_polls.all(), clock()
    ages = [oldest_message_age(polls[name], depth, now) for name, depth in depths.items()]
    return LONGEST_KEPT if None in ages else max(age for age in ages if age is not None)


def oldest_message_age(polls: QueuePolls, depth: QueueDepth, now: datetime) -> timedelta | None:
    """How long the oldest waiting message has waited, at most; 0 if none waits.

    All waiting messages came after the latest poll without messages, so the time since then is an upper bound.
    Under a load without empty polls, the age of the oldest message of the latest poll stands for it, because SQS
    delivers roughly the oldest first. None for a queue that was never polled: its messages may be of any age.

    A message that was delivered, not handled, and waits again may be older. It is counted as *in flight* in between,
    and as a dead letter in the end.
    """
    if depth.waiting == 0:
        return timedelta(0)
    known = [instant for instant in (polls.empty_at, polls.received_sent_at) if instant is not None]
    if not known:
        return None
    return min(LONGEST_KEPT, max(timedelta(0), now - max(known)))
