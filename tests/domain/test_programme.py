"""The viewers' information about an episode: titles, series, brand, image, and the items read for them."""

from dataclasses import replace

import pytest
from builders import UNKNOWN, an_episode
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.catalogue import NO_SYNOPSES, CatalogueItem, Kind
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import Programme, TitledItem, join_programme, resolve_programme

_EPISODE, _FIRST, _SECOND, _THIRD = (Pid(f"b000000{number}") for number in range(4))
_CHAIN = (_EPISODE, _FIRST, _SECOND, _THIRD)


def _resolve(*items: CatalogueItem) -> Programme:
    return resolve_programme(_EPISODE, {item.pid: item for item in items}.get).programme


def _titled(*titles: str) -> list[CatalogueItem]:
    """A chain with these titles, innermost first."""
    return [
        CatalogueItem(pid, Kind.SERIES, title, parent)
        for pid, title, parent in zip(_CHAIN, titles, [*_CHAIN[1 : len(titles)], None], strict=False)
    ]


def _chain(*kinds: Kind) -> list[CatalogueItem]:
    """A chain of these kinds, innermost first."""
    return [
        CatalogueItem(pid, kind, parent_pid=parent)
        for pid, kind, parent in zip(_CHAIN, kinds, [*_CHAIN[1 : len(kinds)], None], strict=False)
    ]


@pytest.mark.parametrize(
    ("titles", "title", "subtitle"),
    [
        pytest.param(["Lanterns"], "Lanterns", "", id="alone"),
        pytest.param(["Lanterns", "Quiet Viaduct"], "Quiet Viaduct", "Lanterns", id="brand"),
        pytest.param(
            ["Lanterns", "Series 2", "Quiet Viaduct"],
            "Quiet Viaduct",
            "Series 2: Lanterns",
            id="series and brand",
        ),
        pytest.param(
            ["Lanterns", "Part 1", "Series 2", "Quiet Viaduct"],
            "Quiet Viaduct",
            "Series 2: Part 1: Lanterns",
            id="nested series",
        ),
        pytest.param([""], "", "", id="alone without a title"),
        pytest.param(["", ""], "", "", id="no title anywhere"),
        pytest.param(["", "Series 2", "Quiet Viaduct"], "Quiet Viaduct", "Series 2", id="untitled episode"),
        pytest.param(["Lanterns", "", "Quiet Viaduct"], "Quiet Viaduct", "Lanterns", id="untitled series"),
        pytest.param(["Lanterns", "Series 2", ""], "Series 2", "Lanterns", id="untitled brand"),
        pytest.param(["Lanterns", "", ""], "Lanterns", "", id="only the episode has a title"),
        pytest.param(["", "", "Quiet Viaduct"], "Quiet Viaduct", "", id="only the brand has a title"),
        pytest.param(["Echo", "Echo"], "Echo", "Echo", id="equal titles"),
    ],
)
def test_titles_are(titles: list[str], title: str, subtitle: str) -> None:
    """The outermost title is the title, and the others, outermost first, are the subtitle."""
    items = _titled(*titles)

    programme = _resolve(*items)

    assert (programme.title, programme.subtitle) == (title, subtitle)


@pytest.mark.parametrize(
    ("presentation_title", "subtitle"),
    [("", "Lanterns"), ("The one with the lanterns", "The one with the lanterns")],
)
def test_presentation_title_goes_before_the_title(presentation_title: str, subtitle: str) -> None:
    """An episode's presentation title is shown in place of its title, and both are given."""
    episode, brand = _titled("Lanterns", "Quiet Viaduct")

    programme = _resolve(replace(episode, presentation_title=presentation_title), brand)

    assert programme.subtitle == subtitle
    assert programme.episode
    assert (programme.episode.title, programme.episode.presentation_title) == ("Lanterns", presentation_title)


def test_position_is_that_of_the_episode_and_of_its_series() -> None:
    """The numbers within their parents are given of the episode and of the series, and of no brand."""
    episode, series, brand = _chain(Kind.EPISODE, Kind.SERIES, Kind.BRAND)

    programme = _resolve(replace(episode, position=3), replace(series, position=2), brand)

    found = [item and item.position for item in (programme.episode, programme.series, programme.brand)]
    assert found == [3, 2, None]


@given(
    st.lists(st.sampled_from(["", "Lanterns", "Series 2", "Quiet Viaduct", "a: b"]), min_size=1, max_size=4)
)
def test_titles_together_are_all_that_are_not_empty(titles: list[str]) -> None:
    """Title and subtitle joined are the chain's titles, outermost first, without the empty ones."""
    items = _titled(*titles)

    programme = _resolve(*items)

    together = ": ".join(filter(None, [programme.title, programme.subtitle]))
    assert together == ": ".join(filter(None, reversed(titles)))


