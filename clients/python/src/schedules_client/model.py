"""What a reader of the local copy gets: schedules, broadcasts, services and changes.

Fields that a later release of the service adds are in ``raw``. A missing optional field has its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self


def parse_instant(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Parent:
    """A series or a brand."""

    pid: str
    title: str
    position: int | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        return cls(fields.get("pid") or "", fields.get("title") or "", fields.get("position"), fields)


@dataclass(frozen=True, slots=True)
class Episode:
    """``synopses``: by length, ``short``, ``medium`` and ``long``. ``image_pid``: "" without an image."""

    pid: str
    title: str
    presentation_title: str
    synopses: Mapping[str, str]
    image_pid: str
    warning_text: str
    position: int | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        return cls(
            fields.get("pid") or "",
            fields.get("title") or "",
            fields.get("presentation_title") or "",
            fields.get("synopses") or {},
            fields.get("image_pid") or "",
            fields.get("warning_text") or "",
            fields.get("position"),
            fields,
        )


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One broadcast. ``start`` is included, ``end`` is not; both are in UTC.

    ``broadcast_pid`` stays the same when the broadcast moves. ``title`` is "" and ``episode``, ``series`` and ``brand``
    are None if the broadcast is blanked or its programme is not known.
    """

    broadcast_pid: str
    episode_pid: str
    version_pid: str
    start: datetime
    end: datetime
    title: str
    subtitle: str
    is_repeat: bool
    is_blanked: bool
    is_signed: bool
    is_audio_described: bool
    episode: Episode | None
    series: Parent | None
    brand: Parent | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        episode, series, brand = (fields.get(name) for name in ("episode", "series", "brand"))
        return cls(
            fields["broadcast_pid"],
            fields.get("episode_pid") or "",
            fields.get("version_pid") or "",
            parse_instant(fields["start"]),
            parse_instant(fields["end"]),
            fields.get("title") or "",
            fields.get("subtitle") or "",
            bool(fields.get("is_repeat")),
            bool(fields.get("is_blanked")),
            bool(fields.get("is_signed")),
            bool(fields.get("is_audio_described")),
            Episode.parse(episode) if episode else None,
            Parent.parse(series) if series else None,
            Parent.parse(brand) if brand else None,
            fields,
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """One service on one broadcast day, its broadcasts in order of start. ``raw`` is the whole document."""

    sid: str
    date: date
    seq: int
    etag: str
    published_at: datetime
    broadcasts: tuple[Broadcast, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            document["sid"],
            date.fromisoformat(document["date"]),
            document["seq"],
            document["etag"],
            parse_instant(document["published_at"]),
            tuple(Broadcast.parse(fields) for fields in document["broadcasts"]),
            document,
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A service that has schedules in the local copy. ``name``: the sid if the service does not tell the name."""

    sid: str
    name: str
    is_radio: bool
    first_date: date
    last_date: date
    schedules: int


@dataclass(frozen=True, slots=True)
class NowNext:
    """``now``: None in a gap; of two broadcasts that overlap, the one that began last."""

    service: Service
    now: Broadcast | None
    next: tuple[Broadcast, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One schedule of the local copy is new, has another version, or was removed.

    ``revision`` counts the changes of this local copy; pass the last one that you have processed to ``follow``.
    """

    sid: str
    date: date
    seq: int
    removed: bool
    revision: int
