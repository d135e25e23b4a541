"""The store of incidents and the failing checks, on fakes and Redis alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.condition import Condition, ConditionName, Findings, Severity
from schedules_pipeline.health.incidents import Notice, Phase, State, begin_incident, plan_changes
from schedules_pipeline.health.ports import IncidentStore

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_LEASE = timedelta(seconds=25)
_DEAD = Condition(
    ConditionName.DEAD_LETTERS,
    Severity.ERROR,
    "dead",
    "2 messages — two",
    evidence={"dead": 2, "who": "a\nb"},
)
_LATE = Condition(ConditionName.SCHEDULES_LATE, Severity.ERROR, "work", "late")
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_NEXT_DAY = ScheduleKey(Sid("alder_one"), date(2026, 3, 29))


def _raise(book: IncidentStore, condition: Condition, *channels: str) -> Notice:
    change = begin_incident(condition, _NOW)
    assert book.change(change, channels)
    assert change.notice
    return change.notice


def _clear(book: IncidentStore, at: datetime, *channels: str) -> None:
    (change,) = plan_changes(book.latest(), Findings(), at, timedelta(0))
    assert book.change(change, channels)


def test_an_empty_store_has_no_incidents(store: Store) -> None:
    """An empty store has no incidents and no notices to deliver."""
    assert store.incidents.latest() == []
    assert store.incidents.count_undelivered() == 0
    assert store.incidents.take_notice("sns", _NOW, _LEASE) is None


def test_an_incident_comes_back_whole(store: Store) -> None:
    """Every field of an incident is kept, with any text."""
    change = begin_incident(_DEAD, _NOW)

    store.incidents.change(change, ())

    assert store.incidents.latest() == [change.incident]


def test_of_two_turns_from_the_same_state_the_first_counts(store: Store) -> None:
    """A second watcher that saw the same state changes nothing, and its notice is not stored."""
    _raise(store.incidents, _DEAD, "sns")

    second = store.incidents.change(begin_incident(_DEAD, _NOW + timedelta(seconds=1)), ("sns",))

    assert not second
    assert [incident.since for incident in store.incidents.latest()] == [_NOW]
    assert store.incidents.count_undelivered() == 1


def test_a_turn_from_before_the_end_of_an_incident_does_nothing(store: Store) -> None:
    """A watcher that missed a whole incident does not begin another one from an old state."""
    slept = begin_incident(_DEAD, _NOW)
    _raise(store.incidents, _DEAD)
    _clear(store.incidents, _NOW + timedelta(minutes=2))

    late = store.incidents.change(slept, ("sns",))

    assert not late
    assert [incident.state for incident in store.incidents.latest()] == [State.OVER]


def test_many_watchers_at_once_store_one_notice(store: Store) -> None:
    """Of many watchers that begin the same incident at once, one succeeds."""
    changes = [begin_incident(_DEAD, _NOW + timedelta(milliseconds=i)) for i in range(16)]

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda change: store.incidents.change(change, ("sns",)), changes))

    assert won.count(True) == 1
    assert store.incidents.count_undelivered() == 1


def test_many_watchers_at_once_take_each_notice_once(store: Store) -> None:
    """A notice that one watcher delivers goes to no other."""
    booked = {_raise(store.incidents, replace(_DEAD, name=name), "sns").id for name in ConditionName}

    with ThreadPoolExecutor(8) as pool:
        takes = [pool.submit(store.incidents.take_notice, "sns", _NOW, _LEASE) for _ in range(40)]
    taken = [notice.id for take in takes if (notice := take.result())]

    assert sorted(taken) == sorted(booked)


def test_a_notice_is_stored_for_every_channel(store: Store) -> None:
    """Each channel has its own delivery of a notice, which is made once."""
    notice = _raise(store.incidents, _DEAD, "sns", "webhook")

    over_sns = store.incidents.take_notice("sns", _NOW, _LEASE)
    store.incidents.confirm_delivered("sns", notice)
    over_webhook = store.incidents.take_notice("webhook", _NOW, _LEASE)

    assert over_sns == over_webhook == notice
    assert store.incidents.take_notice("sns", _NOW + _LEASE, _LEASE) is None
    assert store.incidents.count_undelivered() == 1


def test_a_turn_without_a_notice_stores_none(store: Store) -> None:
    """A suspicion is kept, and no channel is notified."""
    patient = replace(_DEAD, patience=timedelta(seconds=20))

    store.incidents.change(begin_incident(patient, _NOW), ("sns",))

    assert [incident.state for incident in store.incidents.latest()] == [State.SUSPECTED]
    assert store.incidents.count_undelivered() == 0


def test_a_notice_that_was_not_delivered_comes_again_after_its_lease(store: Store) -> None:
    """The watcher that took it may have died, so it is delivered again after the lease, and not before."""
    notice = _raise(store.incidents, _DEAD, "sns")
    store.incidents.take_notice("sns", _NOW, _LEASE)

    before = store.incidents.take_notice("sns", _NOW + _LEASE - timedelta(seconds=1), _LEASE)
    after = store.incidents.take_notice("sns", _NOW + _LEASE, _LEASE)

    assert before is None
    assert after == notice


def test_an_all_clear_waits_for_its_alarm(store: Store) -> None:
    """An all-clear is not delivered while its alarm still has to be, even during the alarm's lease."""
    raised = _raise(store.incidents, _DEAD, "sns")
    cleared_at = _NOW + timedelta(minutes=2)
    _clear(store.incidents, cleared_at, "sns")

    first = store.incidents.take_notice("sns", cleared_at, _LEASE)
    meanwhile = store.incidents.take_notice("sns", cleared_at, _LEASE)
    store.incidents.confirm_delivered("sns", raised)
    second = store.incidents.take_notice("sns", cleared_at, _LEASE)

    assert first == raised
    assert meanwhile is None
    assert second is not None
    assert second.phase is Phase.CLEARED


