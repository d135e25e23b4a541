"""The change feed, on fakes and Redis alike: every publication at most once, and in order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from builders import a_change

from schedules_pipeline.composition import Store
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports import feed as feed_port
from schedules_pipeline.publishing.ports.feed import FeedEntry
from schedules_pipeline.store import feed as redis_feed

PassTime = Callable[[timedelta], None]

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")
_C = ScheduleKey.parse("cedar/2026-03-28")
_A_MINUTE = timedelta(seconds=60)


def _change(key: ScheduleKey, seq: int, etag: str = "e1") -> Change:
    cause = Cause("event 1", Origin.SCHEDULE, str(key), _NOW)
    return a_change(
        key, seq, etag=etag, published_at=_NOW, source_changed=False, causes=(cause,), cause_count=4
    )


def _append(store: Store, *changes: Change) -> None:
    store.feed.append([(change.key, change.seq, render_row(change)) for change in changes])


def _all(store: Store) -> list[Change]:
    return [entry.change for entry in store.feed.read_after("0", 100)]


def _changes(entries: list[FeedEntry]) -> list[Change]:
    return [entry.change for entry in entries]


def _positions(entries: list[FeedEntry]) -> list[str]:
    return [entry.position for entry in entries]


def test_empty_feed(store: Store) -> None:
    """Before the first publication the feed has no rows, no heads, and no row to record."""
    store.feed.append([])
    store.feed.confirm_recorded([])

    assert _all(store) == []
    assert store.feed.heads() == {}
    assert store.feed.take_unrecorded("recorder", 10) == []
    assert store.feed.unrecorded() == 0


def test_rows_are_read_in_order(store: Store) -> None:
    """Rows come back in the order in which they were appended, within one call too."""
    _append(store, _change(_A, 1), _change(_B, 1))
    _append(store, _change(_A, 2, "e2"))

    changes = _all(store)

    assert changes == [_change(_A, 1), _change(_B, 1), _change(_A, 2, "e2")]


def test_row_is_appended_at_most_once(store: Store) -> None:
    """A repeated announcement appends only the rows that the feed lacks."""
    _append(store, _change(_A, 1), _change(_A, 2))
    _append(store, _change(_A, 1), _change(_A, 2), _change(_A, 3))
    _append(store, _change(_A, 3), _change(_A, 3))

    changes = _all(store)

    assert [change.seq for change in changes] == [1, 2, 3]


def test_late_row_is_not_appended(store: Store) -> None:
    """A schedule's sequence never goes back, nor does its head."""
    _append(store, _change(_A, 2))

    _append(store, _change(_A, 1))

    assert [change.seq for change in _all(store)] == [2]
    assert store.feed.heads() == {_A: _change(_A, 2)}


def test_numbers_are_compared_as_numbers(store: Store) -> None:
    """The tenth row follows the ninth."""
    for seq in range(1, 12):
        _append(store, _change(_A, seq))

    assert [change.seq for change in _all(store)] == list(range(1, 12))


def test_heads_are_the_latest_rows(store: Store) -> None:
    """Every schedule that was ever published has its head, removals included."""
    _append(store, _change(_A, 1), _change(_B, 1), _change(_B, 2, ""))

    heads = store.feed.heads()

    assert heads == {_A: _change(_A, 1), _B: _change(_B, 2, "")}
    assert heads[_B].is_removal


def test_feed_is_read_on_from_a_position(store: Store) -> None:
    """A reader continues after its last position, a limited number of rows at a time."""
    _append(store, *(_change(_A, seq) for seq in range(1, 6)))

    first = store.feed.read_after("0", 2)
    second = store.feed.read_after(first[-1].position, 2)
    third = store.feed.read_after(second[-1].position, 2)
    end = store.feed.read_after(third[-1].position, 2)

    assert [[e.change.seq for e in page] for page in (first, second, third, end)] == [[1, 2], [3, 4], [5], []]


def test_each_row_goes_to_one_recorder(store: Store) -> None:
    """A row that one consumer has taken goes to no other."""
    _append(store, *(_change(_A, seq) for seq in range(1, 4)))

    one = store.feed.take_unrecorded("one", 2)
    two = store.feed.take_unrecorded("two", 2)
    again = store.feed.take_unrecorded("one", 2)

    assert [change.seq for change in _changes(one)] == [1, 2]
    assert [change.seq for change in _changes(two)] == [3]
    assert again == []


def test_rows_from_before_the_first_recorder_are_recorded(store: Store) -> None:
    """The first to ask gets the feed from its beginning, at the positions at which readers find it."""
    _append(store, _change(_A, 1))

    taken = store.feed.take_unrecorded("recorder", 10)

    assert taken == store.feed.read_after("0", 10)


