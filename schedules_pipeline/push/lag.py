"""How far a subscription is behind."""

from datetime import datetime, timedelta

from schedules_pipeline.publishing.ports.feed import ChangeFeed, place
from schedules_pipeline.push.subscription import Standing


def push_lag(standing: Standing, feed: ChangeFeed, last: str, epoch: str, now: datetime) -> timedelta:
    """The age of the oldest pending change; zero if none is pending.

    ``last`` and ``epoch``: the feed's last position and its keyspace. Changes of services that the partner may not see
    count until a turn has skipped them.
    """
    position = standing.progress.position if standing.progress.epoch == epoch else "0"
    if place(position) >= place(last):
        return timedelta(0)
    pending = feed.read_after(position, 1)
    return max(timedelta(0), now - pending[0].change.published_at) if pending else timedelta(0)
