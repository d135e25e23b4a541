"""How far behind a subscription is."""

from datetime import datetime, timedelta

from schedules_pipeline.publishing.ports.feed import ChangeFeed, place
from schedules_pipeline.push.subscription import Standing


def push_lag(standing: Standing, feed: ChangeFeed, last: str, epoch: str, now: datetime) -> timedelta:
    """How long the oldest change has waited that it was not told of; nothing where it was told everything.

    ``last`` and ``epoch``: how far the feed goes now, and of which keyspace. Changes that the partner may not see
    count until a turn has passed over them.
    """
    position = standing.progress.position if standing.progress.epoch == epoch else "0"
    if place(position) >= place(last):
        return timedelta(0)
    waiting = feed.read_after(position, 1)
    return max(timedelta(0), now - waiting[0].change.published_at) if waiting else timedelta(0)
