"""The old system's rules: one source document becomes one schedule."""

import ast
from pathlib import Path
from typing import Any

import pytest
from old_system_inputs import SOAP, catalogue_item, source_broadcast, source_document

from demo import old_system
from demo.old_system import Document, generate


def _generate_one(entry: Document, catalogue: dict[str, Document]) -> Document:
    (broadcast,) = generate(source_document(entry), catalogue.get)["broadcasts"]
    result: Document = broadcast
    return result


def test_broadcast_has_the_form_that_partners_know() -> None:
    """A broadcast carries every field of the partners' format, in its order, with its values."""
    details = {
        "synopses": {"short": "A ferry.", "medium": "A ferry is late.", "long": "Late."},
        "image_pid": "p00000m1",
        "warning_text": "Fog.",
    }
    catalogue = SOAP | {"p0000001": catalogue_item("episode", "A Late Ferry", "p0000002", **details)}

    broadcast = _generate_one(source_broadcast(), catalogue)

    assert list(broadcast.items()) == [
        ("broadcast_pid", "p00000b1"),
        ("version_pid", "p00000v1"),
        ("start", "2030-05-01T11:45:00Z"),
        ("end", "2030-05-01T12:15:00Z"),
        ("duration_seconds", 1800),
        ("is_repeat", True),
        ("is_blanked", False),
        ("is_signed", False),
        ("is_audio_described", True),
        ("episode_pid", "p0000001"),
        ("episode", {"pid": "p0000001", "title": "A Late Ferry", **details}),
        ("series", {"pid": "p0000002", "title": "Series 3"}),
        ("brand", {"pid": "p0000003", "title": "Estuary"}),
        ("title", "Estuary"),
        ("subtitle", "Series 3: A Late Ferry"),
    ]


@pytest.mark.parametrize(
    ("catalogue", "title", "subtitle"),
    [
        pytest.param({"p0000001": catalogue_item("episode", "Alone")}, "Alone", "", id="one-off"),
        pytest.param(
            {
                "p0000001": catalogue_item("episode", "Inner", "p0000002"),
                "p0000002": catalogue_item("brand", "Outer"),
            },
            "Outer",
            "Inner",
            id="under a brand",
        ),
        pytest.param(
            {
                "p0000001": catalogue_item("episode", "Inner", "p0000002"),
                "p0000002": catalogue_item("series", "Outer"),
            },
            "Outer",
            "Inner",
            id="series without brand",
        ),
        pytest.param(
            {
                "p0000001": catalogue_item("episode", "Part", "p0000002"),
                "p0000002": catalogue_item("series", "Week", "p0000003"),
                "p0000003": catalogue_item("series", "Year", "p0000004"),
                "p0000004": catalogue_item("brand", "Show"),
            },
            "Show",
            "Year: Week: Part",
            id="nested series",
        ),
        pytest.param(
            SOAP | {"p0000002": catalogue_item("series", "", "p0000003")}, "Estuary", "A Late Ferry", id="gap"
        ),
        pytest.param(
            SOAP | {"p0000003": catalogue_item("brand", "")}, "Series 3", "A Late Ferry", id="no outer title"
        ),
        pytest.param(
            SOAP | {"p0000001": catalogue_item("episode", "", "p0000002")},
            "Estuary",
            "Series 3",
            id="untitled",
        ),
        pytest.param({"p0000001": catalogue_item("episode", "")}, "", "", id="no title at all"),
        pytest.param({"p0000001": {}}, "", "", id="no fields at all"),
        pytest.param(
            {"p0000001": catalogue_item("episode", "Orphan", "p0000002")}, "Orphan", "", id="missing parent"
        ),
    ],
)
def test_titles_follow_the_chain(catalogue: dict[str, Document], title: str, subtitle: str) -> None:
    """The outermost title that is not empty is the title; the others, outermost first, are the subtitle."""
    broadcast = _generate_one(source_broadcast(), catalogue)

    assert (broadcast["title"], broadcast["subtitle"]) == (title, subtitle)


