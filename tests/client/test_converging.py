"""The core of the client library ends with the published state, whatever happens between any two of its steps."""

from client.model_service import KEYS, Disturbance, DisturbedShell, ModelService
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules_client.conversation import Conversation
from schedules_client.store import Store

_CHANGES = [Disturbance.PUBLISH, Disturbance.REMOVE, Disturbance.LAG]
_FAULTS = [kind for kind in Disturbance if kind not in _CHANGES]
_disturbances = st.lists(
    st.tuples(st.sampled_from([Disturbance.NOTHING, *_CHANGES, *_CHANGES, *_FAULTS]), st.integers(0, 60)),
    min_size=20,
    max_size=100,
)


def _shell(published: int, *disturbances: tuple[Disturbance, int]) -> DisturbedShell:
    service = ModelService()
    for number in range(published):
        service.publish(number)
    return DisturbedShell(service, Store(":memory:"), list(disturbances))


def _held(store: Store) -> dict[tuple[str, str], object]:
    return {(one["sid"], one["date"]): one for one in store.documents()}


@settings(max_examples=150)
@given(disturbances=_disturbances, published=st.integers(0, 12), streams=st.booleans())
def test_following_ends_equal(
    disturbances: list[tuple[Disturbance, int]], published: int, *, streams: bool
) -> None:
    """Changes, removals, losses of the feed, lags, cuts, errors, and deaths of the client at any step, within a
    transaction too: when nothing happens any more, the store is the published state.
    """
    shell = _shell(published, *disturbances)

    shell.follow(streams=streams)

    assert _held(shell.store) == shell.service.published


@settings(max_examples=150)
@given(disturbances=_disturbances, published=st.integers(0, 12))
def test_who_reads_the_changes_of_the_copy_misses_none(
    disturbances: list[tuple[Disturbance, int]], published: int
) -> None:
    """A reader that applies the changes after its last revision, in runs of any length, has the whole copy."""
    shell = _shell(published, *disturbances)
    copy: dict[tuple[str, str], object] = {}
    revision = 0
    for _ in range(3):
        shell.follow()
        for change in shell.store.changes(revision):
            key = change.sid, change.date.isoformat()
            copy[key] = shell.store.document(*key)
            revision = change.revision
        for number in range(4):
            shell.service.publish(revision + 7 * number)
            shell.service.remove(revision + 5 * number)
    shell.follow()
    for change in shell.store.changes(revision):
        key = change.sid, change.date.isoformat()
        copy[key] = shell.store.document(*key)

    assert {key: one for key, one in copy.items() if one is not None} == shell.service.published


def test_the_first_copy_is_fetched_by_days() -> None:
    """Ten schedules of two days are two requests."""
    shell = _shell(len(KEYS))

    shell.run(Conversation(shell.terms()).sync())

    assert [path.partition("?")[0] for path in shell.asked] == [
        "/v1/services",
        "/v1/digest",
        *["/v1/schedules"] * 2,
        "/v1/changes",
    ]
    assert _held(shell.store) == shell.service.published


def test_after_a_loss_of_the_cursor_only_what_differs_is_fetched() -> None:
    """Of ten schedules one differs when the feed was trimmed: the digest and one schedule are asked for."""
    shell = _shell(len(KEYS))
    shell.run(Conversation(shell.terms()).sync())
    shell.service.publish(3)
    shell.service.trim()
    shell.asked.clear()

    shell.run(Conversation(shell.terms()).sync())

    assert [path for path in shell.asked if "/schedules" in path] == [
        "/v1/schedules/drift/2026-03-28?min_seq=2"
    ]
    assert _held(shell.store) == shell.service.published


def test_a_version_that_is_held_is_not_fetched_again() -> None:
    """The feed repeats a row, and tells of a version that came with a later one."""
    shell = _shell(len(KEYS))
    shell.run(Conversation(shell.terms()).sync())
    shell.asked.clear()

    shell.run(Conversation(shell.terms()).sync())

    assert [path.partition("?")[0] for path in shell.asked] == ["/v1/changes"]


def test_several_versions_of_a_schedule_are_fetched_once() -> None:
    """Three versions in a page are one request, one change, and the latest version."""
    shell = _shell(len(KEYS))
    shell.run(Conversation(shell.terms()).sync())
    for _ in range(3):
        shell.service.publish(3)
    shell.asked.clear()
    shell.told.clear()

    shell.run(Conversation(shell.terms()).sync())

    assert sum("/schedules/" in path for path in shell.asked) == 1
    assert [(change.sid, change.seq) for change in shell.told] == [("drift", 4)]


def test_changes_are_told_after_they_are_stored() -> None:
    """At the moment of each change, the store has it already."""
    shell = _shell(len(KEYS))

    class Telling(list[object]):
        def extend(self, changes: object) -> None:
            for change in changes:  # type: ignore[attr-defined]
                assert shell.store.document(change.sid, change.date.isoformat())
                super().append(change)

    shell.told = Telling()
    shell.run(Conversation(shell.terms()).sync())

    assert len(shell.told) == len(KEYS)


def test_a_copy_of_another_key_begins_with_the_digest() -> None:
    """The cursor of one key says nothing about another's services: what both may see is not fetched again."""
    shell = _shell(len(KEYS))
    shell.run(Conversation(shell.terms()).sync())

    state = shell.store.load("another source")

    assert state.cursor == ""
    assert len(state.held) == len(KEYS)


def test_the_digest_is_read_once_a_day() -> None:
    """Services that were added to the key are in no change; they are found the next day."""
    shell = _shell(len(KEYS))
    shell.run(Conversation(shell.terms()).sync())
    # As it is when services are added to a key: published long ago, and no row of the feed.
    shell.service.publish(3)
    shell.service.feed.pop()
    before = shell.now

    shell.run(Conversation(shell.terms()).sync())
    unchanged = _held(shell.store) != shell.service.published
    shell.now = before + 90_000
    shell.run(Conversation(shell.terms()).sync())

    assert unchanged
    assert _held(shell.store) == shell.service.published
