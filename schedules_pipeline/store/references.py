"""The back-reference index on Redis: a sorted set of dependants for each catalogue pid."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.references import EntriesBySchedule
from schedules_pipeline.store.keys import Keys, tag
from schedules_pipeline.store.link import RedisLink
from schedules_pipeline.store.members import parse_member, render_member


class RedisReferenceIndex:
    """Implements :class:`ReferenceIndex`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keyspace = keys.keyspace
        self._key = keys.dependants
        self._unregister = link.script("unregister")

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """One command for each pid. GT never lowers a score."""
        self._link.run(
            [
                ("ZADD", self._key(pid), "GT", *(part for member in members for part in (token, member)))
                for pid, members in _by_pid(entries).items()
            ]
        )

    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        replies = self._link.run(
            [
                self._unregister.command([self._key(pid)], [token, *members])
                for pid, members in _by_pid(entries).items()
            ]
        )
        return sum(replies)

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        replies = self._link.run([("ZRANGE", self._key(pid), 0, -1) for pid in pids])
        return {
            pid: [parse_member(member.decode()) for member in members]
            for pid, members in zip(pids, replies, strict=True)
        }

    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        asked = [(key, entry) for key, wanted in entries.items() for entry in wanted]
        scores = self._link.run(
            [("ZSCORE", self._key(entry.pid), render_member(key, entry)) for key, entry in asked]
        )
        lacking: dict[ScheduleKey, list[Entry]] = defaultdict(list)
        for (key, entry), score in zip(asked, scores, strict=True):
            if score is None:
                lacking[key].append(entry)
        return dict(lacking)

    def pids(self) -> Iterator[list[Pid]]:
        for batch in self._link.scan(f"{self._keyspace}:dependants:*"):
            yield [Pid(tag(key)) for key in batch]


def _by_pid(entries: EntriesBySchedule) -> dict[Pid, list[str]]:
    members: dict[Pid, list[str]] = defaultdict(list)
    for key, wanted in entries.items():
        for entry in wanted:
            members[entry.pid].append(render_member(key, entry))
    return members