def test_series_is_the_nearest_and_brand_the_topmost() -> None:
    """Among several, the nearest series and the topmost brand are named."""
    catalogue = {
        "p0000001": catalogue_item("episode", "Part", "p0000002"),
        "p0000002": catalogue_item("series", "Near", "p0000003"),
        "p0000003": catalogue_item("series", "Far", "p0000004"),
        "p0000004": catalogue_item("brand", "Low", "p0000005"),
        "p0000005": catalogue_item("brand", "High"),
    }

    broadcast = _generate_one(source_broadcast(), catalogue)

    assert broadcast["series"] == {"pid": "p0000002", "title": "Near"}
    assert broadcast["brand"] == {"pid": "p0000005", "title": "High"}


def test_episode_alone_has_neither_series_nor_brand() -> None:
    """An episode without parents has null for series and brand."""
    broadcast = _generate_one(source_broadcast(), {"p0000001": catalogue_item("episode", "Alone")})

    assert (broadcast["series"], broadcast["brand"]) == (None, None)


@pytest.mark.parametrize(
    ("parents", "title", "subtitle"),
    [
        pytest.param({"p0000001": "p0000001"}, "One", "", id="itself"),
        pytest.param({"p0000001": "p0000002", "p0000002": "p0000001"}, "Two", "One", id="each other"),
        pytest.param(
            {"p0000001": "p0000002", "p0000002": "p0000003", "p0000003": "p0000002"},
            "Three",
            "Two: One",
            id="above the episode",
        ),
    ],
)
def test_cycle_of_parents_is_cut(parents: dict[str, str], title: str, subtitle: str) -> None:
    """A chain of parents ends before a pid that it has seen."""
    titles = {"p0000001": "One", "p0000002": "Two", "p0000003": "Three"}
    catalogue = {pid: catalogue_item("series", titles[pid], parent) for pid, parent in parents.items()}

    broadcast = _generate_one(source_broadcast(), catalogue)

    assert (broadcast["title"], broadcast["subtitle"]) == (title, subtitle)


def test_ninth_ancestor_is_not_read() -> None:
    """Eight ancestors count, and no document above them is read."""
    catalogue = {f"p000000{n}": catalogue_item("series", str(n), f"p000000{n + 1}") for n in range(10)}
    asked = []

    def read(pid: str) -> Document | None:
        asked.append(pid)
        return catalogue.get(pid)

    (broadcast,) = generate(source_document(source_broadcast("p0000000")), read)["broadcasts"]

    assert (broadcast["title"], broadcast["subtitle"]) == ("8", "7: 6: 5: 4: 3: 2: 1: 0")
    assert asked == [f"p000000{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("own", "series", "brand", "expected"),
    [
        pytest.param("p00000m1", "p00000m2", "p00000m3", "p00000m1", id="own"),
        pytest.param("", "p00000m2", "p00000m3", "p00000m2", id="nearest ancestor"),
        pytest.param(None, "", "p00000m3", "p00000m3", id="past an ancestor without"),
        pytest.param("", None, "", "", id="nowhere"),
    ],
)
def test_image_is_inherited_from_the_nearest(
    own: str | None, series: str | None, brand: str | None, expected: str
) -> None:
    """An episode without an image takes that of the nearest ancestor that has one, else none."""
    catalogue = {
        "p0000001": catalogue_item("episode", "Part", "p0000002", image_pid=own),
        "p0000002": catalogue_item("series", "Series", "p0000003", image_pid=series),
        "p0000003": catalogue_item("brand", "Brand", image_pid=brand),
    }

    broadcast = _generate_one(source_broadcast(), catalogue)

    assert broadcast["episode"]["image_pid"] == expected


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="absent"),
        pytest.param(
            dict.fromkeys(["title", "synopses", "image_pid", "warning_text", "parent_pid"]), id="null"
        ),
        pytest.param({"synopses": {"short": None}, "warning_text": None, "title": ""}, id="empty"),
    ],
)
def test_missing_fields_of_an_episode_are_empty(document: Document) -> None:
    """Fields that the catalogue leaves out, or has as null, are empty texts, and the warning is null."""
    broadcast = _generate_one(source_broadcast(), {"p0000001": document})

    assert broadcast["episode"] == {
        "pid": "p0000001",
        "title": "",
        "synopses": {"short": "", "medium": "", "long": ""},
        "image_pid": "",
        "warning_text": None,
    }


