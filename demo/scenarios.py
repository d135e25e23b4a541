"""The scenarios of the demonstration: an invented broadcaster, a recorded history, an imported guide.

A scenario holds the opening state of the upstream systems and the later changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from random import Random

import orjson

from demo.sample import Sample, make_sample
from demo.traffic import Change, Traffic
from schedules_pipeline.connections import utc_now
from schedules_pipeline.history.guides import describe, import_rules, read_guide
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
    paced,
    read_history,
)
from schedules_pipeline.settings import load_settings

_OPENING = timedelta(hours=1)
"""How much of a recorded history is loaded before the replay, so that the coldstart has schedules to build."""
_LONGEST_VARIABLE = 100_000
"""Characters. The system takes some 131,000; longer lists are left out, and names are derived from the sids."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The opening state upstream, and the changes, each with the seconds to wait before it.

    ``settings``: further variables of the pipeline's environment. ``introduction`` is printed before the first server
    starts, ``at_the_end`` after the last change.
    """

    opening: Sample
    changes: Iterator[tuple[float, Change]]
    settings: Mapping[str, str] = field(default_factory=dict)
    introduction: Sequence[str] = ()
    at_the_end: str = "That was the last change; versions are shown as they are published, until Ctrl-C."


def invented(now: datetime, changes_per_minute: float) -> Scenario:
    """Fourteen days of an invented broadcaster from the day before yesterday, and a change every few seconds."""
    first = now.date() - timedelta(days=2)
    sample = make_sample(first)
    traffic = Traffic(sample, Random(now.date().toordinal())).changes(utc_now)
    pauses = Random(1)
    changes = ((pauses.expovariate(changes_per_minute / 60), change) for change in traffic)
    first_date = min(day for _, day in sample.schedules)
    # The days on which the clocks change may be months ago.
    keep_all = {"SCHEDULES_RETENTION_DAYS": str((now.date() - first_date).days)}
    return Scenario(sample, changes, keep_all)


def recorded(path: Path, speed: float, now: datetime) -> Scenario:
    """A recorded history: its first hour is the opening, the rest is replayed ``speed`` times as fast."""
    events = read_history(path)
    first = next(events)
    opening = Sample({}, {})
    later: Iterator[HistoryEvent] = iter(())
    for event in chain([first], events):
        if event.at >= first.at + _OPENING:
            later = chain([event], events)
            break
        _put(opening, event)
    # A recording may be older than any retention horizon.
    keep_everything = {"SCHEDULES_RETENTION_DAYS": "0"}
    return Scenario(opening, _replay(later, speed, now), keep_everything)


def imported(path: Path, now: datetime) -> Scenario:
    """An XMLTV guide of any dates. All of it is the opening, and no changes follow."""
    guide = read_guide(path, import_rules(load_settings()), now)
    settings = {"SCHEDULES_RETENTION_DAYS": "0"}
    names = orjson.dumps(guide.names).decode()
    if len(names) < _LONGEST_VARIABLE:
        settings["SCHEDULES_SERVICE_NAMES"] = names
    return Scenario(
        Sample(guide.catalogue, guide.schedules),
        iter(()),
        settings,
        describe(guide),
        "An imported guide has no changes; it is shown until Ctrl-C.",
    )


def _put(sample: Sample, event: HistoryEvent) -> None:
    match event:
        case CatalogueUpdated(document=document, pid=pid):
            sample.catalogue[pid] = document
        case CatalogueDeleted(pid=pid):
            sample.catalogue.pop(pid, None)
        case SchedulePut(document=document, sid=sid, date=day):
            sample.schedules[sid, day] = document
        case ScheduleRemoved(sid=sid, date=day):
            sample.schedules.pop((sid, day), None)


def _replay(events: Iterator[HistoryEvent], speed: float, now: datetime) -> Iterator[tuple[float, Change]]:
    previous = now
    for due_at, event in paced(events, speed, now):
        yield (due_at - previous).total_seconds(), _change(event)
        previous = due_at


def _change(event: HistoryEvent) -> Change:
    when = f"recorded {event.at:%d %b %H:%M}"
    match event:
        case CatalogueUpdated(document=document, pid=pid, type=kind):
            return Change(f"{when}: {kind} {pid}", {pid: document})
        case CatalogueDeleted(pid=pid, type=kind):
            return Change(f"{when}: {kind} {pid} deleted", deleted={pid: kind})
        case SchedulePut(document=document, sid=sid, date=day):
            return Change(f"{when}: schedule {sid}/{day}", schedules={(sid, day): document})
        case ScheduleRemoved(sid=sid, date=day):
            return Change(f"{when}: schedule {sid}/{day} removed", schedules={(sid, day): None})
    raise TypeError(f"no such event: {event!r}")
