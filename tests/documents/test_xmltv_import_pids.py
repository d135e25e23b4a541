"""The XMLTV import: which pid each broadcast and episode gets, and when a pid stays."""

import pytest
from documents.xmltv_imports import imported_from, pids_of, programme_element, tv_document

from schedules_pipeline.documents.xmltv_reader import Remark


def test_the_same_guide_gives_the_same_pids() -> None:
    """Another import, or another guide that says the same: nothing new is shown."""
    content = tv_document(programme_element(), programme_element("202603281300 +0000", "202603281400 +0000"))

    assert imported_from(content) == imported_from(content)
    assert len(set(pids_of(imported_from(content)))) == 2


def test_a_programme_that_moves_within_its_day_keeps_its_pid() -> None:
    """Partners see it move, and do not see it twice."""
    moved = programme_element("202603281215 +0000", "202603281245 +0000")

    assert pids_of(imported_from(tv_document(moved))) == pids_of(
        imported_from(tv_document(programme_element()))
    )


def test_a_guide_that_begins_a_day_later_gives_the_same_pids() -> None:
    """The pids of a day do not depend on the days before it."""
    tomorrow = programme_element("202603291200 +0000", "202603291230 +0000")

    both, later = (
        imported_from(tv_document(programme_element(), tomorrow)),
        imported_from(tv_document(tomorrow)),
    )

    assert pids_of(both)[1:] == pids_of(later)


def test_a_new_description_is_no_new_broadcast() -> None:
    """Of a programme that has only a title it is another episode, in the same broadcast."""
    first, second = (
        imported_from(tv_document(programme_element(inside=f"<title>News</title><desc>{text}</desc>")))
        for text in ("Early.", "Late.")
    )

    assert pids_of(first) == pids_of(second)
    assert pids_of(first, "episode_pid") != pids_of(second, "episode_pid")


def test_a_new_description_of_a_named_episode_changes_no_pid() -> None:
    """It is known by its title and sub-title."""
    inside = "<title>Salt</title><sub-title>Low Tide</sub-title><desc>{}</desc>"

    first, second = (
        imported_from(tv_document(programme_element(inside=inside.format(text))))
        for text in ("Early.", "Late.")
    )

    assert list(first.catalogue) == list(second.catalogue)


@pytest.mark.parametrize("system", ["xmltv_ns", "onscreen"])
def test_a_number_tells_episodes_apart(system: str) -> None:
    """Two series have an episode of the same name; they are of one brand."""
    inside = '<title>Salt</title><sub-title>Part 1</sub-title><episode-num system="{}">{}</episode-num>'
    later = programme_element("202603281300 +0000", "202603281330 +0000", inside.format(system, "1 . 0 ."))

    imported = imported_from(tv_document(programme_element(inside=inside.format(system, "0.0.")), later))

    types = [item["type"] for item in imported.catalogue.values()]
    assert (types.count("brand"), types.count("episode")) == (1, 2)


@pytest.mark.parametrize(
    "number", ['system="dd_progid">EP01234567.0012', 'system="x">crid://alder.example/12']
)
def test_a_number_of_all_the_world_is_the_episode(number: str) -> None:
    """A sub-title in another language keeps the episode, which is shown under the first title and counted."""
    inside = f"<title>Salt</title><sub-title>{{}}</sub-title><episode-num {number}</episode-num>"

    first, second = (
        imported_from(tv_document(programme_element(inside=inside.format(text))))
        for text in ("Low Tide", "Ebbe")
    )

    assert pids_of(first, "episode_pid") == pids_of(second, "episode_pid")


def test_one_number_under_two_titles_is_two_episodes() -> None:
    """Both are shown as the guide calls them."""
    inside = '<title>Salt</title><sub-title>{}</sub-title><episode-num system="dd_progid">EP1.2</episode-num>'
    shown = [
        programme_element(inside=inside.format("Low Tide")),
        programme_element("202603281300 +0000", "202603281400 +0000", inside.format("Ebbe")),
    ]

    imported = imported_from(tv_document(*shown))

    assert [imported.catalogue[pid]["title"] for pid in pids_of(imported, "episode_pid")] == [
        "Low Tide",
        "Ebbe",
    ]
    assert imported.remarks == {Remark.RETITLED: 1}
