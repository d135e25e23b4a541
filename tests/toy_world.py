"""A broadcaster so small that everything collides: three schedules, and a handful of programmes.

Belongs here: its changes as values, how each is written to the sources and announced, how one is drawn, and a stage
with the real workflows over fakes.

No document here is invalid or shrunken unless its name says so: every other one has between two and four
broadcasts, so that each may replace each by the policy of these worlds, even if some are never read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Protocol

import orjson
from fakes import (
    TOY_LOSSES,
    Conditions,
    FakeClock,
    FakeStore,
    FakeUpstreams,
    fake_store,
    fake_upstreams,
    pipeline_over,
)

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.policy import LossPolicy

KEYS = tuple(map(ScheduleKey.parse, ("alder/2026-03-28", "alder/2026-03-29", "birch_radio/2026-03-28")))
EPISODES = tuple(map(Pid, ("p0000001", "p0000002", "p0000003")))
SERIES = tuple(map(Pid, ("s0000001", "s0000002")))
BRANDS = (Pid("b0000001"),)
PIDS = EPISODES + SERIES + BRANDS
BROADCASTS = tuple(Pid(f"w000000{number}") for number in range(1, 7))
TITLES = ("", "Harbour Lights", "Quiet Viaduct", "Salt and Slate")
FEWEST, MOST = 2, 4

_FIRST_BROADCAST = time(18, tzinfo=UTC)
"""Still to come when the clock of a world begins, at noon of the first day."""

_PUBLISHED_AT = "2026-03-27T10:00:00Z"


class Change(Protocol):
    """A change at the upstream: it is written, and some time later announced."""

    def write(self, upstreams: FakeUpstreams) -> None: ...

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None: ...


@dataclass(frozen=True, slots=True)
class _OfItem:
    pid: Pid

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        upstreams.catalogue_queue.post(self._notification("UPDATE"), delay)

    def _notification(self, action: str) -> str:
        return _text(
            {"action": action, "type": _kind(self.pid), "pid": self.pid, "seq": 1, "at": _PUBLISHED_AT}
        )


@dataclass(frozen=True, slots=True)
class ItemPut(_OfItem):
    """A catalogue item is new, or some field has changed; no output has ``unused``."""

    title: str = ""
    parent_pid: Pid | None = None
    image_pid: str = ""
    synopsis: str = ""
    unused: int = 0

    def write(self, upstreams: FakeUpstreams) -> None:
        document = {
            "pid": self.pid,
            "type": _kind(self.pid),
            "title": self.title,
            "parent_pid": self.parent_pid,
            "image_pid": self.image_pid,
            "synopses": {"short": self.synopsis},
            "revision": self.unused,
        }
        upstreams.catalogue_source.documents[self.pid] = orjson.dumps(document)


@dataclass(frozen=True, slots=True)
class ItemAnnouncedAgain(_OfItem):
    """A notification without a change."""

    def write(self, upstreams: FakeUpstreams) -> None:
        """The sources stay unchanged."""


@dataclass(frozen=True, slots=True)
class ItemDeleted(_OfItem):
    def write(self, upstreams: FakeUpstreams) -> None:
        upstreams.catalogue_source.documents.pop(self.pid, None)

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        upstreams.catalogue_queue.post(self._notification("DELETE"), delay)


@dataclass(frozen=True, slots=True)
class InvalidItemPut(_OfItem):
    def write(self, upstreams: FakeUpstreams) -> None:
        upstreams.catalogue_source.documents[self.pid] = b'{"type": "episode"}'


@dataclass(frozen=True, slots=True)
class Slot:
    """A broadcast; it is blanked if it shows no episode."""

    broadcast_pid: Pid
    episode_pid: Pid | None


@dataclass(frozen=True, slots=True)
class _OfSchedule:
    key: ScheduleKey

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        upstreams.schedule_queue.post(_s3_event("ObjectCreated:Put", self.key), delay)


@dataclass(frozen=True, slots=True)
class SchedulePut(_OfSchedule):
    """A source document; its broadcasts follow one another from some minutes into the day."""

    slots: tuple[Slot, ...]
    minutes: int = 0

    def write(self, upstreams: FakeUpstreams) -> None:
        upstreams.schedule_source.put(self.key, self.document())

    def document(self) -> bytes:
        """The bytes that the external system writes."""
        begin = datetime.combine(self.key.date, _FIRST_BROADCAST) + timedelta(minutes=self.minutes)
        broadcasts = [_broadcast(slot, begin + number * _SLOT) for number, slot in enumerate(self.slots)]
        head = {"sid": self.key.sid, "date": self.key.date, "published_at": _PUBLISHED_AT}
        return orjson.dumps({**head, "broadcasts": broadcasts})


@dataclass(frozen=True, slots=True)
class ShrunkenSchedulePut(SchedulePut):
    """Covers too little to replace another document, unless it is put again some minutes later."""


@dataclass(frozen=True, slots=True)
class UnusableBroadcastPut(SchedulePut):
    """It lists one more broadcast, which cannot be read."""

    def document(self) -> bytes:
        document = orjson.loads(SchedulePut.document(self))
        document["broadcasts"].append({"broadcast_pid": BROADCASTS[-1], "start": "late"})
        return orjson.dumps(document)


@dataclass(frozen=True, slots=True)
class InvalidSchedulePut(_OfSchedule):
    def write(self, upstreams: FakeUpstreams) -> None:
        upstreams.schedule_source.put(self.key, b'{"sid": "another"}')


@dataclass(frozen=True, slots=True)
class ScheduleRemoved(_OfSchedule):
    def write(self, upstreams: FakeUpstreams) -> None:
        upstreams.schedule_source.remove(self.key)

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        upstreams.schedule_queue.post(_s3_event("ObjectRemoved:Delete", self.key), delay)


@dataclass(frozen=True, slots=True)
class Unannounced:
    """A written change whose notification has not been sent."""

    change: Change

    def write(self, upstreams: FakeUpstreams) -> None:
        self.change.write(upstreams)

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        """The notification is not sent."""


@dataclass(frozen=True, slots=True)
class Late:
    """A change whose notification arrives some seconds after the others."""

    change: Change
    by: timedelta = timedelta(seconds=5)

    def write(self, upstreams: FakeUpstreams) -> None:
        self.change.write(upstreams)

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        self.change.announce(upstreams, delay + self.by)


@dataclass(frozen=True, slots=True)
class _Internal:
    """An event in the pipeline, not at the upstream."""

    def write(self, upstreams: FakeUpstreams) -> None:
        """The sources stay unchanged."""

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        """It has no notification."""


@dataclass(frozen=True, slots=True)
class CollectionDue(_Internal):
    """Garbage is to be collected."""


@dataclass(frozen=True, slots=True)
class HorizonMoves(_Internal):
    """Schedules before this date are past the horizon."""

    first_kept: date


@dataclass(frozen=True, slots=True)
class ReconcileDue(_Internal):
    """Everything is to be compared with its sources."""


@dataclass(frozen=True, slots=True)
class ColdstartDue(_Internal):
    """A coldstart is requested, with a purge of the queues."""


@dataclass(frozen=True, slots=True)
class CopiesAged(_Internal):
    """Every stored copy has the format of release 0.1.0."""


@dataclass(frozen=True, slots=True)
class StateLost(_Internal):
    """The store has lost the committed state of a schedule; its document is still there."""

    key: ScheduleKey


@dataclass(frozen=True, slots=True)
class Gibberish:
    """Messages without meaning."""

    def write(self, upstreams: FakeUpstreams) -> None:
        """The sources stay unchanged."""

    def announce(self, upstreams: FakeUpstreams, delay: timedelta = timedelta(0)) -> None:
        upstreams.schedule_queue.post("{", delay)
        upstreams.catalogue_queue.post("[]", delay)


@dataclass(frozen=True, slots=True)
class Focus:
    """What changes; the less there is, the more often changes collide."""

    keys: tuple[ScheduleKey, ...] = KEYS
    episodes: tuple[Pid, ...] = EPISODES
    containers: tuple[Pid, ...] = SERIES + BRANDS
    titles: tuple[str, ...] = TITLES
    images: tuple[str, ...] = ("", "p0image1")

    @property
    def pids(self) -> tuple[Pid, ...]:
        return self.episodes + self.containers


FOCI = (
    Focus(),
    Focus(titles=TITLES[:2], images=("",)),
    Focus(KEYS[:2], EPISODES[:1], SERIES, TITLES[:2], ("",)),
    Focus(KEYS[:2], EPISODES[:1], (), TITLES[:2], ("",)),
    Focus(KEYS[:1], EPISODES[:2], SERIES[:1], TITLES[:2], ("",)),
)


class RandomUpstream:
    """Draws changes. ``troubled``: also invalid, shrunken and deleted ones."""

    def __init__(self, random: Random, focus: Focus, *, troubled: bool) -> None:
        self._random = random
        self._focus = focus
        self._titles: dict[Pid, str] = {}
        self._kinds: list[Callable[[], Change]] = []
        self._kinds += [*[self.item] * 8, *[self.announced_again] * 2, *[self.schedule] * 4, self.removal]
        self._kinds += [self.trouble] * 8 if troubled else []

    def change(self) -> Change:
        return self._random.choice(self._kinds)()

    def item(self, pid: Pid | None = None) -> ItemPut:
        """Usually with a new title, because an equal value would hide errors."""
        r, focus = self._random, self._focus
        pid = pid or r.choice(focus.pids)
        others = [title for title in focus.titles if title != self._titles.get(pid)]
        title = self._titles[pid] = r.choice(others)
        parent = r.choice([None, *focus.containers])
        return ItemPut(pid, title, parent, r.choice(focus.images), unused=r.randrange(3))

    def schedule(self, key: ScheduleKey | None = None) -> SchedulePut:
        minutes = self._random.choice([0, 5, 90])
        return SchedulePut(key or self._key(), self._slots(FEWEST, MOST), minutes)

    def announced_again(self) -> ItemAnnouncedAgain:
        return ItemAnnouncedAgain(self._random.choice(self._focus.pids))

    def removal(self) -> ScheduleRemoved:
        return ScheduleRemoved(self._key())

    def trouble(self) -> Change:
        r = self._random
        pid = r.choice(self._focus.pids)
        shrunken = ShrunkenSchedulePut(self._key(), self._slots(0, 1))
        troubles: list[Change] = [
            shrunken,
            InvalidSchedulePut(self._key()),
            InvalidItemPut(pid),
            ItemDeleted(pid),
        ]
        return r.choice([*troubles, Gibberish()])

    def _key(self) -> ScheduleKey:
        return self._random.choice(self._focus.keys)

    def _slots(self, fewest: int, most: int) -> tuple[Slot, ...]:
        r = self._random
        broadcasts = r.sample(BROADCASTS, r.randint(fewest, most))
        return tuple(Slot(broadcast, r.choice([None, *self._focus.episodes])) for broadcast in broadcasts)


class World:
    """The real workflows over fakes, with one worker that does everything."""

    def __init__(
        self, seed: int = 0, conditions: Conditions | None = None, losses: LossPolicy = TOY_LOSSES
    ) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock, conditions)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(seed), conditions)
        self.pipeline: Pipeline = pipeline_over(
            self.store.as_store(), self.upstreams, self.clock, losses=losses
        )

    def happen(self, *changes: Change) -> None:
        for change in changes:
            change.write(self.upstreams)
            change.announce(self.upstreams)

    def settle(self) -> None:
        """Ingest and publish until nothing is pending."""
        for _ in range(1_000):
            ingested = ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0)
            ingested += ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
            self.pipeline.publisher.publish_all()
            if not ingested.received and self.store.work.backlog().is_empty:
                return
        raise AssertionError("work is still pending")

    def cause(self, origin: Origin = Origin.OPERATOR) -> Cause:
        return Cause("test", origin, "test", self.clock())


_SLOT = timedelta(minutes=30)


def _broadcast(slot: Slot, start: datetime) -> dict[str, Any]:
    return {
        "broadcast_pid": slot.broadcast_pid,
        "episode_pid": slot.episode_pid,
        "version_pid": None,
        "start": start,
        "end": start + _SLOT,
        "is_blanked": slot.episode_pid is None,
    }


def _kind(pid: Pid) -> str:
    return {"p": "episode", "s": "series", "b": "brand"}[pid[0]]


def _s3_event(name: str, key: ScheduleKey) -> str:
    record = {"eventName": name, "s3": {"object": {"key": object_key(key)}}}
    return _text({"TopicArn": "schedule-events", "Message": _text({"Records": [record]})})


def _text(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields, default=str).decode()
