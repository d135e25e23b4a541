"""Leads the pipeline and the oracle through a history in step, batch by batch."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from demo.replay.oracle.account import Account, Difference
from demo.replay.oracle.days import BroadcastDays, Key
from demo.replay.oracle.guide import Edit, read_edit
from demo.replay.oracle.on_air import Seam
from demo.replay.world import World, settings_for
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.history.recorded import parse_line
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.settings import Settings

BATCH = 10
_TICK = timedelta(minutes=30)
"""How often the publisher runs while the source says nothing: holds may end by time alone."""

Progress = Callable[[int, datetime], None]


class Stopwatch:
    """Adds up the time of its blocks, by the clock and on a processor; other load hardly changes the latter."""

    def __init__(self) -> None:
        self.seconds = self.processor_seconds = 0.0

    def __enter__(self) -> None:
        self.seconds -= time.perf_counter()
        self.processor_seconds -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.processor_seconds += time.process_time()


@dataclass(frozen=True, slots=True)
class Replayed:
    """``time``: of the pipeline and its sources, without the oracle. ``versions``: published. ``differing``: at the
    end; the account has the differences on the way too.
    """

    events: int
    time: "Stopwatch"
    rebuilt: int
    versions: int
    differing: Sequence[Difference]
    account: Account


class Replay:
    """A replay into an empty keyspace. ``progress`` is called after each batch with the number of events so far."""

    def __init__(self, redis_url: str, keyspace: str, progress: Progress = lambda *_: None) -> None:
        settings = settings_for(redis_url, keyspace)
        self.world = World(redis_url, settings)
        self.account = Account(_days(settings))
        self._progress = progress
        self._events = self._rebuilt = self._versions = 0
        self._time = Stopwatch()

    def run(self, lines: Iterable[bytes], batch: int = BATCH) -> Replayed:
        """Replay all lines, in batches of events of one instant, and compare every document at the end."""
        read = ((read_edit(line), line) for line in lines)
        for at, group in groupby(read, key=lambda pair: pair[0].at):
            self.wait_until(at)
            pending = list(group)
            for start in range(0, len(pending), batch):
                edits, contents = zip(*pending[start : start + batch], strict=True)
                self.step(edits, contents)
                self._progress(self._events, at)
        return self.finish()

    def finish(self) -> Replayed:
        keys = [*self.world.pipeline.store.feed.heads()]
        differing = self.account.differing_at_the_end(_by_name(self.world.documents(keys)))
        return Replayed(self._events, self._time, self._rebuilt, self._versions, differing, self.account)

    def step(self, edits: Sequence[Edit], lines: Sequence[bytes]) -> None:
        """Let these events happen now, and compare what they may have changed. The oracle reads ``edits``."""
        events = [parse_line("history", number, line) for number, line in enumerate(lines, start=1)]
        self._events += len(lines)
        affected = self.account.apply(edits)
        with self._time:
            self.world.happen(events)
        self._settle(affected)

    def _settle(self, affected: Iterable[Key]) -> None:
        with self._time:
            published = self.world.settle()
        self._rebuilt += len(published.rebuilt)
        self._versions += published.versions
        touched = {_name(key) for key in published.rebuilt}.union(affected)
        if touched:
            documents = self.world.documents([ScheduleKey.parse("/".join(name)) for name in sorted(touched)])
            self.account.settle(sorted(touched), _by_name(documents))

    def wait_until(self, at: datetime) -> None:
        """Let the time pass, in ticks at which the publisher runs."""
        if not self._events:
            self.world.clock.now = at
        while (now := self.world.clock.now) < at:
            self.world.clock.now = min(at, now + _TICK)
            for seam in self.account.pass_time(int(self.world.clock.now.timestamp())):
                seam.is_reported = self._is_reported(seam)
            self._settle(())
        self.account.pass_time(int(at.timestamp()))

    def _is_reported(self, seam: Seam) -> bool:
        """Whether a check of one of the two days names the broadcast at which the gap or overlap ends."""
        keys = [ScheduleKey.parse("/".join(key)) for key in set(seam.keys)]
        return any(
            seam.next_start in str(result.facts)
            for results in self.world.pipeline.checker.check(keys).values()
            for result in results
            if result.name is CheckName.NO_GAPS_OR_OVERLAPS and not result.passed
        )


def _days(settings: Settings) -> BroadcastDays:
    return BroadcastDays(ZoneInfo(settings.time_zone), settings.radio_services)


def _name(key: ScheduleKey) -> Key:
    return str(key.sid), key.date.isoformat()


def _by_name(documents: Mapping[ScheduleKey, bytes]) -> dict[Key, bytes]:
    return {_name(key): document for key, document in documents.items()}