@pytest.mark.parametrize(
    ("kinds", "series", "brand"),
    [
        pytest.param([Kind.EPISODE], None, None, id="alone"),
        pytest.param([Kind.EPISODE, Kind.BRAND], None, _FIRST, id="under a brand"),
        pytest.param([Kind.EPISODE, Kind.SERIES], _FIRST, None, id="series without a brand"),
        pytest.param([Kind.EPISODE, Kind.SERIES, Kind.BRAND], _FIRST, _SECOND, id="series and brand"),
        pytest.param(
            [Kind.EPISODE, Kind.SERIES, Kind.SERIES, Kind.BRAND], _FIRST, _THIRD, id="nested series"
        ),
        pytest.param([Kind.EPISODE, Kind.BRAND, Kind.BRAND], None, _SECOND, id="brand under a brand"),
        pytest.param([Kind.EPISODE, Kind.BRAND, Kind.SERIES], _SECOND, _FIRST, id="brand under a series"),
        pytest.param([Kind.EPISODE, Kind.EPISODE, Kind.BRAND], None, _SECOND, id="episode under an episode"),
        pytest.param([Kind.SERIES], None, None, id="a series shown as an episode"),
    ],
)
def test_series_is_the_nearest_and_brand_the_topmost(
    kinds: list[Kind], series: Pid | None, brand: Pid | None
) -> None:
    """The series is the nearest one above the episode, the brand the topmost, and either may be missing."""
    items = _chain(*kinds)

    programme = _resolve(*items)

    assert (programme.series and programme.series.pid, programme.brand and programme.brand.pid) == (
        series,
        brand,
    )


@pytest.mark.parametrize(
    ("images", "image"),
    [
        pytest.param(["p0000001", "p0000002", "p0000003"], "p0000001", id="its own"),
        pytest.param(["", "p0000002", "p0000003"], "p0000002", id="its parent's"),
        pytest.param(["", "", "p0000003"], "p0000003", id="its brand's"),
        pytest.param(["", "", ""], "", id="none"),
    ],
)
def test_image_is_inherited_from_the_nearest(images: list[str], image: str) -> None:
    """The image is the first that is not empty, from the episode upwards."""
    items = [replace(item, image_pid=pid) for item, pid in zip(_titled("", "", ""), images, strict=True)]

    programme = _resolve(*items)

    assert programme.episode
    assert programme.episode.image_pid == image


def test_programme_of_a_missing_parent_ends_below_it() -> None:
    """A missing parent gives no title, image, series or brand, and is named among the pids that were read."""
    episode = CatalogueItem(_EPISODE, Kind.EPISODE, "Lanterns", _FIRST)

    resolution = resolve_programme(_EPISODE, {_EPISODE: episode}.get)

    assert (resolution.items, resolution.reads, resolution.missing) == (
        (episode,),
        (_EPISODE, _FIRST),
        (_FIRST,),
    )
    assert resolution.programme == Programme(
        episode=an_episode(pid=_EPISODE, title="Lanterns", synopses=NO_SYNOPSES, image_pid=""),
        series=None,
        brand=None,
        title="Lanterns",
        subtitle="",
    )


def test_programme_of_an_unknown_episode_is_empty() -> None:
    """An episode that the catalogue lacks is read in vain, and its programme says nothing."""
    resolution = resolve_programme(_EPISODE, lambda _: None)

    assert (resolution.items, resolution.reads, resolution.missing) == ((), (_EPISODE,), (_EPISODE,))
    assert resolution.programme == Programme(**UNKNOWN) == join_programme(())


def test_programme_in_a_cycle_uses_each_item_once() -> None:
    """Each item of an ancestry that is a cycle counts once."""
    episode = CatalogueItem(_EPISODE, Kind.EPISODE, "Lanterns", _FIRST)
    series = CatalogueItem(_FIRST, Kind.SERIES, "Series 2", _EPISODE)

    resolution = resolve_programme(_EPISODE, {_EPISODE: episode, _FIRST: series}.get)

    assert (resolution.items, resolution.reads, resolution.missing) == (
        (episode, series),
        (_EPISODE, _FIRST),
        (),
    )
    assert (resolution.programme.title, resolution.programme.subtitle) == ("Series 2", "Lanterns")
    assert resolution.programme.series == TitledItem(pid=_FIRST, title="Series 2")


_items = st.builds(
    CatalogueItem,
    st.sampled_from(_CHAIN),
    st.sampled_from(Kind),
    st.sampled_from(["", "Lanterns", "Series 2"]),
    st.none() | st.sampled_from(_CHAIN),
    st.sampled_from(["", "p0000001"]),
    st.just(NO_SYNOPSES),
    st.none(),
)
_catalogues = st.dictionaries(st.sampled_from(_CHAIN), _items).map(
    lambda items: {pid: replace(item, pid=pid) for pid, item in items.items()}
)


@given(_catalogues, _catalogues)
def test_programme_depends_on_what_it_read_only(
    catalogue: dict[Pid, CatalogueItem], other: dict[Pid, CatalogueItem]
) -> None:
    """Any change of items that were not read leaves the programme as it is."""
    programme = resolve_programme(_EPISODE, catalogue.get)
    elsewhere = {pid: item for pid, item in other.items() if pid not in programme.reads}
    unchanged = {pid: item for pid, item in catalogue.items() if pid in programme.reads}

    again = resolve_programme(_EPISODE, (elsewhere | unchanged).get)

    assert again == programme