def test_unconfirmed_rows_go_to_another(store: Store, pass_time: PassTime) -> None:
    """A consumer that has not confirmed for a minute counts as dead."""
    _append(store, _change(_A, 1), _change(_A, 2))
    taken = store.feed.take_unrecorded("dead", 10)
    store.feed.confirm_recorded(_positions(taken)[:1])
    early = store.feed.take_unrecorded("heir", 10)
    pass_time(_A_MINUTE)

    late = store.feed.take_unrecorded("heir", 10)

    assert early == []
    assert late == taken[1:]


def test_abandoned_rows_come_before_new_rows(store: Store, pass_time: PassTime) -> None:
    """Abandoned rows are taken over first, and new ones in the next call."""
    _append(store, _change(_A, 1))
    store.feed.take_unrecorded("dead", 10)
    pass_time(_A_MINUTE)
    _append(store, _change(_A, 2))

    first = store.feed.take_unrecorded("heir", 10)
    second = store.feed.take_unrecorded("heir", 10)

    assert [change.seq for change in _changes(first)] == [1]
    assert [change.seq for change in _changes(second)] == [2]


def test_rows_that_a_consumer_returns_go_to_another_one_at_once(store: Store) -> None:
    """What it has confirmed is not recorded again."""
    _append(store, *(_change(_A, seq) for seq in range(1, 4)))
    taken = store.feed.take_unrecorded("ends", 10)
    store.feed.confirm_recorded(_positions(taken)[:1])

    store.feed.return_unrecorded("ends")
    store.feed.return_unrecorded("never took any")

    assert _positions(store.feed.take_unrecorded("heir", 10)) == _positions(taken)[1:]


def test_unrecorded_counts_what_is_not_confirmed(store: Store) -> None:
    """Rows that were never taken count, and those that were taken but not confirmed."""
    _append(store, *(_change(_A, seq) for seq in range(1, 5)))
    before = store.feed.unrecorded()
    taken = store.feed.take_unrecorded("recorder", 3)
    meanwhile = store.feed.unrecorded()
    store.feed.confirm_recorded(_positions(taken)[:2])

    assert (before, meanwhile, store.feed.unrecorded()) == (4, 4, 2)


def test_the_oldest_row_without_a_record_is_known(store: Store) -> None:
    """Whether it was taken or not, the oldest row that is not confirmed counts; when all are, none does."""
    nothing = store.feed.unrecorded_since()
    _append(store, _change(_A, 1), _change(_A, 2))
    waiting = store.feed.unrecorded_since()
    taken = store.feed.take_unrecorded("recorder", 1)
    pending = store.feed.unrecorded_since()
    store.feed.confirm_recorded(_positions(taken))
    second = store.feed.unrecorded_since()
    store.feed.confirm_recorded(_positions(store.feed.take_unrecorded("recorder", 1)))

    assert (nothing, store.feed.unrecorded_since()) == (None, None)
    assert waiting is not None
    assert pending == waiting
    assert second is not None
    assert second >= waiting


def test_confirmation_may_be_repeated(store: Store) -> None:
    """Confirming twice counts once."""
    _append(store, _change(_A, 1), _change(_A, 2))
    positions = _positions(store.feed.take_unrecorded("recorder", 10))

    store.feed.confirm_recorded(positions[:1])
    store.feed.confirm_recorded(positions[:1])

    assert store.feed.unrecorded() == 1


def test_positions_are_found_by_time(store: Store) -> None:
    """A position before a past instant is before every row, and one before a future instant is after all."""
    _append(store, _change(_A, 1), _change(_B, 1))
    long_ago, to_come = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

    from_the_first = store.feed.read_after(store.feed.position_before(long_ago), 10)
    from_the_end = store.feed.read_after(store.feed.position_before(to_come), 10)

    assert _changes(from_the_first) == [_change(_A, 1), _change(_B, 1)]
    assert from_the_end == []


def test_heads_of_some_schedules(store: Store) -> None:
    """Only requested schedules that were ever published are returned."""
    _append(store, _change(_A, 1), _change(_A, 2), _change(_B, 1))

    assert store.feed.heads_of([_A, _C]) == {_A: _change(_A, 2)}
    assert store.feed.heads_of([]) == {}


def test_removals_are_forgotten(store: Store) -> None:
    """The head goes and the rows stay; afterwards the schedule may begin with 1 again, or go on."""
    _append(store, _change(_A, 1), _change(_A, 2, ""), _change(_B, 4, ""))

    store.feed.forget_removals({_A: 2, _B: 4, _C: 1})
    store.feed.forget_removals({})

    assert store.feed.heads() == {}
    assert len(_all(store)) == 3
    _append(store, _change(_A, 1), _change(_B, 5))
    assert store.feed.heads() == {_A: _change(_A, 1), _B: _change(_B, 5)}


