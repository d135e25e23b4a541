"""Exports schedules as a recorded history: their accepted sources, and the catalogue items that they use."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from schedules_pipeline.documents.accepted_schedule import parse_accepted, read_source
from schedules_pipeline.documents.broadcasts import render_instant
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.schedule import Slot, SourceSchedule
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut
from schedules_pipeline.publishing.ports import PublishingStore


def export_history(
    store: PublishingStore, keys: Sequence[ScheduleKey], now: datetime
) -> Iterator[HistoryEvent]:
    """The events that lead to the published content of these schedules, catalogue first, all at ``now``.

    Schedules without an accepted source, and missing items, are left out.
    """
    states = store.schedules.read(keys)
    held = {key: parse_accepted(s.accepted) for key, s in states.items() if s.accepted is not None}
    needed: set[Pid] = set().union(*[held[key].episodes() | states[key].ancestors for key in held])
    for pid, copy in sorted(store.copies.read(sorted(needed)).items()):
        item = parse_copy(pid, copy)
        yield CatalogueUpdated(now, _catalogue_document(item), item.kind.value, str(pid))
    for key, accepted in held.items():
        yield SchedulePut(now, _schedule_document(read_source(key, accepted)), str(key.sid), key.date)


def _catalogue_document(item: CatalogueItem) -> dict[str, Any]:
    return {"type" if name == "kind" else name: value for name, value in asdict(item).items()}


def _schedule_document(schedule: SourceSchedule) -> dict[str, Any]:
    return {
        "sid": str(schedule.key.sid),
        "date": schedule.key.date.isoformat(),
        "published_at": render_instant(schedule.published_at),
        "broadcasts": [_broadcast(slot) for slot in schedule.slots],
    }


def _broadcast(slot: Slot) -> dict[str, Any]:
    fields = {**vars(slot), "start": render_instant(slot.start), "end": render_instant(slot.end)}
    del fields["duration_seconds"]
    return fields
