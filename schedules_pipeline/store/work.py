"""The work queue on Redis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from schedules_pipeline.documents.cause import parse_cause, render_cause
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports.work import (
    LONGEST_PAUSE,
    RISKY_ATTEMPTS,
    Backlog,
    Claim,
    Failure,
    Mark,
    Work,
)
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink, Script

CAUSES_KEPT = 5
"""Number of causes of one rebuild that are kept in full; the others are counted."""

_PROBE_KEPT_SECONDS = 60
_TOKENS_SKIPPED = 1_000_000
"""More claims than a failover can lose, and a small part of the integers that Redis keeps exactly in scores."""


class RedisWorkQueue:
    """Implements :class:`WorkQueue`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.work
        self._mark, self._claim = link.script("mark"), link.script("claim")
        self._release, self._postpone = link.script("release"), link.script("postpone")
        self._renew = link.script("renew")

    def mark(self, marks: Sequence[Mark]) -> int:
        if not marks:
            return 0
        triples: list[Arguments] = [(str(m.key), m.due_at.timestamp(), render_cause(m.cause)) for m in marks]
        return int(self._run(self._mark, "dirty causes waiting wake", [CAUSES_KEPT, *chain(*triples)]))

    def require_writable(self) -> None:
        """Writes, because a Redis that is full or cannot save still answers reads."""
        self._link.call("SET", self._key("probe"), "1", "EX", _PROBE_KEPT_SECONDS)

    def claim(self, limit: int, now: datetime, lease_for: timedelta) -> Claim | None:
        return self._take([now.timestamp(), (now + lease_for).timestamp(), limit], b"", ())

    def claim_exactly(
        self, keys: Sequence[ScheduleKey], cause: Cause, now: datetime, lease_for: timedelta
    ) -> Claim:
        times = [now.timestamp(), (now + lease_for).timestamp()]
        return self._take([*times, 0], b"1\n" + render_cause(cause), keys) or Claim(0, ())

    def _take(self, limits: Sequence[float], cause: bytes, keys: Sequence[ScheduleKey]) -> Claim | None:
        """Claim these schedules, or the next ones if ``keys`` is empty. ``limits``: now, end of the lease, count."""
        names = "dirty causes waiting leases tokens claimed_causes attempts token"
        longest_pause = int(LONGEST_PAUSE.total_seconds())
        arguments: Arguments = [*limits, CAUSES_KEPT, RISKY_ATTEMPTS, cause, longest_pause, *map(str, keys)]
        token, *rows = self._run(self._claim, names, arguments)
        work = tuple(_work(rows[i], rows[i + 1], rows[i + 2]) for i in range(0, len(rows), 3))
        return Claim(int(token), work) if work else None

    def renew(self, claim: Claim, until: datetime) -> None:
        if claim.work:
            keys = [str(work.key) for work in claim.work]
            self._run(self._renew, "leases tokens", [claim.token, until.timestamp(), *keys])

    def skip_tokens(self) -> None:
        self._link.call("INCRBY", self._key("token"), _TOKENS_SKIPPED)

    def release(self, claim: Claim, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            names = "leases tokens claimed_causes attempts set_aside"
            self._run(self._release, names, [claim.token, *map(str, keys)])

    def postpone(self, claim: Claim, failures: Mapping[ScheduleKey, Failure], *, counts: bool) -> None:
        if failures:
            triples: list[Arguments] = [
                (str(key), "" if failure.retry_at is None else failure.retry_at.timestamp(), failure.reason)
                for key, failure in failures.items()
            ]
            names = "leases tokens claimed_causes attempts set_aside waiting causes dirty"
            self._run(self._postpone, names, [claim.token, int(counts), CAUSES_KEPT, *chain(*triples)])

    def wait(self, seconds: float) -> None:
        self._link.wait_for_element(self._key("wake"), seconds)

    def backlog(self) -> Backlog:
        pending, leased, waiting, quarantined, oldest = self._link.run(
            [
                ("ZCARD", self._key("dirty")),
                ("ZCARD", self._key("leases")),
                ("ZCARD", self._key("waiting")),
                ("HLEN", self._key("set_aside")),
                ("ZRANGEBYSCORE", self._key("dirty"), "-inf", "+inf", "WITHSCORES", "LIMIT", 0, 1),
            ]
        )
        return Backlog(pending, leased, waiting, quarantined, _instant(float(oldest[1]) if oldest else None))

    def pending_since(self) -> dict[Origin, datetime]:
        since: dict[Origin, datetime] = {}
        for name in ("causes", "claimed_causes"):
            for page in self._link.hash_pages(self._key(name)):
                for cause in _causes(page.values()):
                    since[cause.origin] = min(cause.notified_at, since.get(cause.origin, cause.notified_at))
        return since

    def unfinished(self, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        if not keys:
            return set()
        names = [str(key) for key in keys]
        replies = self._link.run(
            [("ZMSCORE", self._key(where), *names) for where in ("dirty", "leases", "waiting")]
        )
        return {
            key for key, *scores in zip(keys, *replies, strict=True) if any(s is not None for s in scores)
        }

    def quarantined(self) -> dict[ScheduleKey, str]:
        return {
            ScheduleKey.parse(key.decode()): reason.decode()
            for page in self._link.hash_pages(self._key("set_aside"))
            for key, reason in page.items()
        }

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            names = [str(key) for key in keys]
            self._link.run([("HDEL", self._key(where), *names) for where in ("attempts", "set_aside")])

    def _run(self, script: Script, names: str, arguments: Arguments) -> Any:
        """Call a script on the keys of these names."""
        return self._link.call(*script.command([self._key(name) for name in names.split()], arguments))


def _causes(kept: Iterable[bytes]) -> Iterator[Cause]:
    """Each cause once; one event can cause the rebuild of many schedules."""
    lines = {line for value in kept for line in value.split(b"\n")[1:]}
    return _parse(lines)


def _parse(lines: Iterable[bytes]) -> Iterator[Cause]:
    """Without those that cannot be decoded: the schedule is rebuilt as well."""
    for line in filter(None, lines):
        with suppress(InvalidRecord):
            yield parse_cause(line)


def _work(key: bytes, causes: bytes, attempts: bytes) -> Work:
    count, _, lines = causes.partition(b"\n")
    return Work(
        key=ScheduleKey.parse(key.decode()),
        causes=tuple(_parse(lines.split(b"\n"))),
        cause_count=int(count),
        attempts=int(attempts),
    )


def _instant(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
