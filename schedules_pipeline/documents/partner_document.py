"""The published document: canonical bytes and hash, and the envelope that a publication puts around them.

The *content* is the join: what the source says of each slot, followed by what the catalogue says of its
programme. Each half is rendered once where it changes (:func:`render_slot` when a source document is
accepted, :func:`render_programme` when a batch resolves an episode), so that joining a schedule is putting
finished texts side by side (:func:`fill`), and hundreds of schedules that share programmes cost little more
than their bytes.

The content is canonical: compact UTF-8 JSON, keys in the order written here, instants as
``YYYY-MM-DDTHH:MM:SSZ``; so equal schedules have equal bytes and equal hashes. The *envelope* (``seq``,
``published_at``, ``etag``) is what publishing adds, and is not hashed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import add
from typing import Any

import orjson

from schedules_pipeline.documents.catalogue_document import REMEMBERED
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import Programme
from schedules_pipeline.domain.schedule import Broadcast
from schedules_pipeline.errors import InvalidRecord

_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
_ETAG_DIGITS = 32
_CONTENT_FOLLOWS = b',"broadcasts":'


def render_slot(broadcast: Broadcast) -> bytes:
    """The half of a broadcast that depends on the source document alone: members without their braces."""
    return _members(_slot(broadcast))


@lru_cache(maxsize=REMEMBERED)
def render_programme(programme: Programme) -> bytes:
    """The half of a broadcast that depends on the catalogue alone, to be put behind a slot. Remembered."""
    return b"," + _members(
        {
            "episode": _episode(programme),
            "series": _parent(programme.series),
            "brand": _parent(programme.brand),
            "title": programme.title,
            "subtitle": programme.subtitle,
        }
    )


def render_programmes(programmes: Mapping[Pid, Programme]) -> dict[Pid | None, bytes]:
    """The halves of all these, and of the slots that name no episode, to be filled in."""
    texts: dict[Pid | None, bytes] = {None: NO_PROGRAMME}
    texts.update({pid: render_programme(programme) for pid, programme in programmes.items()})
    return texts


def fill(slots: Sequence[bytes], programmes: Iterable[bytes]) -> bytes:
    """Join the halves: the ``broadcasts`` array of the document, one object for every slot there is."""
    if not slots:
        return b"[]"
    return b"[{" + b"},{".join(map(add, slots, programmes)) + b"}]"


def hash_content(content: bytes) -> str:
    """The etag of a content: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:_ETAG_DIGITS]


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing adds to a content."""

    seq: int
    published_at: datetime
    etag: str


def render_document(key: ScheduleKey, publication: Publication, content: bytes) -> bytes:
    """The published document: the envelope, with the content as its last member."""
    head = (
        f'{{"sid":"{key.sid}","date":"{key.date.isoformat()}","seq":{publication.seq},'
        f'"published_at":"{publication.published_at:%Y-%m-%dT%H:%M:%S.%fZ}","etag":"{publication.etag}"'
    )
    return b"".join((head.encode(), _CONTENT_FOLLOWS, content, b"}"))


def split_document(document: bytes) -> tuple[Publication, bytes]:
    """Take a published document apart again: its envelope, and the bytes of its content.

    Raises :class:`InvalidRecord` where the envelope is none of ours; the content is not looked into.
    """
    head, _, rest = document.partition(_CONTENT_FOLLOWS)
    try:
        envelope = orjson.loads(head + b"}")
        published_at = datetime.fromisoformat(envelope["published_at"])
        return Publication(envelope["seq"], published_at, envelope["etag"]), rest[:-1]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRecord(f"published document: {document[:60]!r} … is none of ours") from error


def _members(fields: dict[str, Any]) -> bytes:
    return orjson.dumps(fields, option=_FORMAT)[1:-1]


def _slot(b: Broadcast) -> dict[str, Any]:
    return {
        "broadcast_pid": str(b.broadcast_pid),
        "version_pid": str(b.version_pid or ""),
        "start": b.start,
        "end": b.end,
        "duration_seconds": int((b.end - b.start).total_seconds()),
        "is_repeat": b.is_repeat,
        "is_blanked": b.is_blanked,
        "is_signed": b.is_signed,
        "is_audio_described": b.is_audio_described,
        "episode_pid": str(b.episode_pid or ""),
    }


def _episode(programme: Programme) -> dict[str, Any] | None:
    if (item := programme.episode) is None:
        return None
    return {
        "pid": str(item.pid),
        "title": item.title,
        "synopses": item.synopses._asdict(),
        "image_pid": programme.image_pid,
        "warning_text": item.warning_text,
    }


def _parent(item: CatalogueItem | None) -> dict[str, Any] | None:
    return None if item is None else {"pid": str(item.pid), "title": item.title}


NO_PROGRAMME = b"," + _members({"episode": None, "series": None, "brand": None, "title": "", "subtitle": ""})
"""The programme half of a slot that names no episode."""
