"""Every field of a catalogue item is carried from the catalogue to partners; each failure names the forgotten step."""

import re
from dataclasses import fields, replace
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

import orjson
import pytest

from demo import old_system
from demo.sample import make_sample
from schedules_pipeline.documents.broadcasts import render_joined
from schedules_pipeline.documents.catalogue_document import parse_catalogue_document, parse_copy, render_copy
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid

_REFERENCE = Path(__file__).parents[2] / "docs/reference"
_PID = Pid("b0000001")
_BARE = CatalogueItem(_PID, Kind.EPISODE)
_FIELDS = [field.name for field in fields(CatalogueItem)]
_SHOWN = [name for name in _FIELDS if name not in ("pid", "kind", "parent_pid")]
_VALUES = MappingProxyType(
    {str: "a text", str | None: "a text", int | None: 7, Synopses: {"short": "a text"}}
)
"""A value that is not the default, by the type of the field, as the catalogue writes it."""


def _document(name: str) -> dict[str, Any]:
    """A catalogue document of an episode with one optional field."""
    kind = get_type_hints(CatalogueItem)[name]
    assert kind in _VALUES, f"add a value for fields of the type {kind} to _VALUES"
    return {"pid": _PID, "type": "episode", name: _VALUES[kind]}


def _item(name: str) -> CatalogueItem:
    return parse_catalogue_document(_PID, orjson.dumps(_document(name)))


def _old_system_shows(document: dict[str, Any]) -> Any:
    broadcast = {
        "broadcast_pid": "p0000001",
        "start": "2026-03-28T12:00:00Z",
        "end": "2026-03-28T13:00:00Z",
        "episode_pid": _PID,
    }
    source = {"sid": "alder", "date": "2026-03-28", "broadcasts": [broadcast]}
    return old_system.generate(source, lambda pid: document if pid == _PID else None)


@cache
def _supplied() -> frozenset[str]:
    """The names of the fields in the invented broadcaster's catalogue documents."""
    documents = make_sample(date(2026, 3, 28), days=1, clock_change_days=False).catalogue.values()
    return frozenset(name for document in documents for name, value in document.items() if value)


@pytest.mark.parametrize("name", _SHOWN)
def test_every_field_is_read_from_the_catalogue(name: str) -> None:
    """The catalogue's document gives the item another value than the default, and the copy keeps it."""
    item = _item(name)

    assert item != _BARE, (
        f"catalogue_document.py does not read {name!r}: declare it in _ItemModel, pass it on in _project"
    )
    assert parse_copy(_PID, render_copy(item)) == item


@pytest.mark.parametrize("name", _SHOWN)
def test_every_field_is_shown_to_partners(name: str) -> None:
    """An item with the field has other bytes in the partner document than an item without it."""
    item = replace(_BARE, **{name: getattr(_item(name), name)})

    assert render_joined((item,)) != render_joined((_BARE,)), (
        f"domain/programme.py does not show {name!r}: declare it in Episode, and fill it in _episode"
    )


@pytest.mark.parametrize("name", _SHOWN)
def test_every_field_is_in_the_demonstration(name: str) -> None:
    """The invented broadcaster supplies the field, and the old system shows it."""
    bare = {"pid": _PID, "type": "episode"}

    assert name in _supplied(), f"demo/sample.py supplies no {name!r}: add it in _describe"
    assert _old_system_shows(_document(name)) != _old_system_shows(bare), (
        f"demo/old_system.py does not show {name!r}: add it in _episode"
    )


@pytest.mark.parametrize("name", _SHOWN)
def test_every_field_is_documented(name: str) -> None:
    """The table of the catalogue document has its row, and the description of the copy names it."""
    table = (
        (_REFERENCE / "formats.md")
        .read_text()
        .partition("\n## Catalogue document\n")[2]
        .partition("\n## ")[0]
    )
    copy = re.search(r"^The copy is JSON: .*$", (_REFERENCE / "keys.md").read_text(), re.MULTILINE)

    assert f"| `{name}` |" in table, f"docs/reference/formats.md, Catalogue document: no row for {name!r}"
    assert copy
    assert f"`{name}`" in copy[0], f"docs/reference/keys.md: the members of the copy lack {name!r}"
