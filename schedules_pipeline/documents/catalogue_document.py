"""Catalogue documents: the catalogue pipeline's own, and the projection of them that we keep as our copy.

A copy holds only the fields that some output uses, so a change in any other field leaves the copy's
bytes as they are and is thereby ignored. Of a series or brand no synopsis or warning is ever shown.
"""

from functools import lru_cache
from typing import Annotated

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schedules_pipeline.documents.source_document import summarise
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidDocument, InvalidIdentifier, InvalidRecord

REMEMBERED = 20_000
"""How many items, and programmes made of them, a process remembers by their content: some 30 MB."""

MAXIMUM_TITLE = 500
MAXIMUM_TEXT = 5_000
"""Characters of a title, and of a synopsis or warning. Nothing real comes near. One item may be shown by every
broadcast of hundreds of schedules, so without a limit one text could make documents that no store takes.
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
    parent_pid: _Title = ""
    image_pid: _Title = ""
    synopses: _SynopsesModel | None = None
    warning_text: Annotated[str, Field(max_length=MAXIMUM_TEXT)] | None = None


def parse_catalogue_document(pid: Pid, content: bytes) -> CatalogueItem:
    """Read the document that the catalogue keyspace holds for ``pid``.

    Raises :class:`InvalidDocument` where it does not parse, validate, or is another item's.
    """
    try:
        model = _ItemModel.model_validate_json(content)
        parent = Pid(model.parent_pid) if model.parent_pid else None
    except ValidationError as error:
        raise InvalidDocument(f"catalogue item {pid}: {summarise(error)}") from error
    except InvalidIdentifier as error:
        raise InvalidDocument(f"catalogue item {pid}: parent_pid: {error}") from error
    if model.pid != pid:
        raise InvalidDocument(f"catalogue item {pid}: the document says that it is {model.pid[:60]!r}")
    return _project(pid, parent, model)


def _project(pid: Pid, parent: Pid | None, model: _ItemModel) -> CatalogueItem:
    if model.type is not Kind.EPISODE:
        return CatalogueItem(pid, model.type, model.title, parent, model.image_pid)
    texts = model.synopses or _SynopsesModel()
    synopses = Synopses(texts.short, texts.medium, texts.long)
    return CatalogueItem(pid, model.type, model.title, parent, model.image_pid, synopses, model.warning_text)


def render_copy(item: CatalogueItem) -> bytes:
    """Our copy of an item; equal items have equal bytes."""
    s = item.synopses
    row = [
        item.kind,
        item.title,
        item.parent_pid,
        item.image_pid,
        s.short,
        s.medium,
        s.long,
        item.warning_text,
    ]
    return orjson.dumps([None if value is None else str(value) for value in row])


@lru_cache(maxsize=REMEMBERED)
def parse_copy(pid: Pid, content: bytes) -> CatalogueItem:
    """Read back what :func:`render_copy` wrote. Remembered: from one batch to the next most copies are the same.

    Raises :class:`InvalidRecord` for anything else.
    """
    try:
        kind, title, parent_pid, image_pid, short, medium, long, warning_text = orjson.loads(content)
        # A TypeError, unless all are texts.
        "".join((kind, title, image_pid, short, medium, long, "" if warning_text is None else warning_text))
        kind = Kind(kind)
        parent_pid = None if parent_pid is None else Pid(parent_pid)
    except (ValueError, TypeError) as error:
        raise InvalidRecord(f"copy of {pid}: {content[:60]!r} is none of ours") from error
    return CatalogueItem(pid, kind, title, parent_pid, image_pid, Synopses(short, medium, long), warning_text)
