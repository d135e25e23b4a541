"""Facts within their bounds, or within their patience, are no condition."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from health.condition_facts import (
    DAGSTER,
    HOUR,
    KEY,
    MINUTE,
    NOW,
    REQUEST,
    SECOND,
    THRESHOLDS,
    WELL,
    backlog_of,
    coldstart_at,
    held_loss,
    only_condition,
    pass_of,
    queues_waiting,
)

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.facts import QueueFacts, Thresholds
from schedules_pipeline.health.find_conditions import find_conditions
from schedules_pipeline.maintenance.continuity import Repair
from schedules_pipeline.maintenance.ports import PassName, Stage
from schedules_pipeline.migration.ports import DifferenceSummary
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.losses import Verdict as HoldVerdict
from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.upstream import QueueDepth


def test_an_idle_system_has_no_condition() -> None:
    """Work is done and every process reports."""
    found = find_conditions(WELL, THRESHOLDS, NOW)

    assert found.conditions == ()
    assert found.undecided == frozenset()


def test_a_decided_hold_and_ordinary_blanking_are_no_condition() -> None:
    """An operator knows of the one, and the other is ordinary."""
    facts = replace(WELL, held=[held_loss(0, HoldVerdict.REJECTED)], blanked={KEY: timedelta(hours=12)})

    assert find_conditions(facts, Thresholds(), NOW).conditions == ()


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"backlog": backlog_of(30 * SECOND)}, id="a publisher has half a minute to come"),
        pytest.param({"backlog": backlog_of(-HOUR)}, id="not due yet"),
        pytest.param({"heartbeats": {DeliveryProcess.DELIVERY: NOW - 2 * MINUTE}}, id="a pulse may be late"),
        pytest.param(
            {"heartbeats": {DeliveryProcess.PUSHER: NOW - 168 * HOUR - SECOND}},
            id="a pulse that is forgotten",
        ),
        pytest.param({"heartbeats": {DeliveryProcess.PUSHER: NOW + HOUR}}, id="a clock that is ahead"),
        pytest.param({"backlog": backlog_of(5 * MINUTE), "publishers": Publishers(("run",))}, id="backlog"),
        pytest.param({"pending_since": {Origin.SCHEDULE: NOW - 15 * MINUTE}}, id="late"),
        pytest.param({"pending_since": {Origin.COLDSTART: NOW - 9 * HOUR}}, id="a coldstart is no change"),
        pytest.param({"queues": queues_waiting(5 * MINUTE)}, id="queue"),
        pytest.param({"dead_letters": {"schedule_dead_letters": QueueDepth(0, 0)}}, id="no dead letters"),
        pytest.param(
            {"failing_checks": {(KEY, "is_built"): "", (KEY, "matches_legacy"): ""}},
            id="checks that have alarms of their own",
        ),
        pytest.param({"differing": DifferenceSummary(1, 0)}, id="only suspected"),
        pytest.param({"passes": pass_of(PassName.WATCH, MINUTE, "webhook: 500")}, id="the watch itself"),
        pytest.param({"passes": pass_of(PassName.COLLECTION, 26 * HOUR)}, id="collection"),
        pytest.param({"passes": pass_of(PassName.RECONCILIATION, 3 * HOUR, differed=0)}, id="reconciliation"),
        pytest.param(
            {"coldstart": coldstart_at(Stage.FINISHED, ended_at=NOW - 10 * MINUTE - SECOND)}, id="long over"
        ),
        pytest.param(
            {
                "coldstart": coldstart_at(
                    Stage.BUILDING, request=replace(REQUEST, by_itself=False), alive_at=NOW - 5 * MINUTE
                )
            },
            id="a coldstart at work",
        ),
        pytest.param(
            {
                "queues": queues_waiting(HOUR),
                "coldstart": coldstart_at(
                    Stage.BUILDING, request=replace(REQUEST, by_itself=False), alive_at=NOW
                ),
            },
            id="messages wait while a coldstart holds the intake",
        ),
        pytest.param(
            {
                "coldstart": coldstart_at(
                    Stage.FINISHED, ended_at=NOW - 5 * MINUTE, request=replace(REQUEST, by_itself=False)
                ),
                "queues": queues_waiting(14 * 24 * HOUR),
            },
            id="messages wait that a coldstart held up",
        ),
        pytest.param(
            {"queues": {"schedule_events": QueueFacts(QueueDepth(3, 0), oldest=None)}},
            id="a queue that the intake has not polled yet",
        ),
        pytest.param({"legacy_refreshed_at": NOW - 10 * MINUTE}, id="the old system refreshes"),
        pytest.param({"legacy_refreshed_at": None}, id="no old system"),
        pytest.param(
            {
                "passes": pass_of(
                    PassName.RECONCILIATION,
                    MINUTE,
                    "",
                    differed=21,
                    **{"may wait in a queue": 21, "mended": 21},
                )
            },
            id="differences that waiting messages announce",
        ),
        pytest.param(
            {"repairs": [Repair("r", "another server", "delivery", NOW - MINUTE, False, NOW)]},
            id="a failover that lost nothing",
        ),
        pytest.param(
            {"repairs": [Repair("r", "a step back", "delivery", NOW - HOUR, True, NOW - 11 * MINUTE, 3)]},
            id="a repair that is long over",
        ),
        pytest.param({"has_partners": False}, id="no partners yet"),
        pytest.param(
            {"has_partners": False, "passes": pass_of(PassName.STATE_EXPORT, 99 * HOUR)},
            id="nothing to export",
        ),
        pytest.param(
            {
                "published": 0,
                "has_epoch": False,
                "coldstart": coldstart_at(
                    Stage.BUILDING, request=replace(REQUEST, is_first=True), alive_at=NOW
                ),
            },
            id="the coldstart that fills a new keyspace",
        ),
        pytest.param(
            {
                "coldstart": coldstart_at(
                    Stage.FINISHED, request=replace(REQUEST, is_first=True), ended_at=NOW
                )
            },
            id="a new keyspace that was just filled",
        ),
        pytest.param(
            {"dagster": replace(DAGSTER, daemons={"SCHEDULER": None, "BACKFILL": NOW})},
            id="a daemon that is about to start",
        ),
        pytest.param(
            {"passes": pass_of(PassName.WATCH, 2 * MINUTE), "dagster": None},
            id="a check of the watch takes its time",
        ),
    ],
)
def test_values_within_bounds_are_no_condition(facts: Mapping[str, Any]) -> None:
    """Up to the threshold, and if another alarm covers the problem, there is no condition."""
    found = find_conditions(replace(WELL, **facts), THRESHOLDS, NOW)

    assert found.conditions == ()


@pytest.mark.parametrize(("watched_for", "missed"), [(26 * HOUR, False), (27 * HOUR, True)])
def test_a_pass_that_never_ran_is_missed_after_its_period(watched_for: timedelta, missed: bool) -> None:
    """A new installation has the whole period for its first collection."""
    ran = pass_of(PassName.RECONCILIATION, MINUTE) | pass_of(PassName.STATE_EXPORT, MINUTE)
    facts = replace(WELL, watched_since=NOW - watched_for, passes=ran)

    found = find_conditions(facts, THRESHOLDS, NOW).conditions

    assert [c.summary for c in found] == (
        ["no collection within 26 h: none has ever succeeded"] if missed else []
    )


def test_a_pass_that_only_failed_counts_as_missed() -> None:
    """The latest success counts, so a collection that fails each night is missed as well."""
    facts = replace(WELL, watched_since=NOW - 30 * HOUR, passes=pass_of(PassName.COLLECTION, MINUTE, "broke"))
    ran = pass_of(PassName.RECONCILIATION, MINUTE) | pass_of(PassName.STATE_EXPORT, MINUTE)
    facts = replace(facts, passes={**facts.passes, **ran})

    names = {condition.name for condition in find_conditions(facts, THRESHOLDS, NOW).conditions}

    assert names == {ConditionName.COLLECTION_MISSED, ConditionName.PASS_FAILED}


@pytest.mark.parametrize(
    ("queues", "dead_letters", "undecided"),
    [
        (
            {"a": None},
            {"b": QueueDepth(0, 0)},
            {ConditionName.QUEUE_NOT_DRAINED, ConditionName.QUEUE_MISCONFIGURED},
        ),
        ({"a": QueueFacts(QueueDepth(0, 0))}, {"b": None}, {ConditionName.DEAD_LETTERS}),
        ({"a": QueueFacts(QueueDepth(0, 0))}, {"b": QueueDepth(0, 0)}, set()),
    ],
)
def test_a_queue_that_does_not_answer_decides_nothing(
    queues: Mapping[str, QueueFacts | None],
    dead_letters: Mapping[str, QueueDepth | None],
    undecided: set[ConditionName],
) -> None:
    """Its condition can neither be found nor cleared; the other kind of queue is not affected."""
    found = find_conditions(replace(WELL, queues=queues, dead_letters=dead_letters), THRESHOLDS, NOW)

    assert found.undecided == undecided
    assert found.conditions == ()


def test_an_old_snapshot_of_dagster_decides_nothing() -> None:
    """The watch is silent; what Dagster's sensors and runs do is unknown."""
    old = replace(DAGSTER, at=NOW - HOUR, sensors_off=("catalogue_events",))
    facts = replace(WELL, passes=pass_of(PassName.WATCH, HOUR), dagster=old)

    found = find_conditions(facts, THRESHOLDS, NOW)

    assert [each.name for each in found.conditions] == [ConditionName.WATCH_SILENT]
    assert found.undecided == {
        ConditionName.DAEMON_SILENT,
        ConditionName.SENSORS_OFF,
        ConditionName.RUNS_FAILED,
        ConditionName.EVENTS_UNSUBSCRIBED,
    }


@pytest.mark.parametrize(
    "facts", [{"backlog": backlog_of(HOUR)}, {"unreachable": {"schedule_events": "timed out"}}]
)
def test_transient_conditions_have_patience(facts: Mapping[str, Any]) -> None:
    """A handover or a lost packet may explain the finding of one check."""
    condition = only_condition(replace(WELL, **facts))

    assert timedelta(0) < condition.patience < timedelta(seconds=30)
