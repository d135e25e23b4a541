"""Our copies of catalogue items, on fakes and Redis alike: fenced, and with a memory of what is owed."""

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


def _plant(store: Store, token: int, value: bytes, pid: Pid = _P) -> bytes | None:
    return store.copies.insert_if_absent({pid: (token, value)})[pid]


def _token(store: Store, pid: Pid = _P) -> int:
    return store.copies.take_tokens([pid])[pid]


def _copy(store: Store, pid: Pid = _P) -> bytes | None:
    return store.copies.read([pid]).get(pid)


def test_nothing_asked_is_nothing_answered(store: Store) -> None:
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
    """Beginning and taking draw from one counter for each item."""
    tokens = [_begin(store).token, _token(store), _begin(store).token]
    others = store.copies.take_tokens([_Q, _R])

    assert tokens == [1, 2, 3]
    assert others == {_Q: 1, _R: 1}


def test_item_is_needed_if_held_or_depended_on(store: Store) -> None:
    """A copy without dependants is still followed, for the next schedule to use it would take the old one."""
    _depend_on(store, _Q)
    _plant(store, _token(store, _R), b"1", _R)

    begun = store.copies.begin([_P, _Q, _R])

    assert {pid: start.is_needed for pid, start in begun.items()} == {_P: False, _Q: True, _R: True}


def test_unneeded_item_fences_what_was_read_before(store: Store) -> None:
    """After an ignored event nobody can store or plant what was read earlier; what is read later, anybody."""
    slow = _token(store)
    _begin(store)

    too_late, not_stored = _plant(store, slow, b"old"), _store(store, slow, b"old")
    in_time = _plant(store, _token(store), b"new")

    assert too_late is None
    assert not_stored == StoreResult(changed=False, propagation_pending=False)
    assert in_time == b"new"
    assert _copy(store) == b"new"


def test_needed_item_fences_nothing_yet(store: Store) -> None:
    """Beginning to follow an item that is needed does not stop an older reader; storing does."""
    _depend_on(store, _P)
    slow = _token(store)
    _begin(store)

    inserted = _plant(store, slow, b"old")

    assert inserted == b"old"


def test_new_value_is_stored_and_owed(store: Store) -> None:
    """A difference is kept with a debt to its dependants that lasts until it is settled."""
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


def test_equal_value_is_no_change_but_fences(store: Store) -> None:
    """Storing the same bytes owes nothing, yet an older reader can no longer store another value."""
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
    """A slow worker cannot bring back an old value, but is told that something is owed."""
    slow, quick = _begin(store).token, _token(store)
    _store(store, quick, b"new")

    late = _store(store, slow, b"old")

    assert late == StoreResult(changed=False, propagation_pending=True)
    assert _copy(store) == b"new"


def test_debt_is_settled_only_up_to_its_token(store: Store) -> None:
    """Who has propagated an older change does not settle a newer one."""
    first, second = _token(store), _token(store)
    _store(store, first, b"1")
    _store(store, second, b"2")

    store.copies.acknowledge({_P: first})
    after_first = _begin(store).propagation_pending
    store.copies.acknowledge({_P: second})

    assert after_first
    assert not _begin(store).propagation_pending


def test_settling_what_is_not_owed_does_nothing(store: Store) -> None:
    """Settling twice, or too early, is allowed."""
    store.copies.acknowledge({_P: 5})

    assert _begin(store) == UpdateTicket(1, is_needed=False, propagation_pending=False)


def test_planting_gives_the_copy_that_is_there(store: Store) -> None:
    """A build uses the copy that others use, not the one that it read itself."""
    slow, quick = _token(store), _token(store)
    first = _plant(store, quick, b"theirs")

    second = _plant(store, slow, b"ours")

    assert first == b"theirs"
    assert second == b"theirs"
    assert _copy(store) == b"theirs"


def test_planted_copy_fences_and_owes_nothing(store: Store) -> None:
    """Nobody has built without it, so nobody has to be told; a slow reader cannot store an older value."""
    slow, quick = _begin(store).token, _token(store)
    _plant(store, quick, b"new")

    late = _store(store, slow, b"old")

    assert late == StoreResult(changed=False, propagation_pending=False)
    assert _copy(store) == b"new"


