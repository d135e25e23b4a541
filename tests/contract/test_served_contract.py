"""The switch between the systems that serve partners, and the trend of parity, on fakes and Redis alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.migration.ports import NEVER_SWITCHED, ParityPoint, ServedSource, ServedState

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_FIRST = ServedState(1, ServedSource.OURS, _NOW, "ada", "parity “reached”", 0.9981, forced=False)


def test_before_the_first_switch_the_old_system_serves(store: Store) -> None:
    """An empty store has the old system, and no switches."""
    assert store.served.current() == NEVER_SWITCHED
    assert store.served.switches() == []


def test_a_switch_is_remembered_as_it_was_entered(store: Store) -> None:
    """Every field comes back, in the current state and in the list."""
    entered = store.served.change(_FIRST)

    assert entered
    assert store.served.current() == _FIRST
    assert store.served.switches() == [_FIRST]


def test_switches_are_listed_the_newest_first(store: Store) -> None:
    """Switching back is a switch too; it has no share if nothing could be compared."""
    back = ServedState(2, ServedSource.LEGACY, _NOW, "grace", "", None, forced=False)
    store.served.change(_FIRST)

    store.served.change(back)

    assert store.served.current() == back
    assert store.served.switches() == [back, _FIRST]


def test_a_switch_on_another_state_is_not_entered(store: Store) -> None:
    """Of two switches that were decided on the same state, one is entered."""
    store.served.change(_FIRST)

    entered = store.served.change(replace(_FIRST, by="grace"))

    assert not entered
    assert store.served.switches() == [_FIRST]


def test_a_repeated_switch_is_entered_once(store: Store) -> None:
    """A client that lost the reply may repeat the switch."""
    again = [store.served.change(_FIRST) for _ in range(2)]

    assert again == [True, True]
    assert store.served.switches() == [_FIRST]


def test_a_switch_cannot_skip_a_number(store: Store) -> None:
    """A switch that was decided on a state that never existed is not entered."""
    assert not store.served.change(replace(_FIRST, number=2))
    assert store.served.current() == NEVER_SWITCHED


def test_of_many_operators_at_once_one_succeeds(store: Store) -> None:
    """Of many switches at once, one is entered and the others are rejected."""
    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(lambda n: store.served.change(replace(_FIRST, by=str(n))), range(8)))

    assert entered.count(True) == 1
    assert len(store.served.switches()) == 1


def test_past_reports_come_back_the_oldest_first(store: Store) -> None:
    """The trend keeps its order, and includes a report that compared nothing."""
    points = [ParityPoint(_NOW + timedelta(days=n), 10, n, n, is_ready=n > 0) for n in range(3)]

    for point in points:
        store.parity_trend.append(point)

    assert store.parity_trend.all() == points
    assert store.parity_trend.all()[0].share is None


def test_only_the_latest_four_hundred_reports_are_remembered(store: Store) -> None:
    """The trend is bounded: the oldest reports are deleted."""
    for number in range(403):
        store.parity_trend.append(ParityPoint(_NOW, number, 0, 0, is_ready=False))

    assert [point.schedules for point in store.parity_trend.all()] == list(range(3, 403))


def test_the_record_of_all_switches_is_restored_in_one_step(store: Store) -> None:
    """Also over an earlier switch, if it is the one that was read; a repeated call is harmless."""
    back = ServedState(2, ServedSource.LEGACY, _NOW, "grace", "", None, forced=False)
    store.served.change(replace(_FIRST, by="grace"))

    again = [store.served.restore([back, _FIRST], 1) for _ in range(2)]

    assert again == [True, True]
    assert store.served.current() == back
    assert store.served.switches() == [back, _FIRST]


def test_a_restored_record_does_not_replace_another_switch(store: Store) -> None:
    """Another operator has switched since the state was read."""
    store.served.change(_FIRST)

    assert not store.served.restore([replace(_FIRST, by="grace")], 0)
    assert store.served.switches() == [_FIRST]