def test_only_the_named_removal_is_forgotten(store: Store) -> None:
    """A schedule that was published again, or removed a second time, keeps its head."""
    _append(store, _change(_A, 1, ""), _change(_A, 2), _change(_B, 1, ""), _change(_B, 3, ""))

    store.feed.forget_removals({_A: 1, _B: 1})
    store.feed.forget_removals({_A: 2})

    assert store.feed.heads() == {_A: _change(_A, 2), _B: _change(_B, 3, "")}


def test_trimming_takes_old_rows_and_no_heads(
    store: Store, now: Callable[[], datetime], pass_time: PassTime
) -> None:
    """Rows appended before the moment are deleted; later rows and all heads stay."""
    _append(store, _change(_A, 1), _change(_B, 1))
    between = _next_moment(now, pass_time)
    _append(store, _change(_A, 2))

    gone = store.feed.trim(between)

    assert gone == 2
    assert _all(store) == [_change(_A, 2)]
    assert store.feed.heads() == {_A: _change(_A, 2), _B: _change(_B, 1)}


def test_trimming_leaves_young_rows(store: Store, now: Callable[[], datetime]) -> None:
    """No row is deleted if none is older, also in an empty feed."""
    assert store.feed.trim(now()) == 0
    _append(store, _change(_A, 1))

    assert store.feed.trim(now() - _A_MINUTE) == 0
    assert _all(store) == [_change(_A, 1)]


def test_positions_go_on_after_trimming(
    store: Store, now: Callable[[], datetime], pass_time: PassTime
) -> None:
    """A reader continues after a row that was trimmed."""
    _append(store, _change(_A, 1))
    position = store.feed.read_after("0", 10)[0].position
    store.feed.trim(_next_moment(now, pass_time))
    _append(store, _change(_A, 2))

    assert _changes(store.feed.read_after(position, 10)) == [_change(_A, 2)]
    assert _changes(store.feed.take_unrecorded("recorder", 10)) == [_change(_A, 2)]


def _next_moment(now: Callable[[], datetime], pass_time: PassTime) -> datetime:
    """An instant after all earlier ones, to the millisecond, and not after later ones."""
    until = now() + timedelta(milliseconds=2)
    pass_time(timedelta(milliseconds=2))
    while (moment := now()) < until:
        pass
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_wait_after_returns_existing_rows_at_once(store: Store) -> None:
    """The rows after the position are returned without a wait."""
    _append(store, _change(_A, 1), _change(_B, 1))
    first = store.feed.read_after("0", 1)[0]

    entries = store.feed.wait_after(first.position, 10, 5)

    assert _changes(entries) == [_change(_B, 1)]


def test_wait_after_ends_without_a_row(store: Store) -> None:
    """The wait ends empty if no row arrives."""
    _append(store, _change(_A, 1))

    entries = store.feed.wait_after(store.feed.last_position(), 10, 0.01)

    assert entries == []


def test_last_position_is_that_of_the_last_row(store: Store) -> None:
    """It stays when that row is trimmed; before the first row it is 0."""
    before = store.feed.last_position()
    _append(store, _change(_A, 1), _change(_B, 1))
    last = store.feed.read_after("0", 10)[-1].position

    store.feed.trim(datetime(2100, 1, 1, tzinfo=UTC))

    assert before == "0"
    assert store.feed.last_position() == last


def test_complete_after_says_what_was_trimmed(store: Store) -> None:
    """Before a trim the feed is complete from its beginning; afterwards from a later position, with every remaining
    row after it.
    """
    _append(store, _change(_A, 1))
    before = store.feed.complete_after()
    last = store.feed.last_position()

    store.feed.trim(datetime(2100, 1, 1, tzinfo=UTC))

    assert before == "0"
    assert store.feed.complete_after() == last


def test_a_full_feed_loses_its_oldest_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the latest rows and every head, and says from where on it is complete."""
    for module in (feed_port, redis_feed):
        monkeypatch.setattr(module, "MOST_ROWS", 3)
    _append(store, _change(_B, 1), *(_change(_A, seq) for seq in (1, 2)))
    second = store.feed.read_after("0", 2)[-1].position

    _append(store, *(_change(_A, seq) for seq in (3, 4)))

    assert _all(store) == [_change(_A, seq) for seq in (2, 3, 4)]
    assert store.feed.complete_after() == second
    assert store.feed.heads() == {_A: _change(_A, 4), _B: _change(_B, 1)}


def test_trimming_less_than_before_changes_nothing(store: Store) -> None:
    """A trim up to an earlier moment leaves the feed complete from the same position."""
    _append(store, _change(_A, 1))
    store.feed.trim(datetime(2100, 1, 1, tzinfo=UTC))
    complete_after = store.feed.complete_after()

    gone = store.feed.trim(datetime(2000, 1, 1, tzinfo=UTC))

    assert gone == 0
    assert store.feed.complete_after() == complete_after
