"""What a partner's developer asks of the service: how fresh it is, what is wrong that concerns them, what is left of
their limits.

Operators' conditions are told in the partners' terms, and only those that partners notice.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Incident
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.rules.processes import WATCH_MISSED_AFTER
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.subscription import Standing


class ServiceState(StrEnum):
    """``STALE``: the store is unreachable and the last good documents are served. ``UNAVAILABLE``: it has been for so
    long that requests are answered with 503. ``NOT_SWITCHED``: the old system serves the partner.
    """

    CURRENT = "current"
    STALE = "stale"
    UNAVAILABLE = "unavailable"
    NOT_SWITCHED = "not-switched"


class Concern(StrEnum):
    """What partners notice of an incident."""

    PUBLISHING_LATE = "publishing-late"
    SCHEDULES_HELD = "schedules-held"
    SCHEDULES_REBUILT = "schedules-rebuilt"
    SUBSCRIPTION_FAILING = "subscription-failing"


MEANINGS: Final[Mapping[Concern, str]] = {
    Concern.PUBLISHING_LATE: "Changes are published later than usual. What is published stays valid.",
    Concern.SCHEDULES_HELD: "Some schedules keep an earlier version until the operators have decided on them.",
    Concern.SCHEDULES_REBUILT: "The store lost data, and schedules are being built again. Some may be missing.",
    Concern.SUBSCRIPTION_FAILING: "Your receiver does not accept changes; `/v1/subscriptions` says why.",
}
_CONCERNS: Final = {
    ConditionName.PUBLISHER_MISSING: Concern.PUBLISHING_LATE,
    ConditionName.BACKLOG_GROWING: Concern.PUBLISHING_LATE,
    ConditionName.SCHEDULES_LATE: Concern.PUBLISHING_LATE,
    ConditionName.QUEUE_NOT_DRAINED: Concern.PUBLISHING_LATE,
    ConditionName.UPSTREAM_UNREACHABLE: Concern.PUBLISHING_LATE,
    ConditionName.SCHEDULES_QUARANTINED: Concern.SCHEDULES_HELD,
    ConditionName.AIRTIME_HELD: Concern.SCHEDULES_HELD,
    ConditionName.KEYSPACE_EMPTY: Concern.SCHEDULES_REBUILT,
    ConditionName.REDIS_WENT_BACK: Concern.SCHEDULES_REBUILT,
    ConditionName.COLDSTART_AUTOMATIC: Concern.SCHEDULES_REBUILT,
    ConditionName.COLDSTART_STALLED: Concern.SCHEDULES_REBUILT,
}


def describe_service(delivery: Delivery, partner: Partner, now: datetime) -> dict[str, Any]:
    """What the process knows without the store. Called in the event loop's thread."""
    mirror, rules = delivery.mirror, delivery.policy.staleness
    services = delivery.services_of(partner)
    held = [each for sid in services for each in mirror.of_service(sid).values()]
    return {
        "state": _state(delivery, partner, now),
        "as_of": mirror.confirmed_at,
        "behind_seconds": mirror.confirmed_at and round((now - mirror.confirmed_at).total_seconds(), 3),
        "stale_after_seconds": rules.marked_after.total_seconds(),
        "unavailable_after_seconds": rules.served_for.total_seconds(),
        "cursor": render_cursor(mirror.cursor),
        "published_at": max((each.published_at for each in held), default=None),
        "services": len(services),
        "schedules": sum(not each.is_removed for each in held),
        "limits": delivery.admission.limits(partner, now),
        "keys": [{"id": key.id, "expires_at": key.expires_at} for key in partner.valid_keys(now)],
    }


def read_incidents(store: HealthStore, partner: Partner, now: datetime) -> list[dict[str, Any]] | None:
    """The open incidents that concern a partner, the earliest first; None if the watch has not checked lately, so that
    nobody knows of any. Blocking.
    """
    if not _is_watched(store, now):
        return None
    own = [each for each in store.subscriptions.all() if each.subscription.partner == partner.name]
    begun = [*_of_service(store.incidents.latest()), *_of_subscriptions(own)]
    earliest = dict(sorted(begun, key=lambda each: each[1], reverse=True))
    return [
        {"name": concern, "since": since, "meaning": MEANINGS[concern]}
        for concern, since in sorted(earliest.items(), key=lambda each: each[1])
    ]


def _is_watched(store: HealthStore, now: datetime) -> bool:
    """A check that failed before its end has no counts; one whose notices were not accepted has recorded incidents."""
    if (record := store.passes.all().get(PassName.WATCH)) is None:
        return False
    latest = record.latest if record.latest.counts else record.latest_success
    return latest is not None and now - latest.ended_at <= WATCH_MISSED_AFTER


def _of_service(incidents: Iterable[Incident]) -> Iterator[tuple[Concern, datetime]]:
    for incident in incidents:
        if incident.is_open and incident.name in _CONCERNS:
            yield _CONCERNS[incident.name], incident.since


def _of_subscriptions(standings: Iterable[Standing]) -> Iterator[tuple[Concern, datetime]]:
    for standing in standings:
        if (since := standing.progress.failing_since) is not None:
            yield Concern.SUBSCRIPTION_FAILING, since


def _state(delivery: Delivery, partner: Partner, now: datetime) -> ServiceState:
    confirmed_at, rules = delivery.mirror.confirmed_at, delivery.policy.staleness
    if not delivery.switched.serves(partner):
        return ServiceState.NOT_SWITCHED
    if confirmed_at is None or rules.is_too_old(confirmed_at, now):
        return ServiceState.UNAVAILABLE
    return ServiceState.STALE if rules.is_stale(confirmed_at, now) else ServiceState.CURRENT
