"""Manifests of delivered files: what was written and removed between two places of the feed, or all there is; and the
pointer to the latest ones. JSON.

A manifest never changes: its name holds a part of its own hash. The pointer is the only file that does, besides the
schedules themselves.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import orjson

from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports.feed import place

POINTER = "latest.json"
_FORMAT = orjson.OPT_UTC_Z
_HASH_DIGITS = 8
_VERSIONS = {1: "that there is"}


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """``name`` is below the prefix; ``sha256`` is of the bytes as they lie there."""

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
    """``begin`` is None for a full one, which lists everything. ``cursor``: from which the feed goes on."""

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
    """Its name below the prefix, and its bytes."""
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


@dataclass(frozen=True, slots=True)
class ManifestLink:
    """``begin`` is "" for a full manifest."""

    name: str
    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """The newest full manifest and every update since, in order; together they lead to ``end``.

    ``services`` and ``formats`` are those that it was all written for.
    """

    epoch: str
    end: str
    cursor: str
    services: tuple[str, ...]
    formats: tuple[str, ...]
    full: ManifestLink
    made_at: datetime
    updates: tuple[ManifestLink, ...] = field(default=())

    def with_update(self, link: ManifestLink) -> tuple[ManifestLink, ...]:
        """The updates with another behind them; one that it covers gives way: it is of an earlier attempt."""
        kept = [known for known in self.updates if not _covers(link, known)]
        return (*kept, link)


def _covers(link: ManifestLink, other: ManifestLink) -> bool:
    return place(link.begin) <= place(other.begin) and place(other.end) <= place(link.end)


def render_pointer(pointer: Pointer) -> bytes:
    return orjson.dumps({"pointer": 1, **asdict(pointer)}, option=_FORMAT)


def parse_pointer(content: bytes) -> Pointer:
    """Raises :class:`InvalidRecord` where it is none of ours."""
    try:
        fields = orjson.loads(content)
        _VERSIONS[fields.pop("pointer")]
        fields["services"], fields["formats"] = tuple(fields["services"]), tuple(fields["formats"])
        fields["full"] = _link(fields["full"])
        fields["updates"] = tuple(_link(link) for link in fields["updates"])
        fields["made_at"] = datetime.fromisoformat(fields["made_at"])
        place(fields["end"])
        return Pointer(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRecord(f"pointer: {content[:60]!r} … is none of ours: {error!r:.200}") from error


def _link(fields: dict[str, str]) -> ManifestLink:
    if fields["begin"]:
        place(fields["begin"])
    place(fields["end"])
    return ManifestLink(**fields)
