"""A small guide under the real pipeline, and the faults and edits that tests inject into it."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis

from demo.replay.oracle.airtime import Airtime, clip, length, union
from demo.replay.oracle.days import BroadcastDays, Key
from demo.replay.oracle.guide import Content, read_edit
from demo.replay.oracle.losses import usable
from demo.replay.replaying import Replay
from demo.sample import Document, Sample, SourceKey, make_sample
from demo.servers import RedisServer
from demo.traffic import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.history.recorded import (
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
    render_line,
)

SERVICES = ("alder_two_north", "alder_news", "alder_radio_one")
FIRST_DAYS = (date(2026, 6, 1), date(2026, 3, 28), date(2026, 10, 24))
"""The broadcast days of the last two have 23 and 25 hours."""

DAYS = 3
CALENDAR = BroadcastDays(ZoneInfo("Europe/London"), ("*radio*",))


@cache
def small_guide(first_day: date) -> Sample:
    """Three days of some services, and the items that they use."""
    sample = make_sample(first_day, DAYS, clock_change_days=False)
    schedules = {key: document for key, document in sample.schedules.items() if key[0] in SERVICES}
    used = {slot["episode_pid"] for document in schedules.values() for slot in document["broadcasts"]}
    while more := {sample.catalogue[pid].get("parent_pid") for pid in used if pid in sample.catalogue}:
        if more - {None} <= used:
            break
        used |= more - {None}
    return Sample({pid: d for pid, d in sample.catalogue.items() if pid in used}, schedules)


class Stage:
    """The small guide in the pipeline, published, some minutes after 06:00 on the day before its first."""

    def __init__(self, server: RedisServer, first_day: date, minutes: int) -> None:
        opens = datetime.combine(first_day - timedelta(days=1), time(6), tzinfo=UTC)
        with Redis.from_url(server.url) as redis:
            # Only ever a server that this run started.
            redis.flushall()
        self.replay = Replay(server.url, "replay")
        self.guide = small_guide(first_day)
        self.sources = dict(self.guide.schedules)
        self.replay.wait_until(opens)
        items = [CatalogueUpdated(opens, d, d["type"], pid) for pid, d in self.guide.catalogue.items()]
        self.replay.account.apply(map(read_edit, map(render_line, items)))
        self.replay.world.write(items)
        self.put(self.sources)
        self.pass_time(minutes)

    @property
    def now(self) -> datetime:
        return self.replay.world.clock.now

    def put(self, documents: dict[SourceKey, Document]) -> None:
        """Put these documents at once."""
        self.sources |= documents
        self._step([SchedulePut(self.now, document, *key) for key, document in documents.items()])

    def change(self, change: Change) -> None:
        """Write what editors have changed."""
        items = [CatalogueUpdated(self.now, d, d["type"], pid) for pid, d in change.catalogue.items()]
        self._step(items)
        self.put({key: document for key, document in change.schedules.items() if document is not None})

    def remove(self, keys: Iterable[SourceKey]) -> None:
        self._step([ScheduleRemoved(self.now, *key) for key in keys])

    def announce_again(self, keys: Iterable[SourceKey]) -> None:
        """Deliver a notification of the current documents once more, as queues do."""
        self.replay.world.announce([SchedulePut(self.now, {}, *key) for key in keys])
        self._step([])

    def pass_time(self, minutes: float) -> None:
        self.replay.wait_until(self.now + timedelta(minutes=minutes))

    def shown(self, key: SourceKey) -> Content | None:
        """The broadcasts that partners have."""
        schedule = ScheduleKey.parse("/".join(name(key)))
        documents = self.replay.world.documents([schedule])
        return json.loads(documents[schedule])["broadcasts"] if schedule in documents else None

    def airtime_to_come(self, key: SourceKey) -> int:
        """Seconds of the broadcast day that partners have with a known programme, from now on."""
        return length(self._to_come(key, usable(self.shown(key))))

    def source_airtime_to_come(self, key: SourceKey, document: Document | None = None) -> int:
        """Seconds of the broadcast day that the source, or another document, covers from now on."""
        slots = (document or self.sources[key])["broadcasts"]
        covered = union((_seconds(slot["start"]), _seconds(slot["end"])) for slot in slots)
        return length(self._to_come(key, covered))

    def is_level(self) -> bool:
        """Whether partners have exactly what the source says, in every schedule, and always had or were held."""
        return not self.replay.finish().differing and not any(
            hold.until is None for hold in self.replay.account.holds.all
        )

    def _to_come(self, key: SourceKey, airtime: Airtime) -> Airtime:
        start, end = CALENDAR.span(name(key))
        return clip(airtime, max(start, int(self.now.timestamp())), end)

    def _step(self, events: Sequence[HistoryEvent]) -> None:
        lines = [render_line(event) for event in events]
        self.replay.step([read_edit(line) for line in lines], lines)


def name(key: SourceKey) -> Key:
    return key[0], key[1].isoformat()


# Faults: a document becomes another that has lost airtime to come


@dataclass(frozen=True, slots=True)
class Fault:
    """``name`` is for the report of a failing example."""

    name: str
    make: Callable[[Document, datetime], Document]

    def __repr__(self) -> str:
        return self.name


def wiped() -> Fault:
    return Fault("wiped", lambda document, _: document | {"broadcasts": []})


def shrunk_to(minutes: int) -> Fault:
    """One broadcast of so many minutes stays, the first that has not begun."""

    def make(document: Document, now: datetime) -> Document:
        slots = [slot for slot in document["broadcasts"] if _instant(slot["start"]) > now]
        return document | {"broadcasts": [_with_length(slots[0], minutes)]}

    return Fault(f"shrunk to {minutes} minutes", make)


def minute_long(count: int) -> Fault:
    """So many broadcasts stay, each of a minute."""
    return Fault(
        f"{count} broadcasts of a minute",
        lambda document, _: (
            document | {"broadcasts": [_with_length(slot, 1) for slot in document["broadcasts"][:count]]}
        ),
    )


def truncated(share: float) -> Fault:
    """Only this share of the time from now, or from the beginning, to the end of the day stays: the rest is cut off."""

    def make(document: Document, now: datetime) -> Document:
        slots = document["broadcasts"]
        day_ends = datetime.fromtimestamp(CALENDAR.span((document["sid"], document["date"]))[1], UTC)
        begins, ends = max(_instant(slots[0]["start"]), now), min(_instant(slots[-1]["end"]), day_ends)
        cut = (begins + share * (ends - begins)).replace(microsecond=0)
        kept = [slot for slot in slots if _instant(slot["start"]) < cut]
        kept[-1] = kept[-1] | {"end": f"{min(cut, _instant(kept[-1]['end'])):%Y-%m-%dT%H:%M:%SZ}"}
        return document | {"broadcasts": kept}

    return Fault(f"truncated to {share:.0%}", make)


def unknown_episodes(document: Document) -> Document:
    """Every broadcast shows an episode that the catalogue does not know."""
    slots = [slot | {"episode_pid": f"x{number:08}"} for number, slot in enumerate(document["broadcasts"])]
    return document | {"broadcasts": slots}


def blanked(document: Document, which: Sequence[int]) -> Document:
    """The broadcasts at these places are blanked."""
    slots = [
        slot | {"is_blanked": slot["is_blanked"] or place in which}
        for place, slot in enumerate(document["broadcasts"])
    ]
    return document | {"broadcasts": slots}


def _with_length(slot: dict[str, Any], minutes: int) -> dict[str, Any]:
    end = _instant(slot["start"]) + timedelta(minutes=minutes)
    return slot | {"end": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(text: str) -> int:
    return int(_instant(text).timestamp())
