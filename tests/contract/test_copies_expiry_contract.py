"""Collecting catalogue copies, and how long their tokens last, on fakes and Redis alike."""

from collections.abc import Callable
from datetime import timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.catalogue import (
    CollectionCounts,
    CopyUpdate,
    StoreResult,
    UpdateTicket,
)

PassTime = Callable[[timedelta], None]

_A = ScheduleKey.parse("alder/2026-03-28")
_P, _Q, _R = Pid("p0000001"), Pid("p0000002"), Pid("b0000001")
_A_DAY = timedelta(days=1)


def _depend_on(store: Store, *pids: Pid) -> None:
    store.references.register({_A: [Entry(pid) for pid in pids]}, 1)


def _begin(store: Store, pid: Pid = _P) -> UpdateTicket:
    return store.copies.begin([pid])[pid]


def _store(store: Store, token: int, value: bytes, pid: Pid = _P) -> StoreResult:
    return store.copies.store({pid: CopyUpdate(token, value)})[pid]


def _insert(store: Store, token: int, value: bytes, pid: Pid = _P) -> bytes | None:
    return store.copies.insert_if_absent({pid: (token, value)})[pid]


def _token(store: Store, pid: Pid = _P) -> int:
    return store.copies.take_tokens([pid])[pid]


def _copy(store: Store, pid: Pid = _P) -> bytes | None:
    return store.copies.read([pid]).get(pid)


def test_tokens_outlive_their_use_by_a_day(store: Store, pass_time: PassTime) -> None:
    """Within a day the tokens go on. Afterwards no worker can hold an older one, so they begin anew."""
    _begin(store)
    pass_time(_A_DAY / 2)
    within = _begin(store).token
    pass_time(_A_DAY)

    after = _begin(store).token

    assert (within, after) == (2, 1)


def test_taken_token_is_good_for_a_day(store: Store, pass_time: PassTime) -> None:
    """The record of tokens cannot expire between taking a token and inserting, or the token would outrank all later
    ones.
    """
    _begin(store)
    pass_time(_A_DAY - timedelta(seconds=1))
    token = _token(store)
    pass_time(timedelta(seconds=2))
    _insert(store, token, b"1")

    begun = _begin(store)
    stored = _store(store, begun.token, b"2")

    assert stored.changed


def test_pending_propagation_and_absence_do_not_expire(store: Store, pass_time: PassTime) -> None:
    """Both stay until a worker deals with them."""
    _depend_on(store, _P, _Q)
    _store(store, _begin(store).token, b"1")
    store.copies.record_absence([_Q])
    _begin(store, _Q)
    pass_time(3 * _A_DAY)

    _insert(store, _token(store, _Q), b"1", _Q)

    assert _begin(store, _P).propagation_pending
    assert _begin(store, _Q).propagation_pending


def test_tokens_expire_after_the_acknowledgement(store: Store, pass_time: PassTime) -> None:
    """A record without a pending propagation expires like any other."""
    begun = _begin(store)
    _store(store, begun.token, b"1")
    store.copies.acknowledge({_P: begun.token})
    pass_time(_A_DAY)

    assert _begin(store).token == 1


def test_collecting_deletes_items_without_dependants(store: Store) -> None:
    """The copy and a recorded absence are deleted; an item with dependants stays."""
    _insert(store, _token(store), b"1")
    _insert(store, _token(store, _Q), b"2", _Q)
    _depend_on(store, _Q)
    store.copies.record_absence([_R])

    collected = store.copies.collect([_P, _Q, _R])

    assert collected == CollectionCounts(copies=1, absences=1)
    assert store.copies.read([_P, _Q]) == {_Q: b"2"}


def test_collecting_again_finds_nothing(store: Store) -> None:
    """Collecting a deleted or unknown item is no error."""
    _insert(store, _token(store), b"1")
    store.copies.collect([_P])

    assert store.copies.collect([_P, _Q]) == CollectionCounts(0, 0)
    assert store.copies.collect([]) == CollectionCounts(0, 0)


def test_pending_propagation_keeps_a_copy(store: Store) -> None:
    """A worker is about to propagate this copy; it can be collected afterwards."""
    token = _token(store)
    _store(store, token, b"1")
    while_owed = store.copies.collect([_P])
    store.copies.acknowledge({_P: token})

    settled = store.copies.collect([_P])

    assert while_owed == CollectionCounts(0, 0)
    assert settled == CollectionCounts(1, 0)


def test_collected_item_is_not_brought_back_by_a_slow_reader(store: Store) -> None:
    """A worker that read the item before the last change of its copy cannot store or insert it after the collection."""
    slow, quick = _token(store), _token(store)
    _store(store, quick, b"new")
    store.copies.acknowledge({_P: quick})
    store.copies.collect([_P])

    late, inserted = _store(store, slow, b"old"), _insert(store, slow, b"old")

    assert not late.changed
    assert inserted is None
    assert _copy(store) is None


def test_collected_item_keeps_its_tokens_for_a_day(store: Store, pass_time: PassTime) -> None:
    """A recorded absence does not expire, and changes nothing here."""
    _token(store)
    store.copies.record_absence([_P])
    store.copies.collect([_P])
    pass_time(_A_DAY / 2)
    within = _token(store)
    pass_time(_A_DAY)

    after = _token(store)

    assert (within, after) == (2, 1)


def test_collected_absence_leaves_no_pending_propagation(store: Store) -> None:
    """No schedule relied on it any more, so a copy that is inserted later is no change."""
    store.copies.record_absence([_P])
    store.copies.collect([_P])

    _insert(store, _token(store), b"1")

    assert not _begin(store).propagation_pending


def test_every_item_with_tokens_is_listed(store: Store) -> None:
    """Items are listed with and without a copy."""
    _insert(store, _token(store), b"1")
    _begin(store, _Q)
    store.copies.record_absence([_R])

    listed = {pid for pids in store.copies.tracked_pids() for pid in pids}

    assert listed == {_P, _Q, _R}
