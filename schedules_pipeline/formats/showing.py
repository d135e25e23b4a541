"""A showing as every answer spells it: exactly as the partner document does, field by field and byte by byte.

:mod:`~schedules_pipeline.formats.partner_document` writes the document itself, from halves that were rendered
before; here one showing is rendered that was read back from it.
"""

from typing import Any

import orjson

from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.published import Showing, ShownEpisode, Titled

_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def render_json(value: object) -> bytes:
    """Compact JSON in the canonical form of the documents: fields as they come, instants in whole seconds."""
    return orjson.dumps(value, option=_FORMAT)


def showing_fields(showing: Showing) -> dict[str, Any]:
    """All fields of a broadcast, in their order."""
    return slot_fields(showing) | programme_fields(showing)


def airing_fields(airing: Airing) -> dict[str, Any]:
    """A broadcast with the service and the broadcast day whose schedule lists it."""
    return {
        "sid": airing.key.sid,
        "date": airing.key.date,
        "broadcast": showing_fields(airing.showing),
    }


def slot_fields(showing: Showing) -> dict[str, Any]:
    """What the source says: pids, times and flags."""
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


def programme_fields(showing: Showing) -> dict[str, Any]:
    """What the catalogue says: the episode with its series and brand, and the titles."""
    return {
        "episode": _episode(showing.episode),
        "series": _titled(showing.series),
        "brand": _titled(showing.brand),
        "title": showing.title,
        "subtitle": showing.subtitle,
    }


def _episode(episode: ShownEpisode | None) -> dict[str, Any] | None:
    return None if episode is None else episode._asdict() | {"synopses": episode.synopses._asdict()}


def _titled(item: Titled | None) -> dict[str, Any] | None:
    return None if item is None else item._asdict()
