"""One builder for each value: complete and valid, with the changes that a test gives."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Synopses
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import Episode, TitledItem
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.domain.schedule import Slot, in_order
from schedules_pipeline.publishing.ports.losses import Hold, HoldReason, LossKind

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 10))
EPISODE_PID, SERIES_PID, BRAND_PID = Pid("p0000001"), Pid("s0000001"), Pid("b0000001")
SERIES, BRAND = TitledItem(pid=SERIES_PID, title="Series 2"), TitledItem(pid=BRAND_PID, title="Quiet Viaduct")

UNKNOWN: dict[str, Any] = {"episode": None, "series": None, "brand": None, "title": "", "subtitle": ""}
"""The fields of a broadcast whose episode the catalogue lacks."""

BLANKED: dict[str, Any] = UNKNOWN | {"is_blanked": True, "episode_pid": None, "version_pid": None}
"""The fields of a broadcast that keeps its slot and shows no programme."""


def a_slot(number: int = 1, start: datetime = NOON, minutes: float = 30, **fields: Any) -> Slot:
    """A slot of an episode, not yet joined to its programme."""
    return Slot(**_slot_fields(number, start, minutes) | fields)


def a_broadcast(number: int = 1, start: datetime = NOON, minutes: float = 30, **fields: Any) -> Broadcast:
    """A broadcast of an episode of a series of a brand."""
    programme: dict[str, Any] = {
        "episode": an_episode(),
        "series": SERIES,
        "brand": BRAND,
        "title": "Quiet Viaduct",
        "subtitle": "Series 2: The Lantern",
    }
    return Broadcast(**_slot_fields(number, start, minutes) | programme | fields)


def an_episode(**fields: Any) -> Episode:
    """An episode with a short synopsis and an image."""
    proper: dict[str, Any] = {
        "pid": EPISODE_PID,
        "title": "The Lantern",
        "synopses": Synopses("A lamp.", "", ""),
        "image_pid": "p0000009",
        "warning_text": None,
    }
    return Episode(**proper | fields)


def an_item(pid: Pid = EPISODE_PID, kind: Kind = Kind.EPISODE, **fields: Any) -> CatalogueItem:
    """A catalogue item that has a title and nothing else."""
    return CatalogueItem(pid, kind, **{"title": "The Lantern"} | fields)


def a_schedule(broadcasts: Iterable[Broadcast] = (), seq: int = 1, **fields: Any) -> PublishedSchedule:
    """A published version; a greater number is published later."""
    proper: dict[str, Any] = {
        "key": KEY,
        "seq": seq,
        "published_at": NOON + timedelta(minutes=seq),
        "etag": f"e{seq}",
        "broadcasts": in_order(broadcasts),
    }
    return PublishedSchedule(**proper | fields)


def a_cause(**fields: Any) -> Cause:
    """A change of a brand's title."""
    proper: dict[str, Any] = {
        "event_id": "event-1",
        "origin": Origin.CATALOGUE,
        "subject": str(BRAND_PID),
        "notified_at": NOON,
        "changed": ("title",),
    }
    return Cause(**proper | fields)


def a_change(key: ScheduleKey = KEY, seq: int = 1, **fields: Any) -> Change:
    """A row of the change feed, of a version without known causes."""
    proper: dict[str, Any] = {
        "key": key,
        "seq": seq,
        "etag": f"e{seq}",
        "published_at": NOON,
        "broadcasts": 2,
        "content_bytes": 900,
        "source_changed": True,
        "build_milliseconds": 1.5,
        "causes": (),
        "cause_count": 0,
        "recorded_by": "",
    }
    return Change(**proper | fields)


def a_hold(key: ScheduleKey = KEY, **fields: Any) -> Hold:
    """A hold on a schedule whose document covers five hours less, since noon."""
    values: dict[str, Any] = {
        "id": str(key),
        "reason": HoldReason.SHRUNK,
        "kind": LossKind.SHRUNK,
        "digest": "abc",
        "put_id": "put 1",
        "lost_seconds": 18_000,
        "covered_seconds": 3_600,
        "held_at": NOON,
        "airs_at": NOON + timedelta(hours=18),
    }
    return Hold(**values | fields)


def as_release_0_1_0(pid: Pid, copy: bytes) -> bytes:
    """A copy in the form that release 0.1.0 gave it: a list, of the fields that it knew."""
    item = parse_copy(pid, copy)
    known = [item.kind, item.title, item.parent_pid, item.image_pid, *item.synopses.texts, item.warning_text]
    return orjson.dumps([None if value is None else str(value) for value in known])


def _slot_fields(number: int, start: datetime, minutes: float) -> dict[str, Any]:
    return {
        "broadcast_pid": Pid(f"w{number:07}"),
        "version_pid": Pid("v0000001"),
        "start": start,
        "end": start + timedelta(minutes=minutes),
        "duration_seconds": round(minutes * 60),
        "is_repeat": False,
        "is_blanked": False,
        "is_signed": False,
        "is_audio_described": False,
        "episode_pid": EPISODE_PID,
    }
