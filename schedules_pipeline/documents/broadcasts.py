"""Broadcasts as JSON, in the one form of every document and answer.

The dataclass :class:`~schedules_pipeline.domain.published.Broadcast` declares the fields and their order. A field
with a default is omitted where it has that default. The two halves of a broadcast, slot and programme, are rendered
apart as members without their braces, so that a build joins them as finished bytes.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from schedules_pipeline.documents.catalogue_document import REMEMBERED
from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.programme import Programme, join_programme
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.errors import InvalidRecord

SLOT_FIELDS = len(fields(Slot))
"""The version of rendered slots. Fields are only ever added, so a greater number is a later one."""

_SLOT, _PROGRAMME = TypeAdapter(Slot), TypeAdapter(Programme)
_BROADCAST = TypeAdapter(Broadcast)
_OF_PROGRAMME = [field.name for field in fields(Programme)]
_PROGRAMMES_REMEMBERED = 8_192
"""Some two kilobytes each."""

_NO_BROADCASTS, _LAST = b"[]", b"}]"
_BEGIN = b'{"broadcast_pid":'
_FIRST, _NEXT = b"[" + _BEGIN, b"}," + _BEGIN
_PROGRAMME_FOLLOWS = b',"episode":'
_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def render_slot(slot: Slot) -> bytes:
    """The half of a broadcast that depends on the source document alone."""
    return _SLOT.dump_json(slot, exclude_defaults=True)[1:-1]


def parse_slot(members: bytes) -> Slot:
    """Read back what :func:`render_slot` wrote. Raises ``ValueError`` if it cannot be decoded."""
    return _SLOT.validate_json(b"{" + members + b"}")


def render_programme(programme: Programme) -> bytes:
    """The half of a broadcast that depends on the catalogue alone, to be put behind a slot."""
    return b"," + _PROGRAMME.dump_json(programme, exclude_defaults=True)[1:-1]


@lru_cache(maxsize=REMEMBERED)
def render_joined(items: Sequence[CatalogueItem]) -> bytes:
    """:func:`render_programme` of an episode and its ancestors. Remembered."""
    return render_programme(join_programme(items))


def broadcast_fields(broadcast: Broadcast) -> dict[str, Any]:
    """The fields of a broadcast as JSON values."""
    found: dict[str, Any] = _BROADCAST.dump_python(broadcast, mode="json", exclude_defaults=True)
    return found


def airing_fields(airing: Airing) -> dict[str, Any]:
    """A broadcast with the service and the broadcast day whose schedule lists it."""
    return {
        "sid": airing.key.sid,
        "date": airing.key.date,
        "broadcast": broadcast_fields(airing.broadcast),
    }


def render_json(value: object) -> bytes:
    """Compact JSON in the canonical form of the documents: fields as they come, instants in whole seconds."""
    return orjson.dumps(value, option=_FORMAT)


def render_instant(instant: datetime) -> str:
    """An instant as the documents spell it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Halves(NamedTuple):
    """One broadcast of a document, split into the members of its two halves, undecoded.

    ``episode_pid`` is "" where the catalogue does not know the episode. Texts of ``start`` sort as instants do.
    """

    broadcast_pid: str
    start: str
    episode_pid: str
    slot: bytes
    programme: bytes


def parse_halves(slot: bytes, programme: bytes) -> Broadcast:
    """The broadcast of two halves that :func:`split_broadcasts` has split."""
    return _BROADCAST.validate_json(b"{" + slot + b"," + programme + b"}")


def read_broadcasts(content: bytes) -> tuple[Broadcast, ...]:
    """The broadcasts of a content in the canonical form. Programmes are remembered, since most are shown several times.

    Raises ValueError for anything else: some of it can be read as any other JSON. Where the text is split stand quotes
    that no string can hold, because there they are escaped.
    """
    if content == _NO_BROADCASTS:
        return ()
    if not content.startswith(_FIRST) or not content.endswith(_LAST):
        raise ValueError("not in the canonical form")
    return tuple(map(_read_broadcast, content[len(_FIRST) : -len(_LAST)].split(_NEXT)))


def _read_broadcast(members: bytes) -> Broadcast:
    slot_members, _, programme_members = members.partition(_PROGRAMME_FOLLOWS)
    slot = _SLOT.validate_json(_BEGIN + slot_members + b"}")
    broadcast = object.__new__(Broadcast)
    # Both halves are valid and have no member in common, so nothing is left for the class to do.
    object.__setattr__(broadcast, "__dict__", vars(slot) | vars(_read_programme(programme_members)))
    return broadcast


@lru_cache(_PROGRAMMES_REMEMBERED)
def _read_programme(members: bytes) -> Programme:
    return _PROGRAMME.validate_json(b'{"episode":' + members + b"}")


def split_broadcasts(document: bytes) -> list[Halves]:
    """Split the broadcasts of a published document, in a fifth of the time that reading them takes.

    Raises :class:`InvalidRecord` if the document cannot be decoded.
    """
    try:
        return [_halves(broadcast) for broadcast in orjson.loads(document)["broadcasts"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRecord(f"published document: {document[:60]!r} … cannot be decoded") from error


def _halves(broadcast: dict[str, Any]) -> Halves:
    programme = {name: broadcast.pop(name) for name in _OF_PROGRAMME if name in broadcast}
    return Halves(
        broadcast["broadcast_pid"],
        broadcast["start"],
        programme["episode"]["pid"] if programme["episode"] else "",
        orjson.dumps(broadcast)[1:-1],
        orjson.dumps(programme)[1:-1],
    )
