"""Each rule holds just above its threshold and not below it, and gives the numbers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.conditions import Facts, FailedRun, QueueFacts, Thresholds, find_conditions
from schedules_pipeline.health.incidents import AlarmName, Condition, Severity
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, Request, Stage
from schedules_pipeline.maintenance.ports.passes import PassName, PassRecord, PassReport
from schedules_pipeline.migration.ports.comparisons import Comparison, Verdict
from schedules_pipeline.publishing.decide_holds import HeldLoss
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.losses import Hold, HoldReason, LossKind
from schedules_pipeline.publishing.ports.losses import Verdict as HoldVerdict
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Backlog

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_IDLE = Backlog(0, 0, 0, 0, None)
_NEXT_DAY = ScheduleKey(Sid("alder_one"), date(2026, 3, 29))

_WELL = Facts(watched_since=_NOW, backlog=_IDLE)
_THRESHOLDS = Thresholds()
_REQUEST = Request("the keyspace is empty", _NOW - _HOUR, by_itself=True)


def _dirty(overdue: timedelta, amount: int = 7) -> Backlog:
    return Backlog(amount, 2, 1, 0, _NOW - overdue)


def _pass(name: PassName, ago: timedelta, problem: str = "", **counts: int) -> dict[PassName, PassRecord]:
    report = PassReport(name, _NOW - ago - _MINUTE, _NOW - ago, counts, problem)
    return {name: PassRecord(report, None if problem else report, 1, int(bool(problem)), 60.0)}


def _rejection(reason: str = "not JSON") -> Rejection:
    return Rejection(reason, _NOW, "", "", "")


def _coldstart(stage: Stage, **fields: Any) -> Coldstart:
    return Coldstart("c1", fields.pop("request", _REQUEST), stage, total=10, left=4, **fields)


def _waiting(oldest: timedelta) -> Mapping[str, QueueFacts | None]:
    return {"schedule_events": QueueFacts(QueueDepth(3, 0), oldest)}


def _held(hours_ahead: float, verdict: HoldVerdict | None = None) -> HeldLoss:
    """A hold of 22.5 hours of a day that begins so many hours from now."""
    airs_at = _NOW + timedelta(hours=hours_ahead)
    hold = Hold("a hold", HoldReason.SHRUNK, LossKind.SHRUNK, "abc", "put 1", 81_000, 5_400, _NOW, airs_at)
    return HeldLoss(f"hold {hours_ahead}", HoldReason.SHRUNK, {_KEY: hold}, {}, verdict)


def _one(facts: Facts, thresholds: Thresholds = _THRESHOLDS) -> Condition:
    (condition,) = find_conditions(facts, thresholds, _NOW).conditions
    return condition


def test_an_idle_system_has_no_condition() -> None:
    """A system without a past has no alarm either."""
    found = find_conditions(_WELL, _THRESHOLDS, _NOW)

    assert found.conditions == ()
    assert found.undecided == frozenset()


_RULES = [
    pytest.param(
        {"backlog": _dirty(31 * _SECOND)},
        "publisher-missing: no publisher is at work: 7 schedules to be built, the first due for 31 s",
        id="nobody publishes",
    ),
    pytest.param(
        {"backlog": _dirty(2 * _HOUR, 1), "publisher": "starting"},
        "publisher-missing: no publisher is at work: 1 schedule to be built, the first due for 2 h",
        id="a publisher that only starts is none",
    ),
    pytest.param(
        {"backlog": _dirty(5 * _MINUTE + _SECOND), "publisher": "run"},
        "backlog-growing: 7 schedules to be built, the first due for 5 min",
        id="backlog",
    ),
    pytest.param(
        {"pending_since": {Origin.CATALOGUE: _NOW - 15 * _MINUTE - _SECOND, Origin.SCHEDULE: _NOW}},
        "schedules-late: a change has been waiting for 15 min to be published",
        id="late",
    ),
    pytest.param(
        {"quarantined": {_KEY: "it broke"}},
        "schedules-set-aside: 1 schedule failed too often; partners see the last good version",
        id="set aside",
    ),
    pytest.param(
        {"push_quarantined": {"harbour-webhook": "answered with status 410", "harbour-files": "no bucket"}},
        "push-set-aside: 2 subscriptions quarantined until an operator resumes delivery",
        id="subscriptions",
    ),
    pytest.param(
        {
            "heartbeats": {
                DeliveryProcess.PUSHER: _NOW - 168 * _HOUR,
                DeliveryProcess.DELIVERY: _NOW - 2 * _MINUTE - _SECOND,
            }
        },
        "delivery-silent: no heartbeat: delivery for 2 min, pusher for 168 h",
        id="silent",
    ),
    pytest.param(
        {"queues": _waiting(5 * _MINUTE + _SECOND)},
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
            "rejected": {
                str(_KEY): _rejection(),
                "b0000001": _rejection(),
                "b0000002": _rejection(),
                "m-1": _rejection(),
            }
        },
        "input-refused: 2 catalogue documents, 1 message, 1 schedule document rejected",
        id="refused",
    ),
    pytest.param(
        {"failing_checks": {(_KEY, "index_complete"): "1 of 9 missing"}},
        "checks-failed: 1 check failed as an error",
        id="checks",
    ),
    pytest.param(
        {"comparisons": {_KEY: Comparison(1, Verdict.DIFFERS, "", difference_count=3)}},
        "differs-from-the-old-system: 1 of 1 schedule differ from the old system",
        id="differs",
    ),
    pytest.param(
        {"failed_runs": (FailedRun("collect_garbage", "r1", _NOW), FailedRun("reconcile", "r2", _NOW))},
        "runs-failed: the latest run failed of: collect_garbage, reconcile",
        id="runs",
    ),
    pytest.param(
        {"passes": _pass(PassName.PARITY, _MINUTE, "Redis: away")},
        "pass-failed: the latest pass failed of: parity",
        id="pass",
    ),
    pytest.param(
        {"passes": _pass(PassName.COLLECTION, 26 * _HOUR + _SECOND)},
        "collection-missed: no collection within 26 h: the last one ended 26 h ago",
        id="collection",
    ),
    pytest.param(
        {"passes": _pass(PassName.RECONCILIATION, 3 * _HOUR + _SECOND)},
        "reconciliation-missed: no reconciliation within 3 h: the last one ended 3 h ago",
        id="reconciliation",
    ),
    pytest.param(
        {"passes": _pass(PassName.RECONCILIATION, _MINUTE, differed=2, mended=2)},
        "reconciliation-found-differences: the latest reconciliation found and repaired 2 differences",
        id="differences",
    ),
    pytest.param(
        {"coldstart": _coldstart(Stage.BUILDING, alive_at=_NOW)},
        "coldstart-by-itself: a coldstart began automatically: the keyspace is empty",
        id="by itself",
    ),
    pytest.param(
        {"coldstart": _coldstart(Stage.FINISHED, ended_at=_NOW - 10 * _MINUTE)},
        "coldstart-by-itself: a coldstart began automatically: the keyspace is empty",
        id="by itself and just over",
    ),
    pytest.param(
        {
            "coldstart": _coldstart(
                Stage.BUILDING,
                request=replace(_REQUEST, by_itself=False),
                alive_at=_NOW - 5 * _MINUTE - _SECOND,
            )
        },
        "coldstart-stalled: no worker has made progress with the coldstart for 5 min, 4 left",
        id="stalled",
    ),
    pytest.param(
        {"coldstart": _coldstart(Stage.REQUESTED, request=replace(_REQUEST, by_itself=False))},
        "coldstart-stalled: no worker has made progress with the coldstart for 60 min, 4 left",
        id="never begun",
    ),
    pytest.param(
        {"held": [_held(hours_ahead=40), _held(hours_ahead=30, verdict=HoldVerdict.REJECTED)]},
        "airtime-held: 22.5 hours of airtime held of alder_one; the first day begins 2026-03-30T04:00:00Z: "
        "`schedules-pipeline holds list`",
        id="held days ahead",
    ),
    pytest.param(
        {"blanked": {_KEY: timedelta(hours=7), _NEXT_DAY: timedelta(hours=6)}},
        "blanking-unusual: much airtime was blanked within an hour: alder_one 13.0 h",
        id="much blanked",
    ),
    pytest.param(
        {"unreachable": {"the legacy keyspace": "Redis: away", "catalogue_events": "timed out"}},
        "upstream-unreachable: catalogue_events, the legacy keyspace did not answer",
        id="unreachable",
    ),
]


@pytest.mark.parametrize(("facts", "expected"), _RULES)
def test_each_rule_finds_what_is_wrong(facts: Mapping[str, Any], expected: str) -> None:
    """A value beyond a threshold is one condition, whose summary holds the numbers."""
    condition = _one(replace(_WELL, **facts))

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
    condition = _one(replace(_WELL, held=[_held(hours_ahead=90), _held(hours_ahead=hours_ahead)]))

    assert condition.severity is severity


def test_a_decided_hold_and_ordinary_blanking_are_no_condition() -> None:
    """An operator knows of the one, and the other is ordinary."""
    facts = replace(_WELL, held=[_held(0, HoldVerdict.REJECTED)], blanked={_KEY: timedelta(hours=12)})

    assert find_conditions(facts, Thresholds(), _NOW).conditions == ()


def test_every_alarm_but_that_of_the_store_has_a_rule() -> None:
    """The table above has a case for each; an unreachable store cannot be found by reading it."""
    found = {str(case.values[1]).partition(":")[0] for case in _RULES}

    assert found == set(AlarmName) - {AlarmName.STORE_UNREACHABLE, AlarmName.BROADCASTS_QUARANTINED}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"backlog": _dirty(30 * _SECOND)}, id="a publisher has half a minute to come"),
        pytest.param({"backlog": _dirty(-_HOUR)}, id="not due yet"),
        pytest.param(
            {"heartbeats": {DeliveryProcess.DELIVERY: _NOW - 2 * _MINUTE}}, id="a pulse may be late"
        ),
        pytest.param(
            {"heartbeats": {DeliveryProcess.PUSHER: _NOW - 168 * _HOUR - _SECOND}},
            id="a pulse that is forgotten",
        ),
        pytest.param({"heartbeats": {DeliveryProcess.PUSHER: _NOW + _HOUR}}, id="a clock that is ahead"),
        pytest.param({"backlog": _dirty(5 * _MINUTE), "publisher": "run"}, id="backlog"),
        pytest.param({"pending_since": {Origin.SCHEDULE: _NOW - 15 * _MINUTE}}, id="late"),
        pytest.param({"pending_since": {Origin.COLDSTART: _NOW - 9 * _HOUR}}, id="a coldstart is no change"),
        pytest.param({"queues": _waiting(5 * _MINUTE)}, id="queue"),
        pytest.param({"dead_letters": {"schedule_dead_letters": QueueDepth(0, 0)}}, id="no dead letters"),
        pytest.param(
            {"failing_checks": {(_KEY, "is_built"): "", (_KEY, "matches_legacy"): ""}},
            id="checks that have alarms of their own",
        ),
        pytest.param({"comparisons": {_KEY: Comparison(1, Verdict.SUSPECTED, "")}}, id="only suspected"),
        pytest.param({"passes": _pass(PassName.WATCH, _MINUTE, "webhook: 500")}, id="the watch itself"),
        pytest.param({"passes": _pass(PassName.COLLECTION, 26 * _HOUR)}, id="collection"),
        pytest.param({"passes": _pass(PassName.RECONCILIATION, 3 * _HOUR, differed=0)}, id="reconciliation"),
        pytest.param(
            {"coldstart": _coldstart(Stage.FINISHED, ended_at=_NOW - 10 * _MINUTE - _SECOND)}, id="long over"
        ),
        pytest.param(
            {
                "coldstart": _coldstart(
                    Stage.BUILDING, request=replace(_REQUEST, by_itself=False), alive_at=_NOW - 5 * _MINUTE
                )
            },
            id="a coldstart at work",
        ),
        pytest.param(
            {
                "queues": _waiting(_HOUR),
                "coldstart": _coldstart(
                    Stage.BUILDING, request=replace(_REQUEST, by_itself=False), alive_at=_NOW
                ),
            },
            id="messages wait while a coldstart holds the intake",
        ),
        pytest.param(
            {
                "coldstart": _coldstart(
                    Stage.FINISHED, ended_at=_NOW - 5 * _MINUTE, request=replace(_REQUEST, by_itself=False)
                ),
                "queues": _waiting(14 * 24 * _HOUR),
            },
            id="messages wait that a coldstart held up, or nobody has polled yet",
        ),
    ],
)
def test_values_within_bounds_are_no_condition(facts: Mapping[str, Any]) -> None:
    """Up to the threshold, and if another alarm covers the problem, there is no condition."""
    found = find_conditions(replace(_WELL, **facts), _THRESHOLDS, _NOW)

    assert found.conditions == ()


@pytest.mark.parametrize(("watched_for", "missed"), [(26 * _HOUR, False), (27 * _HOUR, True)])
def test_a_pass_that_never_ran_is_missed_after_its_period(watched_for: timedelta, missed: bool) -> None:
    """A new installation has the whole period for its first collection."""
    facts = replace(_WELL, watched_since=_NOW - watched_for, passes=_pass(PassName.RECONCILIATION, _MINUTE))

    found = find_conditions(facts, _THRESHOLDS, _NOW).conditions

    assert [c.summary for c in found] == (
        ["no collection within 26 h: none has ever succeeded"] if missed else []
    )


def test_a_pass_that_only_failed_counts_as_missed() -> None:
    """The latest success counts, so a collection that fails each night is missed as well."""
    facts = replace(
        _WELL, watched_since=_NOW - 30 * _HOUR, passes=_pass(PassName.COLLECTION, _MINUTE, "broke")
    )
    facts = replace(facts, passes={**facts.passes, **_pass(PassName.RECONCILIATION, _MINUTE)})

    names = {condition.name for condition in find_conditions(facts, _THRESHOLDS, _NOW).conditions}

    assert names == {AlarmName.COLLECTION_MISSED, AlarmName.PASS_FAILED}


@pytest.mark.parametrize(
    ("queues", "dead_letters", "undecided"),
    [
        ({"a": None}, {"b": QueueDepth(0, 0)}, {AlarmName.QUEUE_NOT_DRAINED}),
        ({"a": QueueFacts(QueueDepth(0, 0))}, {"b": None}, {AlarmName.DEAD_LETTERS}),
        ({"a": QueueFacts(QueueDepth(0, 0))}, {"b": QueueDepth(0, 0)}, set()),
    ],
)
def test_a_queue_that_does_not_answer_decides_nothing(
    queues: Mapping[str, QueueFacts | None],
    dead_letters: Mapping[str, QueueDepth | None],
    undecided: set[AlarmName],
) -> None:
    """Its condition can neither be found nor cleared; the other kind of queue is not affected."""
    found = find_conditions(replace(_WELL, queues=queues, dead_letters=dead_letters), _THRESHOLDS, _NOW)

    assert found.undecided == undecided
    assert found.conditions == ()


def test_a_difference_is_as_severe_as_the_setting_says() -> None:
    """If a difference is a warning in Dagster, the alarm is a warning too."""
    facts = replace(_WELL, comparisons={_KEY: Comparison(1, Verdict.DIFFERS, "", difference_count=1)})

    severities = [
        _one(facts, replace(_THRESHOLDS, difference_is_error=is_error)).severity for is_error in (True, False)
    ]

    assert severities == [Severity.ERROR, Severity.WARNING]


def test_details_are_the_first_few_and_fit_to_be_shown() -> None:
    """Five of many are named, in order; a hostile reason stays on one line of bounded length."""
    keys = [ScheduleKey(Sid(f"alder_{i}"), date(2026, 3, 28)) for i in range(9)]
    reason = "line\nanother\x1b[31m" + "x" * 10_000

    details = _one(replace(_WELL, quarantined=dict.fromkeys(keys, reason))).details

    assert list(details) == [str(key) for key in keys[:5]]
    assert all(str(text).isprintable() and len(str(text)) < 300 for text in details.values())


@pytest.mark.parametrize(
    "facts", [{"backlog": _dirty(_HOUR)}, {"unreachable": {"schedule_events": "timed out"}}]
)
def test_transient_conditions_have_patience(facts: Mapping[str, Any]) -> None:
    """A handover or a lost packet may explain the finding of one check."""
    condition = _one(replace(_WELL, **facts))

    assert timedelta(0) < condition.patience < timedelta(seconds=30)
