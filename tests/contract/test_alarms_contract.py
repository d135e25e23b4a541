"""The store of incidents and the failing checks, on fakes and Redis alike."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.incidents import Incident, State
from schedules_pipeline.health.ports import CheckState, DagsterSnapshot, FailedCheck, FailedRun

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_NEXT_DAY = ScheduleKey(Sid("alder_one"), date(2026, 3, 29))
_DEAD = Incident(
    ConditionName.DEAD_LETTERS,
    State.RAISED,
    Severity.ERROR,
    "2 messages — two",
    _NOW,
    {"dead": 2, "who": "a\nb"},
    _NOW + timedelta(seconds=3),
    {"sns": "error", "webhook": ""},
)


def test_an_empty_store_has_no_incidents(store: Store) -> None:
    """Nothing was found, and no watch has checked."""
    assert store.incidents.latest() == []
    assert store.incidents.watched_since() is None
    assert store.dagster.latest() is None


def test_an_incident_comes_back_whole(store: Store) -> None:
    """Every field of an incident is kept, with any text; saving nothing changes nothing."""
    store.incidents.save([_DEAD])
    store.incidents.save([])

    assert store.incidents.latest() == [_DEAD]


def test_the_latest_incident_of_a_condition_stays(store: Store) -> None:
    """Each condition has one."""
    later = replace(_DEAD, state=State.OVER)
    other = replace(_DEAD, name=ConditionName.SCHEDULES_LATE)
    store.incidents.save([_DEAD, other])

    store.incidents.save([later])

    assert sorted(store.incidents.latest(), key=lambda each: each.name) == [later, other]


def test_one_watch_leads_at_a_time(store: Store) -> None:
    """Until it releases the lease. One that was too slow does not release the lease of its successor."""
    minute = timedelta(minutes=1)
    assert store.incidents.lead("first check", minute)
    store.incidents.release("slow check")
    assert not store.incidents.lead("second check", minute)

    store.incidents.release("first check")

    assert store.incidents.lead("second check", minute)


def test_the_first_check_is_remembered(store: Store) -> None:
    """The time of the first check stays."""
    store.incidents.begin_watch(_NOW)
    store.incidents.begin_watch(_NOW + timedelta(days=1))

    assert store.incidents.watched_since() == _NOW


def test_what_dagster_knows_comes_back_whole(store: Store) -> None:
    """Every field of the latest snapshot."""
    snapshot = DagsterSnapshot(
        _NOW,
        (FailedRun("reconcile", "r1", _NOW),),
        ("catalogue_events",),
        {"schedule_events": _NOW},
        {"SENSOR": _NOW, "SCHEDULER": None},
        had_partners=True,
    )
    store.dagster.record(replace(snapshot, had_partners=False))
    store.dagster.record(snapshot)

    assert store.dagster.latest() == snapshot


def test_quarantined_broadcasts_are_listed_until_they_are_forgotten(store: Store) -> None:
    """The latest summary of each schedule."""
    store.quarantined_broadcasts.keep({_KEY: "1 broadcast", _NEXT_DAY: "2 broadcasts"})
    store.quarantined_broadcasts.keep({_KEY: "3 broadcasts\nmended: one"})
    store.quarantined_broadcasts.forget([_NEXT_DAY])
    store.quarantined_broadcasts.forget([])

    assert store.quarantined_broadcasts.all() == {_KEY: "3 broadcasts"}
    assert store.quarantined_broadcasts.find([_NEXT_DAY, _KEY]) == {_KEY: "3 broadcasts\nmended: one"}
    assert store.quarantined_broadcasts.find([]) == {}


def test_failing_checks_are_those_that_failed_last(store: Store) -> None:
    """A failed check is listed with its latest summary, until it passes."""
    other = ScheduleKey(Sid("alder_two"), date(2026, 3, 28))
    store.failing_checks.record(
        {
            (_KEY, "index_complete"): _failed("1 missing"),
            (other, "is_built"): _failed("broke"),
            (_KEY, "x"): None,
        }
    )
    store.failing_checks.record({(_KEY, "index_complete"): _failed("2 missing"), (other, "is_built"): None})

    failing = store.failing_checks.all()

    assert failing == {(_KEY, "index_complete"): "2 missing"}


def test_the_state_of_a_check_counts_all_schedules_that_fail_it(store: Store) -> None:
    """Errors and warnings are counted by their latest outcome; examples name errors first."""
    other = ScheduleKey(Sid("alder_two"), date(2026, 3, 28))
    check = "references_resolved"
    store.failing_checks.record(
        {(_KEY, check): _failed("1 unknown", is_error=False), (other, check): _failed("2 unknown")}
    )
    state = store.failing_checks.states([check, "is_built"])
    store.failing_checks.record({(_KEY, check): None, (other, check): _failed("3 unknown", is_error=False)})
    improved = store.failing_checks.states([check])

    assert state == {
        check: CheckState(1, 1, {other: "2 unknown", _KEY: "1 unknown"}),
        "is_built": CheckState(),
    }
    assert list(state[check].examples) == [other, _KEY]
    assert improved == {check: CheckState(0, 1, {other: "3 unknown"})}


def _failed(summary: str, *, is_error: bool = True) -> FailedCheck:
    return FailedCheck(summary, is_error=is_error)


def test_an_empty_batch_of_checks_changes_nothing(store: Store) -> None:
    """A batch without evaluations changes nothing."""
    store.failing_checks.record({})

    assert store.failing_checks.all() == {}