def test_unknown_episode_keeps_its_slot_and_pid() -> None:
    """A broadcast whose episode the catalogue lacks keeps its pids and times, and has no metadata."""
    broadcast = _generate_one(source_broadcast("p0000009"), SOAP)

    assert (broadcast["episode_pid"], broadcast["version_pid"]) == ("p0000009", "p00000v1")
    assert (broadcast["episode"], broadcast["series"], broadcast["brand"]) == (None, None, None)
    assert (broadcast["title"], broadcast["subtitle"]) == ("", "")
    assert (broadcast["start"], broadcast["duration_seconds"]) == ("2030-05-01T11:45:00Z", 1800)


def test_blanked_broadcast_keeps_its_slot_and_shows_nothing() -> None:
    """A blanked broadcast keeps its pid, times and flags, shows no programme and reads no catalogue."""

    def reject(pid: str) -> Document | None:
        raise AssertionError(f"{pid} was read")

    (broadcast,) = generate(source_document(source_broadcast(is_blanked=True)), reject)["broadcasts"]

    assert broadcast == {
        "broadcast_pid": "p00000b1",
        "version_pid": "",
        "start": "2030-05-01T11:45:00Z",
        "end": "2030-05-01T12:15:00Z",
        "duration_seconds": 1800,
        "is_repeat": True,
        "is_blanked": True,
        "is_signed": False,
        "is_audio_described": True,
        "episode_pid": "",
        "episode": None,
        "series": None,
        "brand": None,
        "title": "",
        "subtitle": "",
    }


def test_broadcasts_are_ordered_by_instant_then_pid() -> None:
    """Broadcasts come by the instant of their start, whatever offset it is written with, then by pid."""
    source = source_document(
        source_broadcast(broadcast_pid="p00000b3", start="2030-05-01T11:45:00Z"),
        source_broadcast(broadcast_pid="p00000b2", start="2030-05-01T12:45:00+01:00"),
        source_broadcast(broadcast_pid="p00000b4", start="2030-05-01T12:15:00+01:00"),
    )

    schedule = generate(source, SOAP.get)

    assert [(found["broadcast_pid"], found["start"]) for found in schedule["broadcasts"]] == [
        ("p00000b4", "2030-05-01T11:15:00Z"),
        ("p00000b2", "2030-05-01T11:45:00Z"),
        ("p00000b3", "2030-05-01T11:45:00Z"),
    ]


def test_empty_document_gives_an_empty_schedule() -> None:
    """A document without broadcasts is accepted."""
    schedule = generate(source_document(), SOAP.get)

    assert schedule == {"sid": "amber_one", "date": "2030-05-01", "broadcasts": []}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"broadcast_pid": "p00000b1"}, id="no times"),
        pytest.param(source_broadcast(start="soon"), id="no date"),
        pytest.param(source_broadcast(start="2030-05-01T11:45:00"), id="no offset"),
        pytest.param(source_broadcast(end=None), id="null"),
        pytest.param("p00000b1", id="no object"),
    ],
)
def test_document_of_another_form_is_an_error(entry: Any) -> None:
    """A document that is not a schedule raises one of the errors that the contract names."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        generate(source_document(entry), SOAP.get)


def test_old_system_shares_no_rule_with_the_package() -> None:
    """The module imports only the tether of its process."""
    tree = ast.parse(Path(old_system.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }

    assert {name for name in imported if name and name.startswith(("schedules_pipeline", "demo"))} == {
        "demo.tether"
    }
