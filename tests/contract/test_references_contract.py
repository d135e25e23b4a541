"""The back-reference index, on fakes and Redis alike: it may hold an extra reference, and lacks none."""

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch_hd/2026-03-28")
_EPISODE, _SERIES, _OTHER = Pid("p0000001"), Pid("s0000001"), Pid("p0000002")
_FIRST, _SECOND = Pid("w0000001"), Pid("w0000002")


def test_unknown_pid_has_no_references(store: Store) -> None:
    """An unregistered pid has no dependants."""
    found = store.references.references([_EPISODE, _SERIES])

    assert found == {_EPISODE: [], _SERIES: []}


def test_empty_batches_are_allowed(store: Store) -> None:
    """Every method takes an empty batch."""
    store.references.register({}, 1)
    store.references.unregister({}, 1)

    assert store.references.references([]) == {}
    assert store.references.missing({}) == {}


def test_references_tell_schedule_and_broadcast(store: Store) -> None:
    """An episode is referred to by each broadcast that shows it, an ancestor by the schedule as a whole."""
    shown = [Entry(_EPISODE, _FIRST), Entry(_EPISODE, _SECOND), Entry(_SERIES)]
    store.references.register({_A: shown, _B: [Entry(_EPISODE, _FIRST)]}, 1)

    found = store.references.references([_SERIES, _EPISODE])

    assert found[_SERIES] == [Reference(_A)]
    assert sorted(found[_EPISODE], key=str) == [
        Reference(_A, _FIRST),
        Reference(_A, _SECOND),
        Reference(_B, _FIRST),
    ]


def test_unregistering_removes_only_the_named_entries(store: Store) -> None:
    """Other broadcasts of the episode, and the same pid as an ancestor, stay."""
    store.references.register({_A: [Entry(_EPISODE), Entry(_EPISODE, _FIRST), Entry(_EPISODE, _SECOND)]}, 1)

    store.references.unregister({_A: [Entry(_EPISODE, _FIRST)], _B: [Entry(_EPISODE, _SECOND)]}, 1)

    found = store.references.references([_EPISODE])[_EPISODE]
    assert set(found) == {Reference(_A), Reference(_A, _SECOND)}


def test_newer_registration_is_not_removed(store: Store) -> None:
    """A build removes entries that were registered up to its own token."""
    store.references.register({_A: [Entry(_SERIES)]}, 5)
    store.references.unregister({_A: [Entry(_SERIES)]}, 4)
    before = store.references.references([_SERIES])[_SERIES]

    store.references.unregister({_A: [Entry(_SERIES)]}, 5)

    assert before == [Reference(_A)]
    assert store.references.references([_SERIES])[_SERIES] == []


def test_score_is_never_lowered(store: Store) -> None:
    """A slow build that registers again with its old token does not make the entry removable."""
    store.references.register({_A: [Entry(_SERIES)]}, 9)
    store.references.register({_A: [Entry(_SERIES)]}, 3)

    store.references.unregister({_A: [Entry(_SERIES)]}, 8)

    assert store.references.references([_SERIES])[_SERIES] == [Reference(_A)]


def test_score_is_raised(store: Store) -> None:
    """Registering with a newer token protects the entry from older builds."""
    store.references.register({_A: [Entry(_SERIES)]}, 3)
    store.references.register({_A: [Entry(_SERIES)]}, 9)

    store.references.unregister({_A: [Entry(_SERIES)]}, 8)

    assert store.references.references([_SERIES])[_SERIES] == [Reference(_A)]


def test_missing_entries_are_found(store: Store) -> None:
    """Missing entries are listed by schedule; complete schedules are left out."""
    store.references.register({_A: [Entry(_EPISODE, _FIRST)], _B: [Entry(_SERIES)]}, 1)

    missing = store.references.missing(
        {
            _A: [Entry(_EPISODE, _FIRST), Entry(_EPISODE, _SECOND), Entry(_EPISODE)],
            _B: [Entry(_SERIES)],
        }
    )

    assert missing == {_A: [Entry(_EPISODE, _SECOND), Entry(_EPISODE)]}


def test_entries_of_different_pids_are_independent(store: Store) -> None:
    """Moving a broadcast from one episode to another adds one entry and removes another."""
    store.references.register({_A: [Entry(_EPISODE, _FIRST)]}, 1)
    store.references.register({_A: [Entry(_OTHER, _FIRST)]}, 2)

    store.references.unregister({_A: [Entry(_EPISODE, _FIRST)]}, 2)

    assert store.references.references([_EPISODE, _OTHER]) == {_EPISODE: [], _OTHER: [Reference(_A, _FIRST)]}


def test_unregistering_counts_what_it_removes(store: Store) -> None:
    """Entries that are not there, or were registered by a later build, do not count."""
    store.references.register({_A: [Entry(_EPISODE, _FIRST), Entry(_SERIES)]}, 5)
    store.references.register({_B: [Entry(_SERIES)]}, 6)

    removed = store.references.unregister(
        {_A: [Entry(_EPISODE, _FIRST), Entry(_SERIES), Entry(_OTHER)], _B: [Entry(_SERIES)]}, 5
    )

    assert removed == 2


def test_pids_with_dependants_are_listed(store: Store) -> None:
    """A pid is listed as long as a schedule depends on it."""
    store.references.register({_A: [Entry(_EPISODE, _FIRST), Entry(_SERIES), Entry(_OTHER)]}, 1)
    store.references.unregister({_A: [Entry(_SERIES)]}, 1)

    listed = {pid for pids in store.references.pids() for pid in pids}

    assert listed == {_EPISODE, _OTHER}
