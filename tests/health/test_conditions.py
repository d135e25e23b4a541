"""The conditions that the watch finds in the facts, and how severe each is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from health.condition_facts import (
    AS_DOCUMENTED,
    DAGSTER,
    HOUR,
    KEY,
    MINUTE,
    NOW,
    REQUEST,
    SECOND,
    SERVER,
    WELL,
    backlog_of,
    coldstart_at,
    held_loss,
    only_condition,
    pass_of,
    queue_with,
    queues_waiting,
)

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.facts import QueueFacts
from schedules_pipeline.health.ports import FailedRun
from schedules_pipeline.maintenance.continuity import Repair
from schedules_pipeline.maintenance.ports import PassName, Stage
from schedules_pipeline.maintenance.servers import ReplicaFacts
from schedules_pipeline.migration.ports import DifferenceSummary
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.losses import Verdict as HoldVerdict
from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.rejections import RejectedKind, Rejection, RejectionSummary
from schedules_pipeline.publishing.ports.upstream import QueueDepth

_NEXT_DAY = ScheduleKey(Sid("alder_one"), date(2026, 3, 29))


def _rejection(reason: str = "not JSON") -> Rejection:
    return Rejection(reason, NOW, "", "", "")


_RULES = [
    pytest.param(
        {"backlog": backlog_of(31 * SECOND)},
        "publisher-missing: no publisher is at work: 7 schedules to be built, the first due for 31 s",
        id="nobody publishes",
    ),
    pytest.param(
        {"backlog": backlog_of(2 * HOUR, 1), "publishers": Publishers(starting=1)},
        "publisher-missing: no publisher is at work: 1 schedule to be built, the first due for 2 h",
        id="a publisher that only starts is none",
    ),
    pytest.param(
        {"backlog": backlog_of(5 * MINUTE + SECOND), "publishers": Publishers(("run",))},
        "backlog-growing: 7 schedules to be built, the first due for 5 min",
        id="backlog",
    ),
    pytest.param(
        {"pending_since": {Origin.CATALOGUE: NOW - 15 * MINUTE - SECOND, Origin.SCHEDULE: NOW}},
        "schedules-late: a change has been waiting for 15 min to be published",
        id="late",
    ),
    pytest.param(
        {"quarantined": {KEY: "it broke"}},
        "schedules-quarantined: 1 schedule failed too often; partners see the last good version",
        id="set aside",
    ),
    pytest.param(
        {"quarantined_broadcasts": {KEY: "1 broadcast quarantined: broadcast 3: end: Field required"}},
        "broadcasts-quarantined: 1 schedule with broadcasts that cannot be read; the others are published",
        id="broadcasts",
    ),
    pytest.param(
        {"push_quarantined": {"harbour-webhook": "answered with status 410", "harbour-files": "no bucket"}},
        "subscriptions-quarantined: 2 subscriptions quarantined until an operator resumes delivery",
        id="subscriptions",
    ),
    pytest.param(
        {
            "heartbeats": {
                DeliveryProcess.PUSHER: NOW - 168 * HOUR,
                DeliveryProcess.DELIVERY: NOW - 2 * MINUTE - SECOND,
            }
        },
        "delivery-silent: no heartbeat: delivery for 2 min, pusher for 168 h",
        id="silent",
    ),
    pytest.param(
        {"queues": queues_waiting(5 * MINUTE + SECOND)},
        "queue-not-drained: 3 messages in schedule_events, the oldest for 5 min",
        id="queue",
    ),
    pytest.param(
        {
            "dead_letters": {
                "schedule_dead_letters": QueueDepth(1, 1),
                "catalogue_dead_letters": QueueDepth(0, 0),
            }
        },
        "dead-letters: 2 messages in schedule_dead_letters",
        id="dead letters, also one that somebody looks at",
    ),
    pytest.param(
        {
            "rejected": RejectionSummary(
                {RejectedKind.ITEM: 2, RejectedKind.MESSAGE: 1, RejectedKind.SCHEDULE: 1},
                {str(KEY): _rejection()},
            )
        },
        "input-rejected: 2 catalogue documents, 1 message, 1 schedule document rejected",
        id="refused",
    ),
    pytest.param(
        {"failing_checks": {(KEY, "index_complete"): "1 of 9 missing"}},
        "checks-failed: 1 check failed as an error",
        id="checks",
    ),
    pytest.param(
        {"differing": DifferenceSummary(1, 1, {KEY: 3})},
        "differs-from-the-old-system: 1 of 1 schedule differ from the old system",
        id="differs",
    ),
    pytest.param(
        {
            "dagster": replace(
                DAGSTER,
                failed_runs=(FailedRun("collect_garbage", "r1", NOW), FailedRun("reconcile", "r2", NOW)),
            )
        },
        "runs-failed: the latest run failed of: collect_garbage, reconcile",
        id="runs",
    ),
    pytest.param(
        {"passes": pass_of(PassName.PARITY, MINUTE, "Redis: away")},
        "pass-failed: the latest pass failed of: parity",
        id="pass",
    ),
    pytest.param(
        {"passes": pass_of(PassName.COLLECTION, 26 * HOUR + SECOND)},
        "collection-missed: no collection within 26 h: the last one ended 26 h ago",
        id="collection",
    ),
    pytest.param(
        {"passes": pass_of(PassName.STATE_EXPORT, 26 * HOUR + SECOND)},
        "state-export-old: no state export within 26 h: the last one ended 26 h ago",
        id="state export",
    ),
    pytest.param(
        {"passes": pass_of(PassName.RECONCILIATION, 3 * HOUR + SECOND)},
        "reconciliation-missed: no reconciliation within 3 h: the last one ended 3 h ago",
        id="reconciliation",
    ),
    pytest.param(
        {"passes": pass_of(PassName.RECONCILIATION, MINUTE, differed=2, mended=2)},
        "reconciliation-found-differences: the latest reconciliation found and repaired 2 differences",
        id="differences",
    ),
    pytest.param(
        {"coldstart": coldstart_at(Stage.BUILDING, alive_at=NOW)},
        "coldstart-automatic: a coldstart began automatically: the keyspace was replaced",
        id="by itself",
    ),
    pytest.param(
        {"coldstart": coldstart_at(Stage.FINISHED, ended_at=NOW - 10 * MINUTE)},
        "coldstart-automatic: a coldstart began automatically: the keyspace was replaced",
        id="by itself and just over",
    ),
    pytest.param(
        {
            "coldstart": coldstart_at(
                Stage.BUILDING,
                request=replace(REQUEST, by_itself=False),
                alive_at=NOW - 5 * MINUTE - SECOND,
            )
        },
        "coldstart-stalled: no worker has made progress with the coldstart for 5 min, 4 left",
        id="stalled",
    ),
    pytest.param(
        {"coldstart": coldstart_at(Stage.REQUESTED, request=replace(REQUEST, by_itself=False))},
        "coldstart-stalled: no worker has made progress with the coldstart for 60 min, 4 left",
        id="never begun",
    ),
    pytest.param(
        {"held": [held_loss(hours_ahead=40), held_loss(hours_ahead=30, verdict=HoldVerdict.REJECTED)]},
        "airtime-held: 22.5 hours of airtime held of alder_one; the first day begins 2026-03-30T04:00:00Z",
        id="held days ahead",
    ),
    pytest.param(
        {"blanked": {KEY: timedelta(hours=7), _NEXT_DAY: timedelta(hours=6)}},
        "blanking-unusual: much airtime was blanked within an hour: alder_one 13.0 h",
        id="much blanked",
    ),
    pytest.param(
        {"unreachable": {"the legacy keyspace": "Redis: away", "catalogue_events": "timed out"}},
        "upstream-unreachable: catalogue_events, the legacy keyspace did not answer",
        id="unreachable",
    ),
    pytest.param(
        {"published": 0, "has_epoch": False},
        "keyspace-empty: the keyspace is empty: nothing was built in it yet, and no coldstart fills it",
        id="empty",
    ),
    pytest.param(
        {"published": 0},
        "keyspace-empty: nothing is published: the source had no schedule at the last coldstart",
        id="an empty source",
    ),
    pytest.param(
        {"dagster": replace(DAGSTER, had_partners=True), "has_partners": False},
        "partners-gone: the store has lost the partners, their keys and their subscriptions: "
        "every partner gets 401",
        id="partners gone",
    ),
    pytest.param(
        {"unrecorded_since": NOW - 10 * MINUTE - SECOND, "publishers": Publishers(("run",))},
        "records-late: a published version has been waiting for 10 min to be recorded in Dagster",
        id="records behind",
    ),
    pytest.param(
        {"queues": {"schedule_events": queue_with(replace(AS_DOCUMENTED, dead_letters_to=""))}},
        "queue-misconfigured: wrong attributes of schedule_events",
        id="a queue without its redrive policy",
    ),
    pytest.param(
        {
            "dagster": replace(
                DAGSTER, unheard={"catalogue-events": "catalogue-events does not subscribe to arn"}
            )
        },
        "events-unsubscribed: catalogue-events does not subscribe to arn",
        id="a subscription that is gone",
    ),
    pytest.param(
        {"legacy_refreshed_at": NOW - 10 * MINUTE - SECOND},
        "old-system-silent: the old system has not refreshed for 10 min; partners get its documents",
        id="a dead old system",
    ),
    pytest.param(
        {"passes": {}, "dagster": None},
        "watch-silent: the watch has never checked this keyspace",
        id="no watch",
    ),
    pytest.param(
        {"passes": pass_of(PassName.WATCH, 2 * MINUTE + SECOND), "dagster": None},
        "watch-silent: the watch has not checked for 2 min, so no notice is sent",
        id="a silent watch",
    ),
    pytest.param(
        {"dagster": replace(DAGSTER, daemons={"SCHEDULER": NOW - 5 * MINUTE, "SENSOR": NOW})},
        "daemon-silent: no heartbeat of Dagster's daemon: SCHEDULER",
        id="a dead daemon",
    ),
    pytest.param(
        {
            "dagster": replace(
                DAGSTER, sensors_off=("catalogue_events",), ticked_at={"schedule_events": NOW - 7 * MINUTE}
            )
        },
        "sensors-off: off or without ticks: catalogue_events, schedule_events",
        id="sensors",
    ),
    pytest.param(
        {
            "watched_since": NOW - 6 * MINUTE,
            "queues": {"schedule_events": QueueFacts(QueueDepth(3, 0), oldest=None)},
        },
        "queue-not-drained: 3 messages in schedule_events, never polled",
        id="a queue that was never polled",
    ),
    pytest.param(
        {"servers": [replace(SERVER, eviction_policy="allkeys-lru", maxmemory=100)]},
        "redis-evicts: Redis at r:1: its policy is allkeys-lru: when its memory is full, it deletes schedules",
        id="eviction",
    ),
    pytest.param(
        {"servers": [replace(SERVER, role="slave")]},
        "redis-is-a-replica: Redis at r:1: it is a replica: it rejects writes, and what is read may be old",
        id="a replica",
    ),
    pytest.param(
        {"servers": [SERVER, replace(SERVER, address="r:2", persistence_problem="append-only file")]},
        "redis-not-durable: Redis at r:2: the last write to its disk failed: append-only file",
        id="a full disk, of one of two servers",
    ),
    pytest.param(
        {"servers": [replace(SERVER, replicas=[ReplicaFacts("r:3", is_online=False, lag=SECOND)])]},
        "redis-replication-lost: Redis at r:1: replicas are not in step: r:3",
        id="a replica that is away",
    ),
    pytest.param(
        {"servers": [replace(SERVER, used_memory=81, maxmemory=100)], "hours_until_full": 20.4},
        "redis-memory: Redis at r:1: 81% of its memory is used, and full in 20 h at the present growth",
        id="memory",
    ),
    pytest.param(
        {"repairs": [Repair("r", "the feed lacks a row that was seen", "the pusher", NOW, went_back=True)]},
        "redis-went-back: the feed lacks a row that was seen; being repaired",
        id="a step back",
    ),
    pytest.param(
        {
            "repairs": [
                Repair("r", "another server", "delivery", NOW - HOUR, False, NOW - 10 * MINUTE, differed=2)
            ]
        },
        "redis-went-back: another server; repaired, 2 schedules differed",
        id="a failover that lost writes",
    ),
]


@pytest.mark.parametrize(("facts", "expected"), _RULES)
def test_each_rule_finds_what_is_wrong(facts: Mapping[str, Any], expected: str) -> None:
    """A value beyond a threshold is one condition, whose summary holds the numbers."""
    condition = only_condition(replace(WELL, **facts))

    assert f"{condition.name}: {condition.summary}" == expected


@pytest.mark.parametrize(
    ("hours_ahead", "severity"),
    [
        (25, Severity.WARNING),
        (24, Severity.ERROR),
        (1, Severity.ERROR),
        (0, Severity.CRITICAL),
        (-9, Severity.CRITICAL),
    ],
)
def test_a_hold_grows_more_severe_as_its_airtime_comes_near(hours_ahead: int, severity: Severity) -> None:
    """The nearest of all holds counts."""
    condition = only_condition(
        replace(WELL, held=[held_loss(hours_ahead=90), held_loss(hours_ahead=hours_ahead)])
    )

    assert condition.severity is severity


def test_every_alarm_but_that_of_the_store_has_a_rule() -> None:
    """The table above has a case for each; an unreachable store cannot be found by reading it."""
    found = {str(case.values[1]).partition(":")[0] for case in _RULES}

    judged = set(ConditionName) - {ConditionName.STORE_UNREACHABLE}
    assert found == judged, "_RULES in this module has exactly the alarms of find_conditions"
