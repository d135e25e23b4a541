"""Forgetting and invalidating the states of schedules, on fakes and Redis alike."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from builders import a_change

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome, ScheduleState

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")
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


def _tokens(store: Store, *keys: ScheduleKey) -> dict[ScheduleKey, int]:
    return {key: _state(store, key).committed_token for key in keys}


def _announce(store: Store, key: ScheduleKey = _A) -> None:
    store.schedules.confirm_announced({key: _state(store, key).seq})


def test_every_schedule_with_a_state_is_listed(store: Store) -> None:
    """Schedules that were only marked, or removed, are listed too."""
    store.schedules.count_source_change([_B])
    _publish(store, 1)
    _publish(store, 2, "")

    listed = {key for keys in store.schedules.stored_keys() for key in keys}

    assert listed == {_A, _B}


def test_removed_schedule_is_forgotten(store: Store) -> None:
    """Its state is empty afterwards."""
    _publish(store, 1)
    _publish(store, 2, "")
    _announce(store)

    gone = store.schedules.forget(_tokens(store, _A))

    assert gone == {_A}
    assert _state(store) == ScheduleState(_A)
    assert store.versions.versions(_A) == []
    assert [keys for keys in store.schedules.stored_keys() if keys] == []


def test_forgetting_the_unknown_is_allowed(store: Store) -> None:
    """A schedule that another collection has forgotten counts as forgotten."""
    store.schedules.forget({_A: 7})

    assert store.schedules.forget({}) == set()
    assert _state(store) == ScheduleState(_A)


def test_visible_schedule_is_not_forgotten(store: Store) -> None:
    """Partners see it, so its state stays."""
    _publish(store, 1)
    _announce(store)

    assert store.schedules.forget(_tokens(store, _A)) == set()
    assert store.schedules.documents([_A])


def test_schedule_with_an_unread_source_is_not_forgotten(store: Store) -> None:
    """Only its source mark says that there is a document to fetch."""
    _publish(store, 1, "")
    store.schedules.count_source_change([_A])

    assert store.schedules.forget(_tokens(store, _A)) == set()
    assert _state(store).must_fetch


def test_schedule_with_an_unannounced_row_is_not_forgotten(store: Store) -> None:
    """The feed may lack its removal."""
    _publish(store, 1)
    _publish(store, 2, "")

    assert store.schedules.forget(_tokens(store, _A)) == set()
    assert _state(store).seq == 2


def test_schedule_that_was_built_since_is_not_forgotten(store: Store) -> None:
    """Another build has committed after the state was read."""
    _publish(store, 1, "")
    tokens = _tokens(store, _A)
    _publish(store, 2, "")

    assert store.schedules.forget(tokens) == set()
    assert _state(store).committed_token == 2


def test_invalidated_schedule_publishes_equal_bytes_again(store: Store) -> None:
    """The next commit is a version with the next number, even if its bytes are equal."""
    _publish(store, 1)
    store.schedules.invalidate({_A: 0}, 2)

    again = _publish(store, 3)

    assert (again.outcome, again.seq) == (Outcome.PUBLISHED, 2)
    assert _publish(store, 4).outcome is Outcome.UNCHANGED


def test_invalidated_schedule_publishes_a_removal_again(store: Store) -> None:
    """The same holds for a schedule without a document."""
    _publish(store, 1)
    _publish(store, 2, "")
    store.schedules.invalidate({_A: 0}, 3)

    assert _publish(store, 4, "").outcome is Outcome.PUBLISHED


def test_invalidated_schedule_continues_above_the_given_number(store: Store) -> None:
    """If the state was lost, the feed has higher numbers."""
    _publish(store, 1)
    store.schedules.invalidate({_A: 7, _B: 4}, 2)

    assert _publish(store, 3).seq == 8
    assert _state(store, _B).seq == 4


def test_invalidation_supersedes_earlier_builds(store: Store) -> None:
    """A build that began earlier cannot commit, and one that has read the state builds again."""
    _publish(store, 1)
    before = _state(store)
    store.schedules.invalidate({_A: 0}, 5)

    earlier, later = (
        store.schedules.commit([_commit(4, before)]),
        store.schedules.commit([_commit(6, before)]),
    )

    assert earlier[0].outcome is Outcome.SUPERSEDED
    assert later[0].outcome is Outcome.MOVED


def test_invalidation_with_an_older_token_does_nothing(store: Store) -> None:
    """A newer claim has committed since."""
    _publish(store, 5)
    before = _state(store)

    store.schedules.invalidate({_A: 9}, 5)
    store.schedules.invalidate({}, 6)

    assert _state(store) == before


def test_invalidation_keeps_the_rest_of_the_state(store: Store) -> None:
    """Accepted source, dependencies and document stay, so that a death at this point does no harm."""
    _publish(store, 1, accepted=b"source", accepted_is_new=True, ancestors=frozenset({_SERIES}))
    document = store.schedules.documents([_A])

    store.schedules.invalidate({_A: 0}, 2)

    state = _state(store)
    assert (state.accepted, state.ancestors) == (b"source", frozenset({_SERIES}))
    assert store.schedules.documents([_A]) == document