def test_copy_that_was_missed_is_owed_when_planted(store: Store) -> None:
    """A schedule was built without the item, so its notification has something to propagate after all."""
    _depend_on(store, _P)
    store.copies.record_absence([_P])
    inserted = _plant(store, _token(store), b"1")

    begun = _begin(store)
    stored = _store(store, begun.token, b"1")
    store.copies.acknowledge({_P: begun.token})

    assert inserted == b"1"
    assert begun.propagation_pending
    assert stored == StoreResult(changed=False, propagation_pending=True)
    assert not _begin(store).propagation_pending


def test_debt_of_a_missed_copy_is_incurred_once(store: Store) -> None:
    """After it was planted or stored, the absence is history."""
    _depend_on(store, _P, _Q)
    store.copies.record_absence([_P, _Q])
    _plant(store, _token(store), b"1")
    _store(store, _token(store, _Q), b"1", _Q)

    store.copies.acknowledge({_P: 99, _Q: 99})
    begun = store.copies.begin([_P, _Q])

    assert not begun[_P].propagation_pending
    assert not begun[_Q].propagation_pending


def test_absence_is_noted_only_where_it_is_one(store: Store) -> None:
    """Where a copy has come meanwhile the build reads it, so nothing was missed."""
    _plant(store, _token(store), b"1")
    store.copies.record_absence([_P])

    begun = _begin(store)

    assert begun == UpdateTicket(2, is_needed=True, propagation_pending=False, copy=b"1")


def test_absence_is_forgotten_where_nobody_needs_the_item(store: Store) -> None:
    """Once no schedule depends on it, an event clears the note."""
    store.copies.record_absence([_P])
    _begin(store)

    _plant(store, _token(store), b"1")

    assert not _begin(store).propagation_pending


def test_read_gives_what_is_held(store: Store) -> None:
    """Items without a copy are left out; bytes come back as they were."""
    value = '["brand","Nüchtern \\n",null]'.encode() + bytes(range(32))
    _plant(store, _token(store), value)

    found = store.copies.read([_Q, _P])

    assert found == {_P: value}


def test_held_lists_every_copy(store: Store) -> None:
    """All pids with a copy are listed, those with only a fence are not."""
    _plant(store, _token(store, _P), b"1", _P)
    _plant(store, _token(store, _R), b"1", _R)
    _begin(store, _Q)

    held = {pid for batch in store.copies.stored_pids() for pid in batch}

    assert held == {_P, _R}


def test_fence_outlives_its_use_by_a_day(store: Store, pass_time: PassTime) -> None:
    """Within a day the tokens go on; after it nobody can still be about to store, so they begin anew."""
    _begin(store)
    pass_time(_A_DAY / 2)
    within = _begin(store).token
    pass_time(_A_DAY)

    after = _begin(store).token

    assert (within, after) == (2, 1)


def test_taken_token_is_good_for_a_day(store: Store, pass_time: PassTime) -> None:
    """A fence cannot expire between the token and the planting, which would outrank all tokens to come."""
    _begin(store)
    pass_time(_A_DAY - timedelta(seconds=1))
    token = _token(store)
    pass_time(timedelta(seconds=2))
    _plant(store, token, b"1")

    begun = _begin(store)
    stored = _store(store, begun.token, b"2")

    assert stored.changed


def test_debt_and_absence_do_not_expire(store: Store, pass_time: PassTime) -> None:
    """What is owed stays owed however long nobody comes, and so does an absence that a build relies on."""
    _depend_on(store, _P, _Q)
    _store(store, _begin(store).token, b"1")
    store.copies.record_absence([_Q])
    _begin(store, _Q)
    pass_time(3 * _A_DAY)

    _plant(store, _token(store, _Q), b"1", _Q)

    assert _begin(store, _P).propagation_pending
    assert _begin(store, _Q).propagation_pending


def test_fence_expires_after_its_debt_is_settled(store: Store, pass_time: PassTime) -> None:
    """A settled fence is like any other."""
    begun = _begin(store)
    _store(store, begun.token, b"1")
    store.copies.acknowledge({_P: begun.token})
    pass_time(_A_DAY)

    assert _begin(store).token == 1


