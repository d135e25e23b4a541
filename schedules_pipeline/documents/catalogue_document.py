"""Catalogue documents: the catalogue pipeline's own, and the projection of them that is stored as a copy.

A copy holds only the fields that some output uses, so a change in any other field changes no copy and is thereby
ignored. Of a series or brand no output shows a synopsis or warning.
"""

import re
from dataclasses import fields
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schedules_pipeline.documents.record import Record
from schedules_pipeline.documents.validation import require_finite, summarise
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.visible import visible_or_empty
from schedules_pipeline.errors import InvalidDocument, InvalidIdentifier, InvalidRecord

REMEMBERED = 20_000
"""How many items and joined programmes a process remembers: some 30 MB."""

MAXIMUM_TITLE = 500
MAXIMUM_TEXT = 5_000
"""Characters of a title, and of a synopsis or warning: far above any real text. Every broadcast of hundreds of
schedules may show one item, so without a limit one text could make documents too large to store.
"""

_ABSENT_IS_EMPTY = BeforeValidator(lambda value: "" if value is None else value)
_Title = Annotated[str, Field(max_length=MAXIMUM_TITLE), _ABSENT_IS_EMPTY]
_Text = Annotated[str, Field(max_length=MAXIMUM_TEXT), _ABSENT_IS_EMPTY]


class _SynopsesModel(BaseModel):
    model_config = ConfigDict(extra="ignore")

    short: _Text = ""
    medium: _Text = ""
    long: _Text = ""


class _ItemModel(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pid: str
    type: Kind
    title: _Title = ""
    presentation_title: _Title = ""
    parent_pid: _Title = ""
    image_pid: _Title = ""
    synopses: _SynopsesModel | None = None
    warning_text: Annotated[str, Field(max_length=MAXIMUM_TEXT)] | None = None
    position: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None


def parse_catalogue_document(pid: Pid, content: bytes) -> CatalogueItem:
    """Read the document that the catalogue keyspace holds for ``pid``.

    Raises :class:`InvalidDocument` if it does not parse or validate, or is another item's.
    """
    try:
        require_finite(content)
        model = _ItemModel.model_validate_json(content)
        parent = Pid(model.parent_pid) if model.parent_pid else None
    except ValidationError as error:
        raise InvalidDocument(f"catalogue item {pid}: {summarise(error)}") from error
    except InvalidIdentifier as error:
        raise InvalidDocument(f"catalogue item {pid}: parent_pid: {error}") from error
    except ValueError as error:
        raise InvalidDocument(f"catalogue item {pid}: {error}") from None
    if model.pid != pid:
        raise InvalidDocument(f"catalogue item {pid}: the document says that it is {model.pid[:60]!r}")
    return _project(pid, parent, model)


def _project(pid: Pid, parent: Pid | None, model: _ItemModel) -> CatalogueItem:
    """Equal meanings become equal values: a text that shows nothing is empty, and an empty warning is none."""
    title = visible_or_empty(model.title)
    if model.type is not Kind.EPISODE:
        position = model.position if model.type is Kind.SERIES else None
        return CatalogueItem(pid, model.type, title, parent, model.image_pid, position=position)
    texts = model.synopses or _SynopsesModel()
    synopses = Synopses(*map(visible_or_empty, (texts.short, texts.medium, texts.long)))
    return CatalogueItem(
        pid=pid,
        kind=model.type,
        title=title,
        parent_pid=parent,
        image_pid=model.image_pid,
        synopses=synopses,
        warning_text=visible_or_empty(model.warning_text or "") or None,
        presentation_title=visible_or_empty(model.presentation_title),
        position=model.position,
    )


def _from_list(row: Any) -> dict[str, Any]:
    """Release 0.1.0 wrote a list of the values; :func:`parse_copy` puts the pid before them."""
    pid, kind, title, parent_pid, image_pid, short, medium, long, warning_text = row
    return {
        "pid": pid,
        "kind": kind,
        "title": title,
        "parent_pid": parent_pid,
        "image_pid": image_pid,
        "synopses": {"short": short, "medium": medium, "long": long},
        "warning_text": warning_text,
    }


_REVISIONS = 1
"""How often the same fields were given another meaning: texts that show nothing became empty (0.3)."""

PROJECTION = len(fields(CatalogueItem)) + len(fields(Synopses)) + _REVISIONS
"""The version of the projection. Fields and revisions are only ever added, so a greater number is a later one."""

_COPY = Record(CatalogueItem, "copy", [_from_list], omits_defaults=True)
_CURRENT = b'{"projection":%d,' % PROJECTION
_PROJECTION = re.compile(rb'\{"projection":([0-9]+),')


def render_copy(item: CatalogueItem) -> bytes:
    """The pipeline's copy of an item; equal items have equal bytes."""
    return _CURRENT + _COPY.render(item)[1:]


def is_outdated(copy: bytes) -> bool:
    """Whether older code made the copy, with fewer fields than copies have now."""
    return not copy.startswith(_CURRENT) and _projection(copy) < PROJECTION


def is_newer(copy: bytes) -> bool:
    """Whether newer code made the copy, with fields that this code does not know."""
    return not copy.startswith(_CURRENT) and _projection(copy) > PROJECTION


def _projection(copy: bytes) -> int:
    """0 for copies of release 0.1.0."""
    found = _PROJECTION.match(copy)
    return int(found[1]) if found else 0


@lru_cache(maxsize=REMEMBERED)
def parse_copy(pid: Pid, copy: bytes) -> CatalogueItem:
    """Read back what :func:`render_copy` of this or an older release wrote. Remembered: from one batch to the next
    most copies are the same.

    Raises :class:`InvalidRecord` if the copy cannot be decoded.
    """
    item = _COPY.parse(copy if copy[:1] != b"[" else b'["%s",' % pid.encode() + copy[1:])
    if item.pid != pid:
        raise InvalidRecord(f"copy of {pid}: cannot be decoded: it is that of {item.pid}")
    return item
