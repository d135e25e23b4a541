"""The entries of the back-reference index that a schedule needs."""

from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.catalogue import CatalogueItem, Kind
from schedules_pipeline.domain.dependencies import Entry, EpisodeMention, dependencies, find_ancestors
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import resolve_programme

_PIDS = [Pid(f"b000000{number}") for number in range(8)]
_LANTERNS, _BRIDGES, _SERIES, _BRAND = _PIDS[:4]
_SHOWING, _REPEAT, _OTHER = (Pid(f"p000000{number}") for number in range(3))


def test_ancestors_are_all_that_was_read_above_the_episodes() -> None:
    """The ancestors are the items read for each episode, without the episode itself, each once."""
    above = {_LANTERNS: (_SERIES, _BRAND), _BRIDGES: (_BRAND,)}

    ancestors = find_ancestors([_LANTERNS, _BRIDGES], above.__getitem__)

    assert ancestors == {_SERIES, _BRAND}


def test_ancestors_of_no_episode_are_none() -> None:
    """A schedule that shows no episode has no ancestors."""
    ancestors = find_ancestors([], lambda _: (_BRAND,))

    assert ancestors == frozenset()


def test_dependencies_are_one_for_each_showing_and_each_ancestor() -> None:
    """An episode shown twice has two entries; an ancestor has one, for any number of descendants."""
    shown = [
        EpisodeMention(_LANTERNS, _SHOWING),
        EpisodeMention(_LANTERNS, _REPEAT),
        EpisodeMention(_BRIDGES, _OTHER),
    ]

    entries = dependencies(shown, [_SERIES, _BRAND])

    assert entries == {
        Entry(_LANTERNS, _SHOWING),
        Entry(_LANTERNS, _REPEAT),
        Entry(_BRIDGES, _OTHER),
        Entry(_SERIES),
        Entry(_BRAND),
    }


def test_dependencies_keep_an_ancestor_that_is_shown_too() -> None:
    """A pid that is shown and is another episode's ancestor has an entry for each."""
    entries = dependencies([EpisodeMention(_SERIES, _SHOWING)], [_SERIES])

    assert entries == {Entry(_SERIES, _SHOWING), Entry(_SERIES)}


_parents = st.dictionaries(st.sampled_from(_PIDS), st.none() | st.sampled_from(_PIDS))
_mentions = st.lists(
    st.builds(EpisodeMention, st.sampled_from(_PIDS), st.sampled_from([_SHOWING, _REPEAT, _OTHER]))
)


@given(_parents, _mentions)
def test_dependencies_cover_every_pid_that_was_read(
    parents: dict[Pid, Pid | None], shown: list[EpisodeMention]
) -> None:
    """With any items missing from the catalogue, exactly the looked-up pids have an entry."""
    items = {pid: CatalogueItem(pid, Kind.SERIES, parent_pid=parent) for pid, parent in parents.items()}
    found = {pid: resolve_programme(pid, items.get) for pid in _PIDS}
    episodes = {mention.episode_pid for mention in shown}

    entries = dependencies(shown, find_ancestors(episodes, lambda pid: found[pid].ancestors))

    assert {entry.pid for entry in entries} == {pid for episode in episodes for pid in found[episode].reads}
