"""Two versions of a schedule side by side."""

from dataclasses import replace
from datetime import timedelta

from builders import a_change
from delivery.asking import document_of
from delivery.guides import NOON, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.guide.versions import (
    Comparison,
    KeptVersions,
    Pair,
    compare_documents,
    mark_difference,
)
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.published import Broadcast

_HALF = timedelta(minutes=30)


def _compare(before: list[Broadcast], after: list[Broadcast]) -> Comparison:
    return compare_documents(document_of(schedule(key(), before)), document_of(schedule(key(), after, seq=2)))


def _pairs(comparison: Comparison) -> list[tuple[str, str]]:
    return [(pair.what, pair.either.broadcast_pid) for _, pairs in comparison.runs for pair in pairs]


def _single(comparison: Comparison, what: str) -> Pair:
    [pair] = [pair for _, pairs in comparison.runs for pair in pairs if pair.what == what]
    return pair


def test_broadcasts_are_paired_by_their_pid() -> None:
    """Added, removed, changed and equal, in order of time; equal ones in succession are one run."""
    one, two, three, four = (showing(n, NOON + n * _HALF) for n in range(4))

    comparison = _compare([one, two, three], [one, two, replace(three, is_signed=True), four])

    assert [is_equal for is_equal, _ in comparison.runs] == [True, False]
    assert [what for what, _ in _pairs(comparison)] == ["equal", "equal", "changed", "added"]
    assert [comparison.count(what) for what in ("changed", "added", "removed", "equal")] == [1, 1, 0, 2]
    removed = _compare([one, two], [two])
    assert [what for what, _ in _pairs(removed)] == ["removed", "equal"]


def test_a_changed_field_shows_both_values() -> None:
    """In pieces, of which those are marked that the other side lacks."""
    before = showing(1, NOON)
    assert before.episode is not None
    longer = replace(before.episode, synopses=Synopses("A bright lamp.", "", ""))

    pair = _single(_compare([before], [replace(before, episode=longer)]), "changed")

    [field] = pair.fields
    assert field.field == "episode.synopses.short"
    assert list(field.before) == [("A ", False), ("lamp.", False)]
    assert ("bright ", True) in field.after


def test_a_blanked_broadcast_names_the_item_that_it_lost() -> None:
    """By title and pid rather than by its JSON."""
    shown = showing(1, NOON)

    pair = _single(_compare([shown], [showing(1, NOON, episode_pid=None)]), "changed")

    values = {field.field: "".join(text for text, _ in field.before) for field in pair.fields}
    assert values["episode"] == "The Lantern (p0000001)"
    assert values["is_blanked"] == "no"


def test_a_removal_and_the_state_before_the_first_version_list_nothing() -> None:
    """So every broadcast is removed, or added."""
    document = document_of(schedule(key(), [showing(1, NOON)]))

    assert compare_documents(document, b"").count("removed") == 1
    assert compare_documents(b"", document).count("added") == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_are_the_text(before: str, after: str) -> None:
    """Nothing is lost or added, and what is not marked is the same on both sides."""
    one, other = mark_difference(before, after)

    assert "".join(text for text, _ in one) == before
    assert "".join(text for text, _ in other) == after
    kept = ["".join(text for text, differs in side if not differs) for side in (one, other)]
    assert kept[0] == kept[1]


def test_what_was_served_a_day_ago_is_found() -> None:
    """The latest version that was published by then."""
    ages = (1, 20, 30, 50)
    listed = [a_change(seq=9 - n, published_at=NOON - timedelta(hours=age)) for n, age in enumerate(ages)]

    found = KeptVersions(listed, 8, 9).a_day_before(NOON)

    assert found is not None
    assert found.seq == 7
    assert KeptVersions(listed[:2], 8, 9).a_day_before(NOON) is None
