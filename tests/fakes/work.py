"""Fakes of the work queue, the publisher's presence and the heartbeats."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.presence import STARTING, Publishers
from schedules_pipeline.publishing.ports.work import (
    LONGEST_PAUSE,
    RISKY_ATTEMPTS,
    Backlog,
    Claim,
    Failure,
    Mark,
    Work,
)

CAUSES_KEPT = 5


@dataclass(frozen=True, slots=True)
class _Causes:
    count: int = 0
    first: tuple[Cause, ...] = ()

    def and_later(self, later: "_Causes") -> "_Causes":
        return _Causes(self.count + later.count, (*self.first, *later.first)[:CAUSES_KEPT])


class FakeWorkQueue(Fake):
    """Implements :class:`WorkQueue`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.dirty: dict[ScheduleKey, datetime] = {}
        self.waiting: dict[ScheduleKey, datetime] = {}
        self.leases: dict[ScheduleKey, datetime] = {}
        self.tokens: dict[ScheduleKey, int] = {}
        self.causes: dict[ScheduleKey, _Causes] = {}
        self.claimed_causes: dict[ScheduleKey, _Causes] = {}
        self.attempts: dict[ScheduleKey, int] = defaultdict(int)
        self.aside: dict[ScheduleKey, str] = {}
        self.token = 0

    @answered
    @step
    def mark(self, marks: Sequence[Mark]) -> int:
        for mark in marks:
            self._make_dirty(mark.key, mark.due_at)
            self.waiting.pop(mark.key, None)
            known = self.causes.get(mark.key, _Causes())
            self.causes[mark.key] = known.and_later(_Causes(1, (mark.cause,)))
        return len(self.dirty) if marks else 0

    def require_writable(self) -> None:
        """The fake is always writable."""

    @answered
    @step
    def claim(self, limit: int, now: datetime, lease_for: timedelta) -> Claim | None:
        self._clamp(now, lease_for)
        self._return_what_is_due(now)
        chosen = self._choose(limit)
        return self._take(chosen, now + lease_for) if chosen else None

    @answered
    @step
    def claim_exactly(
        self, keys: Sequence[ScheduleKey], cause: Cause, now: datetime, lease_for: timedelta
    ) -> Claim:
        self._clamp(now, lease_for)
        self._return_what_is_due(now)
        return self._take(keys, now + lease_for, _Causes(1, (cause,))) if keys else Claim(0, ())

    @answered
    @step
    def skip_tokens(self) -> None:
        self.token += 1_000_000

    @answered
    @step
    def renew(self, claim: Claim, until: datetime) -> None:
        for work in claim.work:
            if self.is_holder(claim, work.key):
                self.leases[work.key] = until

    @answered
    @step
    def release(self, claim: Claim, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            if self.is_holder(claim, key):
                self._forget_claim(key)
                self.attempts.pop(key, None)
                self.aside.pop(key, None)

    @answered
    @step
    def postpone(self, claim: Claim, failures: Mapping[ScheduleKey, Failure], *, counts: bool) -> None:
        for key, failure in failures.items():
            if self.is_holder(claim, key):
                self._postpone_one(key, failure, counts=counts)

    @answered
    @step
    def wait(self, seconds: float) -> None:
        """It returns at once."""

    @answered
    @step
    def backlog(self) -> Backlog:
        oldest = min(self.dirty.values(), default=None)
        return Backlog(len(self.dirty), len(self.leases), len(self.waiting), len(self.aside), oldest)

    @answered
    @step
    def pending_since(self) -> dict[Origin, datetime]:
        pending = [c for kept in (*self.causes.values(), *self.claimed_causes.values()) for c in kept.first]
        return {
            origin: min(cause.notified_at for cause in pending if cause.origin is origin)
            for origin in {cause.origin for cause in pending}
        }

    @answered
    @step
    def unfinished(self, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        return {key for key in keys if key in self.dirty or key in self.leases or key in self.waiting}

    @answered
    @step
    def quarantined(self) -> dict[ScheduleKey, str]:
        return dict(self.aside)

    @answered
    @step
    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self.attempts.pop(key, None)
            self.aside.pop(key, None)

    def has_claimable(self, now: datetime) -> bool:
        """Whether a claim would return work now; has no checkpoint."""
        due = [*self.leases.values(), *self.waiting.values()]
        return any(key not in self.tokens for key in self.dirty) or any(at <= now for at in due)

    def is_holder(self, claim: Claim, key: ScheduleKey) -> bool:
        """Whether no other worker has claimed the schedule since."""
        return self.tokens.get(key) == claim.token

    def _make_dirty(self, key: ScheduleKey, due_at: datetime) -> None:
        self.dirty[key] = min(due_at, self.dirty.get(key, due_at))

    def _clamp(self, now: datetime, lease_for: timedelta) -> None:
        """Times further ahead than the longest pause come from a wrong clock."""
        latest = now + LONGEST_PAUSE
        for times, to in ((self.leases, now + lease_for), (self.waiting, latest)):
            times.update({key: to for key, time in times.items() if time > latest})

    def _return_what_is_due(self, now: datetime) -> None:
        for key, end in [(key, end) for key, end in self.leases.items() if end <= now]:
            merged = self.claimed_causes[key].and_later(self.causes.get(key, _Causes()))
            self._make_dirty(key, now)
            self.causes[key] = merged
            self._forget_claim(key)
            self.attempts[key] += end >= now - LONGEST_PAUSE
        for key in [key for key, retry_at in self.waiting.items() if retry_at <= now]:
            self._make_dirty(key, now)
            del self.waiting[key]

    def _choose(self, limit: int) -> list[ScheduleKey]:
        chosen: list[ScheduleKey] = []
        for key in sorted(self.dirty, key=lambda k: (self.dirty[k], str(k))):
            if len(chosen) >= limit:
                break
            if key in self.tokens:
                continue
            if self.attempts.get(key, 0) < RISKY_ATTEMPTS:
                chosen.append(key)
            elif not chosen:
                return [key]
        return chosen

    def _take(self, keys: Sequence[ScheduleKey], lease_end: datetime, cause: _Causes = _Causes()) -> Claim:
        self.token += 1
        return Claim(self.token, tuple([self._take_one(key, lease_end, cause) for key in keys]))

    def _take_one(self, key: ScheduleKey, lease_end: datetime, cause: _Causes) -> Work:
        older = self.claimed_causes.get(key, _Causes())
        causes = older.and_later(self.causes.pop(key, _Causes())).and_later(cause)
        self.dirty.pop(key, None)
        self.waiting.pop(key, None)
        self.leases[key] = lease_end
        self.tokens[key] = self.token
        self.claimed_causes[key] = causes
        return Work(key, causes.first, causes.count, self.attempts.get(key, 0))

    def _postpone_one(self, key: ScheduleKey, failure: Failure, *, counts: bool) -> None:
        causes = self.claimed_causes[key]
        self._forget_claim(key)
        self.attempts[key] += counts
        if failure.retry_at is None:
            self.aside[key] = failure.reason
            del self.attempts[key]
        else:
            if key not in self.dirty:
                self.waiting[key] = failure.retry_at
            self.causes[key] = causes.and_later(self.causes.get(key, _Causes()))

    def _forget_claim(self, key: ScheduleKey) -> None:
        del self.leases[key], self.tokens[key], self.claimed_causes[key]


class FakePublisherPresence(Fake):
    """Implements :class:`PublisherPresence`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._until: dict[str, datetime] = {}
        self._leaving: set[str] = set()

    @answered
    @step
    def reserve(self, name: str, seconds: int, most: int) -> bool:
        present = self._present()
        if name not in present and len(present.keys() - self._leaving) >= most:
            return False
        self._until[name] = self._clock() + timedelta(seconds=seconds)
        return True

    @answered
    @step
    def renew(self, name: str, seconds: int, *, reservation: str = "", is_leaving: bool = False) -> None:
        self._until = self._present()
        self._until.pop(reservation, None)
        self._until[name] = self._clock() + timedelta(seconds=seconds)
        self._leaving = self._leaving - {name} | ({name} if is_leaving else set())

    @answered
    @step
    def leave(self, name: str) -> None:
        self._until.pop(name, None)
        self._leaving.discard(name)

    @answered
    @step
    def present(self) -> Publishers:
        """By the order in which they joined."""
        at_work = [name for name in self._present() if not name.startswith(STARTING)]
        return Publishers(
            running=tuple(name for name in at_work if name not in self._leaving),
            leaving=tuple(name for name in at_work if name in self._leaving),
            starting=sum(name.startswith(STARTING) for name in self._present()),
        )

    def _present(self) -> dict[str, datetime]:
        return {name: until for name, until in self._until.items() if self._clock() < until}


class FakeDeliveryHeartbeats(Fake):
    """Implements :class:`DeliveryHeartbeats`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._pulses: dict[DeliveryProcess, datetime] = {}

    @answered
    @step
    def record(self, process: DeliveryProcess, now: datetime) -> None:
        self._pulses[process] = now

    @answered
    @step
    def all(self) -> dict[DeliveryProcess, datetime]:
        return dict(self._pulses)
