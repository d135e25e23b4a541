"""The copies of catalogue items, on fakes and Redis alike: version tokens, pending propagations, recorded absences."""

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.catalogue import (
    CopyUpdate,
    StoreResult,
    UpdateTicket,
)

_A = ScheduleKey.parse("alder/2026-03-28")
_P, _Q, _R = Pid("p0000001"), Pid("p0000002"), Pid("b0000001")


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


def test_empty_batches_are_allowed(store: Store) -> None:
    """Every method takes an empty batch."""
    store.copies.acknowledge({})
    store.copies.record_absence([])

    assert store.copies.begin([]) == {}
    assert store.copies.store({}) == {}
    assert store.copies.read([]) == {}
    assert store.copies.take_tokens([]) == {}
    assert store.copies.insert_if_absent({}) == {}
    assert list(store.copies.stored_pids()) in ([], [[]])


def test_tokens_of_an_item_grow(store: Store) -> None:
    """Both ways of taking a token draw from one counter for each item."""
    tokens = [_begin(store).token, _token(store), _begin(store).token]
    others = store.copies.take_tokens([_Q, _R])

    assert tokens == [1, 2, 3]
    assert others == {_Q: 1, _R: 1}


def test_item_is_needed_if_it_has_a_copy_or_dependants(store: Store) -> None:
    """A copy without dependants is followed too, because the next schedule to show the item uses it."""
    _depend_on(store, _Q)
    _insert(store, _token(store, _R), b"1", _R)

    begun = store.copies.begin([_P, _Q, _R])

    assert {pid: start.is_needed for pid, start in begun.items()} == {_P: False, _Q: True, _R: True}


def test_ignored_event_outdates_earlier_tokens(store: Store) -> None:
    """After an ignored event a worker that read the item earlier cannot store it; a worker that reads it later can."""
    slow = _token(store)
    _begin(store)

    too_late, not_stored = _insert(store, slow, b"old"), _store(store, slow, b"old")
    in_time = _insert(store, _token(store), b"new")

    assert too_late is None
    assert not_stored == StoreResult(changed=False, propagation_pending=False)
    assert in_time == b"new"
    assert _copy(store) == b"new"


def test_beginning_outdates_no_token(store: Store) -> None:
    """Beginning to follow a needed item does not stop an earlier reader; only storing does."""
    _depend_on(store, _P)
    slow = _token(store)
    _begin(store)

    inserted = _insert(store, slow, b"old")

    assert inserted == b"old"


def test_new_value_is_stored_with_a_pending_propagation(store: Store) -> None:
    """A different value is stored, and its propagation is pending until it is acknowledged."""
    _depend_on(store, _P)
    begun = _begin(store)
    stored = _store(store, begun.token, b"1")
    while_owed = _begin(store)

    store.copies.acknowledge({_P: begun.token})

    assert stored == StoreResult(changed=True, propagation_pending=True)
    assert _copy(store) == b"1"
    assert not begun.propagation_pending
    assert while_owed.propagation_pending
    assert not _begin(store).propagation_pending


def test_equal_value_outdates_earlier_tokens(store: Store) -> None:
    """Storing equal bytes leaves no propagation pending, but an earlier reader can no longer store another value."""
    _depend_on(store, _P)
    first = _begin(store).token
    _store(store, first, b"1")
    store.copies.acknowledge({_P: first})
    slow, quick = _begin(store).token, _begin(store).token

    same = _store(store, quick, b"1")
    late = _store(store, slow, b"0")

    assert same == StoreResult(changed=False, propagation_pending=False)
    assert late == StoreResult(changed=False, propagation_pending=False)
    assert _copy(store) == b"1"


def test_older_token_does_not_overwrite(store: Store) -> None:
    """A slow worker cannot store an old value, and learns that a propagation is pending."""
    slow, quick = _begin(store).token, _token(store)
    _store(store, quick, b"new")

    late = _store(store, slow, b"old")

    assert late == StoreResult(changed=False, propagation_pending=True)
    assert _copy(store) == b"new"


def test_acknowledgement_counts_up_to_its_token(store: Store) -> None:
    """A worker that has propagated an older change does not acknowledge a newer one."""
    first, second = _token(store), _token(store)
    _store(store, first, b"1")
    _store(store, second, b"2")

    store.copies.acknowledge({_P: first})
    after_first = _begin(store).propagation_pending
    store.copies.acknowledge({_P: second})

    assert after_first
    assert not _begin(store).propagation_pending


def test_acknowledging_without_a_pending_propagation_does_nothing(store: Store) -> None:
    """A propagation may be acknowledged twice, or before there is one."""
    store.copies.acknowledge({_P: 5})

    assert _begin(store) == UpdateTicket(1, is_needed=False, propagation_pending=False)


def test_inserting_returns_the_stored_copy(store: Store) -> None:
    """A build uses the stored copy, not the value that it read itself."""
    slow, quick = _token(store), _token(store)
    first = _insert(store, quick, b"theirs")

    second = _insert(store, slow, b"ours")

    assert first == b"theirs"
    assert second == b"theirs"
    assert _copy(store) == b"theirs"


def test_inserted_copy_outdates_earlier_tokens(store: Store) -> None:
    """Without a recorded absence no propagation is pending, and a slow reader cannot store an older value."""
    slow, quick = _begin(store).token, _token(store)
    _insert(store, quick, b"new")

    late = _store(store, slow, b"old")

    assert late == StoreResult(changed=False, propagation_pending=False)
    assert _copy(store) == b"new"


