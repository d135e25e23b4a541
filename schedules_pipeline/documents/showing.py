"""A showing as every answer spells it: exactly as the partner document does, field by field and byte by byte.

:mod:`~schedules_pipeline.documents.partner_document` writes the document itself, from halves that were rendered
before; here one showing is rendered that was read back from it.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.published import Showing, ShownEpisode, TitledItem
from schedules_pipeline.errors import InvalidRecord

_OF_PROGRAMME = ("episode", "series", "brand", "title", "subtitle")
_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def render_json(value: object) -> bytes:
    """Compact JSON in the canonical form of the documents: fields as they come, instants in whole seconds."""
    return orjson.dumps(value, option=_FORMAT)


def showing_fields(showing: Showing) -> dict[str, Any]:
    """All fields of a broadcast, in their order."""
    return _slot(showing) | _programme(showing)


def airing_fields(airing: Airing) -> dict[str, Any]:
    """A broadcast with the service and the broadcast day whose schedule lists it."""
    return {
        "sid": airing.key.sid,
        "date": airing.key.date,
        "broadcast": showing_fields(airing.showing),
    }


class Halves(NamedTuple):
    """One broadcast of a document, taken apart without being read: ``slot`` is what the source says, ``programme``
    what the catalogue says, both as members without their braces. ``episode_pid``: "" where there is no episode
    with titles. Texts of ``start`` compare as instants do.
    """

    broadcast_pid: str
    start: str
    episode_pid: str
    slot: bytes
    programme: bytes


def split_broadcasts(document: bytes) -> list[Halves]:
    """The broadcasts of a published document, for those who only put them together in another way: in a fifth of
    the time that it takes to read them. Raises :class:`InvalidRecord` where the document is none of ours.
    """
    try:
        return [_halves(broadcast) for broadcast in orjson.loads(document)["broadcasts"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRecord(f"published document: {document[:60]!r} … is none of ours") from error


def render_instant(instant: datetime) -> str:
    """As the documents spell it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _halves(broadcast: dict[str, Any]) -> Halves:
    programme = {name: broadcast.pop(name) for name in _OF_PROGRAMME}
    return Halves(
        broadcast["broadcast_pid"],
        broadcast["start"],
        programme["episode"]["pid"] if programme["episode"] else "",
        orjson.dumps(broadcast)[1:-1],
        orjson.dumps(programme)[1:-1],
    )


def _slot(showing: Showing) -> dict[str, Any]:
    return {
        "broadcast_pid": showing.broadcast_pid,
        "version_pid": showing.version_pid or "",
        "start": showing.start,
        "end": showing.end,
        "duration_seconds": int((showing.end - showing.start).total_seconds()),
        "is_repeat": showing.is_repeat,
        "is_blanked": showing.is_blanked,
        "is_signed": showing.is_signed,
        "is_audio_described": showing.is_audio_described,
        "episode_pid": showing.episode_pid or "",
    }


def _programme(showing: Showing) -> dict[str, Any]:
    return {
        "episode": _episode(showing.episode),
        "series": _titled(showing.series),
        "brand": _titled(showing.brand),
        "title": showing.title,
        "subtitle": showing.subtitle,
    }


def _episode(episode: ShownEpisode | None) -> dict[str, Any] | None:
    return None if episode is None else episode._asdict() | {"synopses": episode.synopses._asdict()}


def _titled(item: TitledItem | None) -> dict[str, Any] | None:
    return None if item is None else item._asdict()
