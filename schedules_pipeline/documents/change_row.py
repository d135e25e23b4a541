"""Rows of the change feed, as JSON that begins with the sequence number, where the store's scripts look for it."""

from typing import Any

from schedules_pipeline.documents.cause import cause_from_list
from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.changes import Change


def _with_causes_by_name(fields: Any) -> dict[str, Any]:
    """Release 0.1.0 wrote each cause as a list."""
    return {**fields, "causes": [cause_from_list(cause) for cause in fields["causes"]]}


_ROW = Record(Change, "change row", [_with_causes_by_name])


def render_row(change: Change) -> bytes:
    return _ROW.render(change)


def parse_row(row: bytes) -> Change:
    """Raises :class:`InvalidRecord` if the row cannot be decoded."""
    return _ROW.parse(row)


def parse_row_if_sound(row: bytes) -> Change | None:
    """None if the row cannot be decoded."""
    return _ROW.parse_if_sound(row)
