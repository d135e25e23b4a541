"""The table of a broadcast's fields, from its declaration."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Final, get_args, get_type_hints

from schedules_pipeline.domain.identifiers import OptionalPid
from schedules_pipeline.domain.published import Broadcast

_TYPES: Final = {str: "text", bool: "true or false", int: "number", datetime: "instant"}


def broadcast_table() -> Iterator[str]:
    """The fields in the order of every document; those of a nested object after it, with a dot."""
    yield "| field | type | |"
    yield "|---|---|---|"
    yield from _rows(Broadcast, "")


def _rows(declared: type[Any], prefix: str) -> Iterator[str]:
    hints, full = get_type_hints(declared), get_type_hints(declared, include_extras=True)
    for field in fields(declared):
        kinds = [
            kind for kind in get_args(hints[field.name]) or (hints[field.name],) if kind is not type(None)
        ]
        nested = next((kind for kind in kinds if is_dataclass(kind)), None)
        type_name = "object" if nested else _name(kinds[0])
        optional = " or null" if type(None) in get_args(hints[field.name]) else ""
        if full[field.name] == OptionalPid:
            optional = ' or `""`'
        yield f"| `{prefix}{field.name}` | {type_name}{optional} | {field.metadata.get('description', '')} |"
        if isinstance(nested, type):
            yield from _rows(nested, f"{prefix}{field.name}.")


def _name(kind: Any) -> str:
    if getattr(kind, "__name__", "") == "Pid":
        return "pid"
    base = getattr(kind, "__supertype__", kind)
    return _TYPES.get(base, getattr(kind, "__name__", "text").lower())
