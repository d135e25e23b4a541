"""The mirror of published schedules."""

from datetime import timedelta

from delivery.asking import document_of, held
from delivery.guides import ALDER, BIRCH, NOON, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.published import PublishedSchedule

_HOUR = timedelta(hours=1)


def _listed(seq: int = 1, days: int = 0, minutes: int = 0) -> PublishedSchedule:
    start = NOON + timedelta(minutes=minutes)
    return schedule(key(days=days), [showing(1, start)], seq, NOON + seq * _HOUR)


def _removed(seq: int, days: int = 0) -> MirroredSchedule:
    return held(_listed(seq, days), removed=True)


def _mirror(*everything: MirroredSchedule) -> Mirror:
    mirror = Mirror()
    mirror.replace(FeedCursor("a", "5-0"), everything, NOON)
    return mirror


def _document(mirror: Mirror) -> bytes | None:
    held = mirror.held(key())
    return held.document() if held else None


def test_nothing_is_known_before_the_store_was_read() -> None:
    """An empty mirror has no services and no time of confirmation."""
    mirror = Mirror()

    assert (mirror.services(), mirror.confirmed_at, mirror.held(key())) == ([], None, None)


def test_document_comes_out_as_it_went_in() -> None:
    """The mirror gives the published document byte for byte, and parses it."""
    listed = _listed()

    mirror = _mirror(held(listed))

    assert _document(mirror) == document_of(listed)
    assert mirror.extract([key()]).schedule(key()) == PublishedSchedule(
        listed.key, listed.seq, listed.published_at, held(listed).etag, listed.broadcasts
    )


def test_later_version_takes_the_place_of_the_earlier() -> None:
    """After an advance the newer version is held, and the end is the place of its row."""
    mirror = _mirror(held(_listed(1)))

    mirror.advance("6-0", [held(_listed(2, minutes=5))], NOON + _HOUR)

    assert _document(mirror) == document_of(_listed(2, minutes=5))
    assert mirror.cursor == FeedCursor("a", "6-0")
    assert mirror.confirmed_at == NOON + _HOUR


def test_older_version_is_passed_over() -> None:
    """A row that is read again takes nothing back, neither the version nor the place."""
    mirror = _mirror(held(_listed(3)))

    mirror.advance("4-0", [_removed(2)], NOON)

    assert _document(mirror) == document_of(_listed(3))
    assert mirror.cursor == FeedCursor("a", "5-0")


def test_schedule_whose_removal_was_forgotten_elsewhere_returns() -> None:
    """After the store has dropped a removal, numbers start again, and the new version is held."""
    mirror = _mirror(_removed(5))

    mirror.advance("6-0", [held(schedule(key(), [showing(1, NOON)], 1, NOON + 6 * _HOUR))], NOON)

    assert [mirror.services(), mirror.held(key()) is not None] == [[ALDER], True]


@given(st.permutations(range(1, 7)), st.sets(st.integers(1, 6)))
def test_order_of_arrival_does_not_count(order: list[int], removals: set[int]) -> None:
    """Versions in any order leave the one with the greatest number."""
    versions = {seq: _removed(seq) if seq in removals else held(_listed(seq)) for seq in order}
    mirror = _mirror()

    for seq in order:
        mirror.advance(f"{seq}-0", [versions[seq]], NOON)

    assert mirror.held(key()) is versions[6]


def test_services_without_a_change_stay_the_same_objects() -> None:
    """So what is derived from a service, such as its part of a digest, is valid until one of its schedules changes."""
    mirror = _mirror(held(_listed(1)), held(_listed(1, days=1)), held(schedule(key(BIRCH), [], 1)))
    alder, birch = mirror.of_service(ALDER), mirror.of_service(BIRCH)

    mirror.advance("6-0", [held(_listed(2))], NOON)
    mirror.forget_removals(NOON)

    assert mirror.of_service(BIRCH) is birch
    assert mirror.of_service(ALDER) is not alder
    assert alder[key().date].seq == 1


def test_removed_schedule_has_no_document() -> None:
    """A removal is known with its number, and there is nothing to read of it."""
    mirror = _mirror(held(_listed(1)))

    mirror.advance("6-0", [_removed(2)], NOON)

    removal = mirror.held(key())
    assert removal is not None
    assert (removal.is_removed, removal.seq, removal.document()) == (True, 2, None)
    assert (_document(mirror), mirror.extract([key()]).schedule(key()), mirror.services()) == (None, None, [])
    assert mirror.of_service(ALDER) == {key().date: removal}


def test_removals_are_forgotten_after_a_time() -> None:
    """A removal before the instant is forgotten, a later one and every published schedule stay; a service of which
    nothing is left is gone.
    """
    gone = held(schedule(key(BIRCH), [], 1, NOON), removed=True)
    mirror = _mirror(held(_listed(1)), _removed(2, days=1), _removed(3, days=2), gone)

    mirror.forget_removals(NOON + 3 * _HOUR)

    assert {each.key for each in mirror.everything()} == {key(), key(days=2)}
    assert mirror.of_service(BIRCH) == {}


def test_services_are_those_with_something_published() -> None:
    """Services are told in order, without those of which everything was removed."""
    removed = held(schedule(key(BIRCH), [], 2), removed=True)

    assert _mirror(held(_listed()), removed).services() == [ALDER]
    assert _mirror(held(schedule(key(BIRCH), [])), held(_listed())).services() == [ALDER, BIRCH]


def test_beginning_anew_forgets_what_was() -> None:
    """A keyspace that is another one takes the place of everything."""
    mirror = _mirror(held(_listed(9)))

    mirror.replace(FeedCursor("b", "1-0"), [held(_listed(1, days=1))], NOON)

    assert [each.key for each in mirror.everything()] == [key(days=1)]
    assert mirror.cursor == FeedCursor("b", "1-0")


def test_what_was_read_once_is_remembered() -> None:
    """A schedule is parsed once; another version of it is another."""
    mirror = _mirror(held(_listed(1)))
    first = mirror.extract([key()]).schedule(key())

    again = mirror.extract([key()]).schedule(key())
    mirror.advance("6-0", [held(_listed(2))], NOON)

    assert again is first
    assert mirror.extract([key()]).schedule(key()) != first
