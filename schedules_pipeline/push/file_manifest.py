"""Manifests of delivered files, and the pointer to the latest ones. JSON.

An update lists the files that were written and removed between two positions of the feed; a full manifest lists all
files. A manifest never changes: its name contains a part of its own hash. Only the pointer and the schedules' files are
replaced.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, TypeAdapter

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports.feed import place

POINTER = "latest.json"
_FORMAT = orjson.OPT_UTC_Z
_HASH_DIGITS = 8
_POINTER_VERSION = 1


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """``name`` is below the prefix; ``sha256`` is of the stored bytes."""

    format: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DeliveredSchedule:
    sid: str
    date: date
    seq: int
    etag: str
    published_at: datetime
    files: tuple[DeliveredFile, ...]


@dataclass(frozen=True, slots=True)
class RemovedSchedule:
    sid: str
    date: date
    seq: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """``begin`` is None in a full manifest. ``cursor``: where the change feed continues."""

    begin: str | None
    end: str
    cursor: str
    made_at: datetime
    schedules: Sequence[DeliveredSchedule]
    removed: Sequence[RemovedSchedule] = ()

    @property
    def kind(self) -> str:
        return "full" if self.begin is None else "update"


def render_manifest(manifest: Manifest) -> tuple[str, bytes]:
    """The manifest's name below the prefix, and its bytes."""
    fields = {
        "manifest": 1,
        "kind": manifest.kind,
        "from": manifest.begin,
        "to": manifest.end,
        "cursor": manifest.cursor,
        "made_at": manifest.made_at,
        "schedules": list(manifest.schedules),
        "removed": list(manifest.removed),
    }
    content = orjson.dumps(fields, option=_FORMAT)
    digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
    places = [part for part in (manifest.begin, manifest.end) if part is not None]
    return f"manifests/{manifest.kind}_{'_'.join(places)}_{digest}.json", content


def _position(text: str) -> str:
    place(text)
    return text


Position = Annotated[str, AfterValidator(_position)]


@dataclass(frozen=True, slots=True)
class ManifestLink:
    """``begin`` is "" for a full manifest."""

    name: str
    begin: Position | Literal[""]
    end: Position


@dataclass(frozen=True, slots=True)
class Pointer:
    """The newest full manifest and every update since, in order. Together they describe the state at ``end``.

    ``services`` and ``formats``: the partner's, when the files were written.
    """

    epoch: str
    end: Position
    cursor: str
    services: tuple[str, ...]
    formats: tuple[str, ...]
    full: ManifestLink
    made_at: datetime
    updates: tuple[ManifestLink, ...]

    def with_update(self, link: ManifestLink) -> "Pointer":
        """Append an update. It replaces those that it covers, which an earlier attempt wrote."""
        kept = [known for known in self.updates if not _covers(link, known)]
        return replace(self, updates=(*kept, link))


def _covers(link: ManifestLink, other: ManifestLink) -> bool:
    return place(link.begin) <= place(other.begin) and place(other.end) <= place(link.end)


_POINTER = TypeAdapter(Pointer)


def render_pointer(pointer: Pointer) -> bytes:
    return orjson.dumps({"pointer": _POINTER_VERSION, **asdict(pointer)}, option=_FORMAT)


def parse_pointer(content: bytes) -> Pointer:
    """Raises :class:`InvalidRecord` if the pointer cannot be decoded."""
    try:
        fields = orjson.loads(content)
        if fields["pointer"] == _POINTER_VERSION:
            return _POINTER.validate_json(content)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRecord(f"pointer: {content[:60]!r} … cannot be decoded: {error!r:.200}") from error
    raise InvalidRecord(f"pointer: version {fields['pointer']!r:.20} is unknown")
