"""The published document: canonical bytes and hash, and the envelope that a publication puts around them.

The *content* is the join: for each broadcast the slot, rendered when a source document is accepted, followed by the
programme, rendered when a batch resolves an episode. Joining a schedule concatenates finished bytes, so hundreds of
schedules that share programmes cost little more than their bytes.

The content is canonical: compact UTF-8 JSON, keys in the order of their declaration, instants as
``YYYY-MM-DDTHH:MM:SSZ``. Equal schedules have equal bytes and equal hashes. The *envelope* (``seq``,
``published_at``, ``etag``) is what publishing adds, and is not hashed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson
from pydantic import TypeAdapter

from schedules_pipeline.documents.broadcasts import read_broadcasts, render_joined, render_programme
from schedules_pipeline.documents.validation import explain
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import Resolution, join_programme
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.errors import InvalidRecord

_ETAG_DIGITS = 32
_CONTENT_FOLLOWS = b',"broadcasts":'

NO_PROGRAMME = render_programme(join_programme(()))
"""The programme half of a slot that names no episode."""


def render_programmes(resolved: Mapping[Pid, Resolution]) -> dict[Pid | None, bytes]:
    """The programme halves of all these episodes, and of slots that name no episode."""
    texts: dict[Pid | None, bytes] = {None: NO_PROGRAMME}
    texts.update({pid: render_joined(resolution.items) for pid, resolution in resolved.items()})
    return texts


def fill(slots: Sequence[bytes], programmes: Iterable[bytes]) -> bytes:
    """Join the halves: the ``broadcasts`` array of the document, one object for every slot."""
    if not slots:
        return b"[]"
    parts = [b"},{"] * (3 * len(slots) + 1)
    parts[0], parts[-1] = b"[{", b"}]"
    parts[1::3] = slots
    parts[2::3] = programmes
    return b"".join(parts)


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
    """Split a published document into its envelope and the bytes of its content, which are not decoded.

    Raises :class:`InvalidRecord` if the envelope cannot be decoded.
    """
    head, _, rest = document.partition(_CONTENT_FOLLOWS)
    try:
        envelope = orjson.loads(head + b"}")
        published_at = datetime.fromisoformat(envelope["published_at"])
        return Publication(envelope["seq"], published_at, envelope["etag"]), rest[:-1]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRecord(f"published document: {document[:60]!r} … cannot be decoded") from error


@dataclass(frozen=True, slots=True)
class _Head:
    sid: Sid
    date: date
    seq: int
    published_at: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class _Document(_Head):
    broadcasts: tuple[Broadcast, ...]


_HEAD, _DOCUMENT = TypeAdapter(_Head), TypeAdapter(_Document)


def parse_published(document: bytes) -> PublishedSchedule:
    """Read a published document. Raises :class:`InvalidRecord` if it cannot be decoded."""
    head, _, rest = document.partition(_CONTENT_FOLLOWS)
    try:
        read = _HEAD.validate_json(head + b"}")
        return _schedule(read, read_broadcasts(rest[:-1]))
    except ValueError:
        return _parse_any(document)


def _parse_any(document: bytes) -> PublishedSchedule:
    """As :func:`parse_published`, of a document that need not be in the canonical form."""
    try:
        read = _DOCUMENT.validate_json(document)
    except ValueError as error:
        raise InvalidRecord(
            f"published document: {document[:60]!r} … cannot be decoded: {explain(error)}"
        ) from None
    return _schedule(read, read.broadcasts)


def _schedule(read: _Head, broadcasts: tuple[Broadcast, ...]) -> PublishedSchedule:
    key = ScheduleKey(read.sid, read.date)
    return PublishedSchedule(key, read.seq, read.published_at, read.etag, broadcasts)