def test_an_undeliverable_notice_does_not_delay_others(store: Store) -> None:
    """Untried notices come first, then the one whose last attempt is the oldest."""
    dead, late = _raise(store.incidents, _DEAD, "sns"), _raise(store.incidents, _LATE, "sns")
    store.incidents.take_notice("sns", _NOW, _LEASE)

    untried = store.incidents.take_notice("sns", _NOW + _LEASE, _LEASE)
    tried = store.incidents.take_notice("sns", _NOW + _LEASE + timedelta(seconds=1), _LEASE)
    longest_ago = store.incidents.take_notice("sns", _NOW + 3 * _LEASE, _LEASE)

    assert [untried, tried, longest_ago] == [late, dead, late]


def test_the_first_check_is_remembered(store: Store) -> None:
    """The time of the first check stays."""
    first = store.incidents.watched_since(_NOW)

    again = store.incidents.watched_since(_NOW + timedelta(days=1))

    assert first == again == _NOW


def test_a_turn_carries_no_notice_for_no_channel(store: Store) -> None:
    """Without channels incidents are kept all the same."""
    store.incidents.change(begin_incident(_DEAD, _NOW), ())

    assert [incident.is_open for incident in store.incidents.latest()] == [True]
    assert store.incidents.count_undelivered() == 0


def test_quarantined_broadcasts_are_listed_until_they_are_forgotten(store: Store) -> None:
    """The latest summary of each schedule."""
    store.quarantined_broadcasts.keep({_KEY: "1 broadcast", _NEXT_DAY: "2 broadcasts"})
    store.quarantined_broadcasts.keep({_KEY: "3 broadcasts\nmended: one"})
    store.quarantined_broadcasts.forget([_NEXT_DAY])
    store.quarantined_broadcasts.forget([])

    assert store.quarantined_broadcasts.all() == {_KEY: "3 broadcasts"}
    assert store.quarantined_broadcasts.find(_KEY) == "3 broadcasts\nmended: one"
    assert store.quarantined_broadcasts.find(_NEXT_DAY) == ""


def test_failing_checks_are_those_that_failed_last(store: Store) -> None:
    """A failed check is listed with its latest summary, until it passes."""
    other = ScheduleKey(Sid("alder_two"), date(2026, 3, 28))
    store.failing_checks.record(
        {(_KEY, "index_complete"): "1 missing", (other, "is_built"): "broke", (_KEY, "x"): None}
    )
    store.failing_checks.record({(_KEY, "index_complete"): "2 missing", (other, "is_built"): None})

    failing = store.failing_checks.all()

    assert failing == {(_KEY, "index_complete"): "2 missing"}


def test_an_empty_batch_of_checks_changes_nothing(store: Store) -> None:
    """A batch without evaluations changes nothing."""
    store.failing_checks.record({})

    assert store.failing_checks.all() == {}
