"""How severe each condition is, and what its evidence says."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from health.condition_facts import (
    AS_DOCUMENTED,
    HOUR,
    IN_STEP,
    KEY,
    NOW,
    SECOND,
    SERVER,
    THRESHOLDS,
    WELL,
    only_condition,
    queue_with,
)

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.condition import KINDS, ConditionName, Severity
from schedules_pipeline.health.find_conditions import find_conditions
from schedules_pipeline.maintenance.servers import RedisServerFacts
from schedules_pipeline.migration.ports import DifferenceSummary, ServedSource


def test_a_difference_is_as_severe_as_the_setting_says() -> None:
    """If a difference is a warning in Dagster, the alarm is a warning too."""
    facts = replace(WELL, differing=DifferenceSummary(1, 1, {KEY: 1}))

    severities = [
        only_condition(facts, replace(THRESHOLDS, difference_is_error=is_error)).severity
        for is_error in (True, False)
    ]

    assert severities == [Severity.ERROR, Severity.WARNING]


@pytest.mark.parametrize(
    ("server", "hours", "severity"),
    [
        (replace(SERVER, eviction_policy="allkeys-lru"), None, Severity.WARNING),
        (replace(SERVER, eviction_policy="allkeys-lru", maxmemory=9), None, Severity.ERROR),
        (replace(SERVER, eviction_policy="volatile-lru", evicted_keys=1), None, Severity.CRITICAL),
        (replace(SERVER, has_append_only_file=False), None, Severity.WARNING),
        (replace(SERVER, has_append_only_file=False, replicas=[IN_STEP]), None, None),
        (replace(SERVER, replicas=[IN_STEP], good_replicas=1), None, None),
        (replace(SERVER, good_replicas=0), None, Severity.ERROR),
        (replace(SERVER, replicas=[replace(IN_STEP, lag=11 * SECOND)]), None, Severity.WARNING),
        (replace(SERVER, used_memory=79, maxmemory=100), 73.0, None),
        (replace(SERVER, used_memory=80, maxmemory=100), None, Severity.WARNING),
        (replace(SERVER, used_memory=90, maxmemory=100), None, Severity.ERROR),
        (replace(SERVER, used_memory=10, maxmemory=100), 72.0, Severity.WARNING),
        (replace(SERVER, used_memory=10, maxmemory=100), 24.0, Severity.ERROR),
        (replace(SERVER, used_memory=10), 1.0, None),
    ],
)
def test_a_server_is_judged_by_what_it_says_of_itself(
    server: RedisServerFacts, hours: float | None, severity: Severity | None
) -> None:
    """The severity of the one condition, or none."""
    found = find_conditions(replace(WELL, servers=[server], hours_until_full=hours), THRESHOLDS, NOW)

    assert [each.severity for each in found.conditions] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("changes", "defect"),
    [
        ({}, ""),
        (
            {"visibility": timedelta(seconds=10)},
            "delivers a message again after 10 s, perhaps while it is being handled",
        ),
        (
            {"visibility": timedelta(hours=12)},
            "delivers a message again after 12 h, so the messages of a process that died wait as long",
        ),
        ({"retention": timedelta(hours=1)}, "deletes messages that wait for 0.0 days"),
        (
            {"dead_letters_to": ""},
            "has no redrive policy, so a message that fails is delivered until it expires",
        ),
        ({"receives": 1}, "makes a message a dead letter after 1 receives"),
    ],
)
def test_the_attributes_of_a_queue_are_judged(changes: dict[str, Any], defect: str) -> None:
    """Each defect is named with what it causes; a queue as documented has none."""
    facts = replace(WELL, queues={"schedule_events": queue_with(replace(AS_DOCUMENTED, **changes))})

    found = find_conditions(facts, THRESHOLDS, NOW).conditions

    assert [dict(each.evidence) for each in found] == (
        [{"schedule_events": f"schedule_events {defect}"}] if defect else []
    )


def test_a_dead_old_system_is_a_warning_after_the_switch() -> None:
    """Partners no longer get its documents; only the comparisons end."""
    facts = replace(WELL, legacy_refreshed_at=NOW - HOUR, served=ServedSource.OURS)

    assert only_condition(facts).severity is Severity.WARNING


def test_every_condition_says_what_to_do() -> None:
    """Every name has a usual severity and a remedy of one sentence."""
    assert KINDS.keys() == set(ConditionName)
    assert all(kind.remedy.endswith(".") for kind in KINDS.values())


@pytest.mark.parametrize(
    "former", ["schedules-set-aside", "input-refused", "coldstart-by-itself", "push-set-aside"]
)
def test_former_names_are_understood(former: str) -> None:
    """Stored incidents of release 0.2 have them."""
    assert ConditionName(former) in KINDS


def test_details_are_the_first_few_and_fit_to_be_shown() -> None:
    """Five of many are named, in order; a hostile reason stays on one line of bounded length."""
    keys = [ScheduleKey(Sid(f"alder_{i}"), date(2026, 3, 28)) for i in range(9)]
    reason = "line\nanother\x1b[31m" + "x" * 10_000

    details = only_condition(replace(WELL, quarantined=dict.fromkeys(keys, reason))).evidence

    assert list(details) == [str(key) for key in keys[:5]]
    assert all(str(text).isprintable() and len(str(text)) < 300 for text in details.values())
