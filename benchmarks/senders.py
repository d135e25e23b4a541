"""Makes and announces upstream changes, each of which changes every schedule that it touches."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import count, cycle
from random import Random

from benchmarks.landing import Sent
from benchmarks.world import schedule_key, used_pids
from demo.sample import Sample, SourceKey
from demo.upstream import Upstream
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.identifiers import ScheduleKey


class Sender:
    """Plays the upstream systems and keeps their current content."""

    def __init__(self, upstream: Upstream, sample: Sample, rng: Random) -> None:
        self._upstream = upstream
        self._rng = rng
        self._numbers = count(1)
        self._catalogue = dict(sample.catalogue)
        self._schedules = dict(sample.schedules)
        self._dependants = _dependants(sample)

    def change_any_schedule(self) -> Sent:
        return self.change_schedule(self._rng.choice(list(self._schedules)))

    def change_schedule(self, source_key: SourceKey) -> Sent:
        """Toggle the flag for audio description of one broadcast."""
        schedule = self._schedules[source_key]
        broadcasts = list(schedule["broadcasts"])
        place = self._rng.randrange(len(broadcasts))
        is_described = broadcasts[place]["is_audio_described"]
        broadcasts[place] = broadcasts[place] | {"is_audio_described": not is_described}
        document = self._schedules[source_key] = schedule | {"broadcasts": broadcasts}
        key = schedule_key(source_key)
        sent_at = _now()
        self._upstream.put_schedule(*source_key, document)
        return Sent(sent_at, str(key), frozenset([key]))

    def retitle(self, pid: str) -> Sent:
        """Give the item a title that it has never had."""
        document = self._catalogue[pid] | {"title": f"Take {next(self._numbers)}"}
        self._catalogue[pid] = document
        sent_at = _now()
        self._upstream.put_catalogue(document)
        return Sent(sent_at, pid, self._dependants[pid])

    def mixture(self) -> Iterator[Callable[[], Sent]]:
        """Alternate schedules and episodes, each once before any is repeated."""
        episodes = [pid for pid in self._dependants if self._is_episode(pid)]
        schedules = list(self._schedules)
        self._rng.shuffle(episodes)
        self._rng.shuffle(schedules)
        for source_key, pid in zip(cycle(schedules), cycle(episodes), strict=False):
            yield partial(self.change_schedule, source_key)
            yield partial(self.retitle, pid)

    def _is_episode(self, pid: str) -> bool:
        return pid in self._catalogue and self._catalogue[pid]["type"] == "episode"


def _dependants(sample: Sample) -> dict[str, frozenset[ScheduleKey]]:
    """By pid, the schedules that show the item or one of its descendants."""
    found: dict[str, set[ScheduleKey]] = defaultdict(set)
    for source_key, document in sample.schedules.items():
        for pid in used_pids(sample.catalogue, [document]):
            found[pid].add(schedule_key(source_key))
    return {pid: frozenset(keys) for pid, keys in found.items()}


def _now() -> datetime:
    now = utc_now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
