"""The store of schedules, on fakes and Redis alike: a commit takes effect as a whole or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import a_change

from schedules_pipeline.composition import Store
from schedules_pipeline.documents.change_row import parse_row
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome, ScheduleState

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")
_MANY = 75
_SERIES, _BRAND = Pid("s0000001"), Pid("b0000001")


def _change(key: ScheduleKey, seq: int, etag: str) -> Change:
    cause = Cause("event 1", Origin.CATALOGUE, "s0000001", _NOW)
    return a_change(
        key, seq, etag=etag, published_at=_NOW, causes=(cause,), cause_count=4, recorded_by="run 1"
    )


def _commit(token: int, state: ScheduleState, etag: str = "e1", **others: Any) -> Commit:
    """A build's result for this state; the document fits the etag."""
    commit = Commit(
        key=state.key,
        token=token,
        read_token=state.committed_token,
        seen_mark=state.source_mark,
        accepted=b"",
        accepted_is_new=False,
        ancestors=frozenset(),
        etag=etag,
        document=f"document {etag}".encode() if etag else b"",
        change=_change(state.key, state.seq + 1, etag),
    )
    return replace(commit, **others)


def _state(store: Store, key: ScheduleKey = _A) -> ScheduleState:
    return store.schedules.read([key])[key]


def _publish(store: Store, token: int, etag: str = "e1", **others: Any) -> CommitResult:
    return store.schedules.commit([_commit(token, _state(store), etag, **others)])[0]


def _seqs(committed: CommitResult) -> list[int]:
    return [seq for seq, _ in committed.announcements]


def test_unknown_schedule_has_an_empty_state(store: Store) -> None:
    """An unknown schedule has no document and an empty state."""
    states = store.schedules.read([_A, _B])

    assert states == {_A: ScheduleState(_A), _B: ScheduleState(_B)}
    assert store.schedules.documents([_A, _B]) == {}


def test_empty_batches_are_allowed(store: Store) -> None:
    """Every method takes an empty batch."""
    store.schedules.count_source_change([])
    store.schedules.confirm_announced({})

    assert store.schedules.read([]) == {}
    assert store.schedules.commit([]) == []
    assert store.schedules.documents([]) == {}


def test_source_changes_are_counted(store: Store) -> None:
    """After each count the document must be fetched, until a build has committed the mark that it read."""
    store.schedules.count_source_change([_A, _B])
    store.schedules.count_source_change([_A])
    state = _state(store)
    store.schedules.count_source_change([_A])

    store.schedules.commit([_commit(1, state)])

    assert state.source_mark == 2
    assert _state(store).seen_mark == 2
    assert _state(store).source_mark == 3
    assert _state(store).must_fetch
    assert _state(store, _B).source_mark == 1


def test_first_commit_is_published(store: Store) -> None:
    """All parts of a commit become the committed state, and partners see the document."""
    committed = _publish(
        store,
        7,
        accepted=b"source\nline",
        accepted_is_new=True,
        ancestors=frozenset([_SERIES, _BRAND]),
        covered=b"all day",
    )

    assert (committed.outcome, committed.seq) == (Outcome.PUBLISHED, 1)
    assert _state(store) == ScheduleState(
        _A, 7, 1, "e1", 0, 0, b"source\nline", frozenset([_SERIES, _BRAND]), b"all day"
    )
    assert store.schedules.documents([_A]) == {_A: b"document e1"}


def test_row_of_the_feed_comes_back_as_it_was_committed(store: Store) -> None:
    """The announcement of a publication is the row of exactly that change."""
    committed = _publish(store, 7)

    (seq, row), *others = committed.announcements

    assert seq == 1
    assert parse_row(row) == _change(_A, 1, "e1")
    assert others == []


def test_same_bytes_are_unchanged(store: Store) -> None:
    """A build with the same etag keeps sequence number and document, and replaces the dependencies."""
    _publish(store, 1, ancestors=frozenset([_SERIES]))
    store.schedules.confirm_announced({_A: 1})

    committed = _publish(store, 2, document=b"document e1 at a later time", ancestors=frozenset([_BRAND]))

    assert committed == CommitResult(Outcome.UNCHANGED, 1)
    assert _state(store) == ScheduleState(_A, 2, 1, "e1", ancestors=frozenset([_BRAND]))
    assert store.schedules.documents([_A]) == {_A: b"document e1"}


def test_absent_schedule_without_source_is_unchanged(store: Store) -> None:
    """A schedule that never had a source publishes no removal."""
    committed = _publish(store, 1, etag="")

    assert committed == CommitResult(Outcome.UNCHANGED, 0)
    assert store.schedules.documents([_A]) == {}


def test_overtaken_commit_does_nothing(store: Store) -> None:
    """A commit with a token below the committed one is superseded, even if it read that state."""
    _publish(store, 5)
    before = _state(store)

    committed = _publish(store, 4, "e2", accepted=b"other", accepted_is_new=True)

    assert committed == CommitResult(Outcome.SUPERSEDED, 1)
    assert _state(store) == before
    assert store.schedules.documents([_A]) == {_A: b"document e1"}


def test_commit_on_another_state_has_moved(store: Store) -> None:
    """If an older token has committed since the state was read, nothing is committed; the same token may retry."""
    read_early = _state(store)
    _publish(store, 5)
    before = _state(store)

    moved = store.schedules.commit([_commit(6, read_early, "e2")])[0]
    state_after = _state(store)
    again = _publish(store, 6, "e2")

    assert moved == CommitResult(Outcome.MOVED, 1)
    assert state_after == before
    assert (again.outcome, again.seq) == (Outcome.PUBLISHED, 2)