def test_inserting_over_a_recorded_absence_leaves_a_pending_propagation(store: Store) -> None:
    """A schedule was built without the item, so the copy must still reach it."""
    _depend_on(store, _P)
    store.copies.record_absence([_P])
    inserted = _insert(store, _token(store), b"1")

    begun = _begin(store)
    stored = _store(store, begun.token, b"1")
    store.copies.acknowledge({_P: begun.token})

    assert inserted == b"1"
    assert begun.propagation_pending
    assert stored == StoreResult(changed=False, propagation_pending=True)
    assert not _begin(store).propagation_pending


def test_a_recorded_absence_counts_once(store: Store) -> None:
    """A copy that is inserted or stored ends the absence."""
    _depend_on(store, _P, _Q)
    store.copies.record_absence([_P, _Q])
    _insert(store, _token(store), b"1")
    _store(store, _token(store, _Q), b"1", _Q)

    store.copies.acknowledge({_P: 99, _Q: 99})
    begun = store.copies.begin([_P, _Q])

    assert not begun[_P].propagation_pending
    assert not begun[_Q].propagation_pending


def test_absence_is_recorded_only_without_a_copy(store: Store) -> None:
    """If a copy has arrived, the build reads it, so there is no absence."""
    _insert(store, _token(store), b"1")
    store.copies.record_absence([_P])

    begun = _begin(store)

    assert begun == UpdateTicket(2, is_needed=True, propagation_pending=False, copy=b"1")


def test_ignored_event_ends_a_recorded_absence(store: Store) -> None:
    """If no schedule depends on the item any more, an event deletes the record."""
    store.copies.record_absence([_P])
    _begin(store)

    _insert(store, _token(store), b"1")

    assert not _begin(store).propagation_pending


def test_read_returns_stored_copies(store: Store) -> None:
    """Items without a copy are left out; bytes come back unchanged."""
    value = '["brand","Nüchtern \\n",null]'.encode() + bytes(range(32))
    _insert(store, _token(store), value)

    found = store.copies.read([_Q, _P])

    assert found == {_P: value}


def test_every_copy_is_listed(store: Store) -> None:
    """All pids with a copy are listed, and none that only has tokens."""
    _insert(store, _token(store, _P), b"1", _P)
    _insert(store, _token(store, _R), b"1", _R)
    _begin(store, _Q)

    held = {pid for batch in store.copies.stored_pids() for pid in batch}

    assert held == {_P, _R}


def test_invalidated_tokens_cannot_store(store: Store) -> None:
    """A worker that took a token before the invalidation can neither store nor insert with it."""
    begun = store.copies.begin([_P])[_P]
    taken = store.copies.take_tokens([_P, _Q])

    store.copies.invalidate_tokens([_P, _Q, _R])

    assert store.copies.insert_if_absent({_P: (taken[_P], b"old")}) == {_P: None}
    assert store.copies.store({_P: CopyUpdate(begun.token, b"old"), _Q: CopyUpdate(taken[_Q], b"old")}) == {
        _P: StoreResult(changed=False, propagation_pending=False),
        _Q: StoreResult(changed=False, propagation_pending=False),
    }
    fresh = store.copies.take_tokens([_P])
    assert store.copies.insert_if_absent({_P: (fresh[_P], b"new")}) == {_P: b"new"}


def test_copy_is_restated_silently(store: Store) -> None:
    """A value that means the same as the stored copy replaces it, without a pending propagation."""
    _insert(store, _token(store), b"old form")
    begun = _begin(store)

    stored = store.copies.store({_P: CopyUpdate(begun.token, b"new form", same_as=b"old form")})[_P]

    assert (begun.copy, _copy(store)) == (b"old form", b"new form")
    assert stored == StoreResult(changed=False, propagation_pending=False)


def test_restating_another_copy_is_a_change(store: Store) -> None:
    """If another value has replaced the copy of the same meaning, the update is a change."""
    _insert(store, _token(store), b"old form")
    begun = _begin(store)
    _store(store, begun.token - 1, b"other")
    latest = _begin(store)
    _store(store, latest.token, b"another")

    stored = store.copies.store({_P: CopyUpdate(latest.token + 1, b"new form", same_as=b"old form")})[_P]

    assert _copy(store) == b"new form"
    assert stored == StoreResult(changed=True, propagation_pending=True, previous=b"another")


def test_restating_needs_the_newest_token(store: Store) -> None:
    """After a newer token is recorded, an older one cannot restate the copy."""
    _insert(store, _token(store), b"old form")
    first, second = _begin(store), _begin(store)
    _store(store, second.token, b"old form")

    stored = store.copies.store({_P: CopyUpdate(first.token, b"new form", same_as=b"old form")})[_P]

    assert (_copy(store), stored.changed) == (b"old form", False)


def test_restating_keeps_what_is_pending(store: Store) -> None:
    """A change that still has to be propagated stays so when its copy is restated."""
    _depend_on(store, _P)
    _store(store, _begin(store).token, b"old form")
    begun = _begin(store)

    stored = store.copies.store({_P: CopyUpdate(begun.token, b"new form", same_as=b"old form")})[_P]

    assert stored == StoreResult(changed=False, propagation_pending=True)
