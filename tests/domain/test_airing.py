"""Airings: showings on their services, each counted once."""

from datetime import timedelta

from delivery.guides import ALDER, BIRCH, EPISODE, NOON, key, schedule, showing

from schedules_pipeline.domain.airing import Place, find_airings, find_wanted


def test_airings_are_in_order_of_start_then_service_then_pid() -> None:
    """The airings of several services are one list, in order of place."""
    early, late = NOON, NOON + timedelta(hours=1)
    alder = schedule(key(ALDER), [showing(2, early), showing(1, late)])
    birch = schedule(key(BIRCH), [showing(3, early), showing(2, early)])

    found = find_airings([birch, alder])

    assert [(a.key.sid, a.broadcast.broadcast_pid) for a in found] == [
        (ALDER, "w0000002"),
        (BIRCH, "w0000002"),
        (BIRCH, "w0000003"),
        (ALDER, "w0000001"),
    ]
    assert found[0].place == Place(early, ALDER, "w0000002")


def test_broadcast_in_two_days_of_a_service_is_found_once() -> None:
    """Of a broadcast that two schedules of one service list, the one that was published last counts."""
    moved = NOON + timedelta(hours=18)
    left = schedule(key(), [showing(1, NOON)], seq=8)
    entered = schedule(key(days=1), [showing(1, moved)], seq=9)

    found = find_airings([entered, left])

    assert [(a.key, a.broadcast.start) for a in found] == [(entered.key, moved)]


def test_broadcast_of_two_services_is_found_on_each() -> None:
    """Regional variants may share a broadcast's pid; each shows it."""
    both = [schedule(key(sid), [showing(1, NOON)]) for sid in (ALDER, BIRCH)]

    found = find_airings(both)

    assert [a.key.sid for a in found] == [ALDER, BIRCH]


def test_start_of_an_instant_is_before_every_airing_of_it() -> None:
    """A place that names no service stands before all airings of its instant."""
    (found,) = find_airings([schedule(key(), [showing(1, NOON)])])

    assert Place(NOON) < found.place < Place(NOON + timedelta(seconds=1))


def test_wanted_broadcast_that_was_published_otherwise_is_not_found() -> None:
    """If several schedules list a broadcast, the schedule published last decides, even if it was not asked for."""
    night = NOON + timedelta(hours=14)
    before = schedule(key(), [showing(1, night), showing(2, night)], seq=1)
    after = schedule(key(days=1), [showing(1, night, episode_pid=None), showing(3, night)], seq=2)

    found = find_wanted([before, after], lambda shown: shown.episode_pid == EPISODE)

    assert [(a.key, a.broadcast.broadcast_pid) for a in found] == [
        (before.key, "w0000002"),
        (after.key, "w0000003"),
    ]