def test_superseded_goes_before_moved(store: Store) -> None:
    """A build that a newer token has overtaken is not repeated, even if the state has moved too."""
    read_early = _state(store)
    _publish(store, 5)

    committed = store.schedules.commit([_commit(4, read_early, "e2")])[0]

    assert committed.outcome is Outcome.SUPERSEDED


def test_removal_is_published(store: Store) -> None:
    """Without a source the document and the accepted source are deleted, and the feed gets a row."""
    _publish(store, 1, accepted=b"source", accepted_is_new=True)
    store.schedules.confirm_announced({_A: 1})

    committed = _publish(store, 2, etag="", accepted_is_new=True)

    (seq, row), *_ = committed.announcements
    assert (committed.outcome, committed.seq, seq) == (Outcome.PUBLISHED, 2, 2)
    assert parse_row(row).is_removal
    assert store.schedules.documents([_A]) == {}
    assert _state(store) == ScheduleState(_A, 2, 2, "", covered=b"")


def test_removed_schedule_goes_on_counting(store: Store) -> None:
    """A schedule that returns has the next sequence number, not the first."""
    _publish(store, 1)
    _publish(store, 2, etag="")

    committed = _publish(store, 3)

    assert (committed.outcome, committed.seq) == (Outcome.PUBLISHED, 3)
    assert store.schedules.documents([_A]) == {_A: b"document e1"}


def test_accepted_source_stays_without_a_new_one(store: Store) -> None:
    """A rebuild after a catalogue change keeps the accepted source."""
    _publish(store, 1, accepted=b"source", accepted_is_new=True)

    _publish(store, 2, "e2")

    assert _state(store).accepted == b"source"


def test_rows_stay_until_they_are_announced(store: Store) -> None:
    """Every commit returns the rows that a dead worker left, in order, until they are confirmed."""
    first = _publish(store, 1, "e1")
    second = _publish(store, 2, "e2")
    third = _publish(store, 3, "e2")
    store.schedules.confirm_announced({_A: 1})
    fourth = _publish(store, 4, "e3")
    store.schedules.confirm_announced({_A: 3})
    fifth = _publish(store, 5, "e3")

    assert [_seqs(c) for c in (first, second, third, fourth, fifth)] == [[1], [1, 2], [1, 2], [2, 3], []]


def test_many_rows_stay_in_the_order_of_their_numbers(store: Store) -> None:
    """The tenth row comes after the ninth."""
    for token in range(1, 12):
        committed = _publish(store, token, f"e{token}")

    assert _seqs(committed) == list(range(1, 12))


def test_commits_of_a_batch_are_independent(store: Store) -> None:
    """A superseded commit does not affect the others, and the results are in the order of the commits."""
    _publish(store, 9)
    commits = [_commit(8, _state(store)), _commit(8, _state(store, _B))]

    outcomes = [committed.outcome for committed in store.schedules.commit(commits)]

    assert outcomes == [Outcome.SUPERSEDED, Outcome.PUBLISHED]
    assert store.schedules.documents([_B, _A]) == {_A: b"document e1", _B: b"document e1"}


def test_each_commit_of_a_large_batch_has_its_own_document(store: Store) -> None:
    """The commits are made while those before them are stored; every tenth removes, so it has no document."""
    days = [_A.after(number) for number in range(_MANY)]
    etags = {key: "" if number % 10 == 0 else f"e{number}" for number, key in enumerate(days)}
    states = store.schedules.read(days)

    results = store.schedules.commit(_commit(1, states[key], etags[key]) for key in days)

    assert [result.outcome for result in results] == [
        Outcome.PUBLISHED if etags[key] else Outcome.UNCHANGED for key in days
    ]
    assert store.schedules.documents(days) == {
        key: f"document {etag}".encode() for key, etag in etags.items() if etag
    }


def test_a_large_batch_that_cannot_be_made_raises_the_error(store: Store) -> None:
    """What was committed before is whole, and can be read."""
    days = [_A.after(number) for number in range(_MANY)]
    states = store.schedules.read(days)

    def made() -> Iterator[Commit]:
        for key in days[:-1]:
            yield _commit(1, states[key])
        raise ValueError("cannot be made")

    with pytest.raises(ValueError, match="cannot be made"):
        store.schedules.commit(made())

    assert set(store.schedules.documents(days).values()) <= {b"document e1"}
    assert days[-1] not in store.schedules.documents(days)


def test_a_repeated_commit_has_the_same_answer(store: Store) -> None:
    """A client that lost the reply and repeats the commit gets the same result, with the row to announce."""
    commit = _commit(1, _state(store))

    first, again = (store.schedules.commit([commit])[0] for _ in range(2))

    assert first == again
    assert (first.outcome, _seqs(first)) == (Outcome.PUBLISHED, [1])
    assert _state(store).seq == 1


def test_a_repeated_unchanged_commit_is_unchanged(store: Store) -> None:
    """The same holds for equal bytes."""
    _publish(store, 1)
    store.schedules.confirm_announced({_A: 1})
    commit = _commit(2, _state(store))

    first, again = (store.schedules.commit([commit])[0] for _ in range(2))

    assert first == again == CommitResult(Outcome.UNCHANGED, 1)


def test_a_restored_source_supersedes_earlier_builds_and_is_judged_again(store: Store) -> None:
    """The next build reads it as the committed one and fetches the document. Older claims change nothing."""
    _publish(store, 3)

    for token in (5, 5, 4):
        store.schedules.restore({_A: (b"good" if token == 5 else b"old", b"covered")}, token)
    late = store.schedules.commit([_commit(4, _state(store), "e2")])[0]

    state = _state(store)
    assert (state.accepted, state.covered, state.committed_token, state.must_fetch) == (
        b"good",
        b"covered",
        5,
        True,
    )
    assert (state.seq, state.etag) == (1, "e1")
    assert late.outcome is Outcome.SUPERSEDED