def test_collecting_deletes_what_nothing_depends_on(store: Store) -> None:
    """A copy goes, and the note that one is missed; an item that something depends on is left alone."""
    _plant(store, _token(store), b"1")
    _plant(store, _token(store, _Q), b"2", _Q)
    _depend_on(store, _Q)
    store.copies.record_absence([_R])

    collected = store.copies.collect([_P, _Q, _R])

    assert collected == CollectionCounts(copies=1, absences=1)
    assert store.copies.read([_P, _Q]) == {_Q: b"2"}


def test_collecting_again_finds_nothing(store: Store) -> None:
    """What is gone is gone, and what was never there is no error."""
    _plant(store, _token(store), b"1")
    store.copies.collect([_P])

    assert store.copies.collect([_P, _Q]) == CollectionCounts(0, 0)
    assert store.copies.collect([]) == CollectionCounts(0, 0)


def test_what_is_owed_is_not_collected(store: Store) -> None:
    """Somebody is about to propagate this copy; it goes when that is done."""
    token = _token(store)
    _store(store, token, b"1")
    while_owed = store.copies.collect([_P])
    store.copies.acknowledge({_P: token})

    settled = store.copies.collect([_P])

    assert while_owed == CollectionCounts(0, 0)
    assert settled == CollectionCounts(1, 0)


def test_collected_item_is_not_brought_back_by_a_slow_reader(store: Store) -> None:
    """Who read the item before the copy's last change can neither store nor plant it when the copy is gone."""
    slow, quick = _token(store), _token(store)
    _store(store, quick, b"new")
    store.copies.acknowledge({_P: quick})
    store.copies.collect([_P])

    late, inserted = _store(store, slow, b"old"), _plant(store, slow, b"old")

    assert not late.changed
    assert inserted is None
    assert _copy(store) is None


def test_collected_item_keeps_its_tokens_for_a_day(store: Store, pass_time: PassTime) -> None:
    """Also where its absence was noted, which does not expire by itself."""
    _token(store)
    store.copies.record_absence([_P])
    store.copies.collect([_P])
    pass_time(_A_DAY / 2)
    within = _token(store)
    pass_time(_A_DAY)

    after = _token(store)

    assert (within, after) == (2, 1)


def test_collected_absence_owes_nothing(store: Store) -> None:
    """Nobody relied on it any more, so a copy that is planted later is no news to anybody."""
    store.copies.record_absence([_P])
    store.copies.collect([_P])

    _plant(store, _token(store), b"1")

    assert not _begin(store).propagation_pending


def test_fenced_lists_every_item_with_tokens(store: Store) -> None:
    """Items are listed whether or not there is a copy."""
    _plant(store, _token(store), b"1")
    _begin(store, _Q)
    store.copies.record_absence([_R])

    listed = {pid for pids in store.copies.tracked_pids() for pid in pids}

    assert listed == {_P, _Q, _R}


def test_what_was_read_before_is_outdated(store: Store) -> None:
    """Whoever has taken a token of an item stores and plants nothing with it once the item was outdated."""
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
    """A value that means the same as the stored copy replaces it, and nothing has to be propagated."""
    _plant(store, _token(store), b"old form")
    begun = _begin(store)

    stored = store.copies.store({_P: CopyUpdate(begun.token, b"new form", same_as=b"old form")})[_P]

    assert (begun.copy, _copy(store)) == (b"old form", b"new form")
    assert stored == StoreResult(changed=False, propagation_pending=False)


def test_restating_another_copy_is_a_change(store: Store) -> None:
    """Where the copy that means the same has been replaced since, the value is a change to be propagated."""
    _plant(store, _token(store), b"old form")
    begun = _begin(store)
    _store(store, begun.token - 1, b"other")
    latest = _begin(store)
    _store(store, latest.token, b"another")

    stored = store.copies.store({_P: CopyUpdate(latest.token + 1, b"new form", same_as=b"old form")})[_P]

    assert _copy(store) == b"new form"
    assert stored == StoreResult(changed=True, propagation_pending=True, previous=b"another")


def test_restating_needs_the_newest_token(store: Store) -> None:
    """A newer token that was recorded keeps an older one from restating the copy."""
    _plant(store, _token(store), b"old form")
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
