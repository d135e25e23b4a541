"""A subscription as operators and its partner see it: choices, state, lag, latest answers."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.push.lag import push_lag
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.push.push import is_served
from schedules_pipeline.push.subscription import Standing


def describe(standing: Standing, store: PushStore, now: datetime) -> Mapping[str, Any]:
    """Members of a JSON document; without the secret."""
    subscription, progress = standing.subscription, standing.progress
    return {
        "name": subscription.name,
        "partner": subscription.partner,
        "kind": subscription.kind,
        "target": subscription.target,
        "formats": subscription.formats,
        "created_at": subscription.created_at,
        "envelope": subscription.envelope,
        "concurrency": subscription.concurrency,
        "batch": subscription.batch,
        "state": _state(standing, store),
        "behind_seconds": round(_behind_seconds(standing, store, now), 3),
        "cursor": render_cursor(FeedCursor(progress.epoch, progress.position)),
        "delivered_at": progress.delivered_at,
        "failures": progress.failures,
        "failing_since": progress.failing_since,
        "next_at": progress.next_at,
        "problem": progress.problem,
        "quarantined_at": None if progress.quarantine is None else progress.quarantine.since,
        "full_at": progress.full_at,
        "secret_generation": subscription.generation,
        "secret_rotated_at": subscription.rotated_at,
        "answers": [asdict(each) for each in reversed(progress.attempts)],
    }


def _state(standing: Standing, store: PushStore) -> str:
    if standing.stopped:
        return standing.stopped
    partner = store.partners.one(standing.subscription.partner)
    if partner is not None and not is_served(partner, store):
        return "before the switch"
    return "failing" if standing.progress.failures else "well"


def _behind_seconds(standing: Standing, store: PushStore, now: datetime) -> float:
    epoch = store.coldstarts.epoch()
    last = store.feed.last_position()
    return push_lag(standing, store.feed, last, epoch.id if epoch else "", now).total_seconds()
