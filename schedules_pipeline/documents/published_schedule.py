"""Reads a published document back; :mod:`~schedules_pipeline.documents.partner_document` writes it."""

from datetime import datetime
from typing import Any

import orjson

from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.published import PublishedSchedule, Showing, ShownEpisode, TitledItem
from schedules_pipeline.errors import InvalidRecord


def parse_published(document: bytes) -> PublishedSchedule:
    """Raises :class:`InvalidRecord` where the document is none of ours."""
    try:
        fields = orjson.loads(document)
        return PublishedSchedule(
            ScheduleKey.parse(f"{fields['sid']}/{fields['date']}"),
            fields["seq"],
            datetime.fromisoformat(fields["published_at"]),
            fields["etag"],
            tuple(_showing(broadcast) for broadcast in fields["broadcasts"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRecord(
            f"published document: {document[:60]!r} … is none of ours: {error!r:.200}"
        ) from error


def _showing(fields: dict[str, Any]) -> Showing:
    return Showing(
        Pid(fields["broadcast_pid"]),
        _pid(fields["version_pid"]),
        datetime.fromisoformat(fields["start"]),
        datetime.fromisoformat(fields["end"]),
        fields["is_repeat"],
        fields["is_blanked"],
        fields["is_signed"],
        fields["is_audio_described"],
        _pid(fields["episode_pid"]),
        _episode(fields["episode"]),
        _titled(fields["series"]),
        _titled(fields["brand"]),
        fields["title"],
        fields["subtitle"],
    )


def _pid(text: str) -> Pid | None:
    return Pid(text) if text else None


def _episode(fields: dict[str, Any] | None) -> ShownEpisode | None:
    if fields is None:
        return None
    return ShownEpisode(
        Pid(fields["pid"]),
        fields["title"],
        Synopses(**fields["synopses"]),
        fields["image_pid"],
        fields["warning_text"],
    )


def _titled(fields: dict[str, Any] | None) -> TitledItem | None:
    return None if fields is None else TitledItem(Pid(fields["pid"]), fields["title"])
