"""Canaries: messages through the real queues about a schedule and an item that no source has.

The schedule's message goes the way of every removal: SQS, the sensor, a mark, a publisher, an answer of S3 that the
document is absent, a commit that changes nothing. Partners, the change feed, Dagster's records and the comparison with
the old system see nothing of it, because a schedule that was never published and is absent has no version. The item's
message is ignored, because no schedule depends on the item. The delivery service is not on this way.

Names are new in each run, so two doctors do not disturb each other. The state of the schedule is deleted at the end;
if the doctor dies, garbage collection deletes it, and the item's token expires within a day.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.probes.probe import Finding, failed, passed, unchecked
from schedules_pipeline.publishing.ports.schedules import ScheduleState
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, Outgoing

CANARY = "doctor_canary_"
SCHEDULE, ITEM = "a canary schedule", "a canary item"
_PAUSED = "a coldstart has paused the intake"
_LETTERS = "0123456789bcdfghjklmnpqrstvwxz"
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Names:
    """``key``: a schedule of today, which is the most urgent. ``pid``: a catalogue item."""

    key: ScheduleKey
    pid: Pid


def canary_names(random: Random, now: datetime, calendar: BroadcastCalendar) -> Names:
    word = "".join(random.choices(_LETTERS, k=20))
    sid = Sid(CANARY + word)
    key = ScheduleKey(sid, now.astimezone(calendar.zone).date())
    if not calendar.window(key).contains(now):
        key = ScheduleKey(sid, key.date - timedelta(days=1))
    return Names(key, Pid(word))


@dataclass(frozen=True, slots=True)
class Canaries:
    """``limit``: how long each may take. A publisher that has to be started in a container takes a minute."""

    store: HealthStore
    clock: Clock
    wait: Callable[[float], None]
    names: Names
    limit: timedelta

    def send_schedule(self, queue: NotificationQueue) -> Iterator[Finding]:
        """It went round if the source mark that the intake counts up was seen by a commit."""
        key, subject, began = self.names.key, SCHEDULE, self.clock()
        if self.store.coldstarts.intake_is_paused():
            yield unchecked(subject, _PAUSED)
            return
        body = {"sid": str(key.sid), "date": key.date.isoformat(), "action": "DELETE"}
        queue.send([Outgoing(json.dumps(body))])
        received = self._wait_until(lambda: self._state().source_mark > 0, began)
        if received is None:
            yield self._lost(subject, "the sensor `schedule_events`")
            return
        built = self._wait_until(self._is_built, began)
        if built is None:
            text = f"{subject} was received after {received:.1f} s, and not built within {self._limit()}"
            yield failed(subject, text, "read the run of `publish_affected` in Dagster, or start one")
            return
        self.store.schedules.forget({key: self._state().committed_token})
        yield self._arrived(subject, built, f" (received after {received:.1f} s)")

    def send_item(self, queue: NotificationQueue) -> Iterator[Finding]:
        """Each token that the doctor takes of the item counts one; a greater step is the intake's."""
        subject, began = ITEM, self.clock()
        if self.store.coldstarts.intake_is_paused():
            yield unchecked(subject, _PAUSED)
            return
        body = {"action": "UPDATE", "type": "episode", "pid": self.names.pid}
        last = self._next_token()
        queue.send([Outgoing(json.dumps(body))])

        def is_followed() -> bool:
            nonlocal last
            before, last = last, self._next_token()
            return last > before + 1

        seconds = self._wait_until(is_followed, began)
        yield (
            self._lost(subject, "the sensor `catalogue_events`")
            if seconds is None
            else self._arrived(subject, seconds)
        )

    def _wait_until(self, is_so: Callable[[], bool], began: datetime) -> float | None:
        """The seconds since the beginning; None if the limit is reached."""
        while not is_so():
            if self.clock() - began >= self.limit:
                return None
            self.wait(_PAUSE_SECONDS)
        return (self.clock() - began).total_seconds()

    def _is_built(self) -> bool:
        return not self._state().must_fetch and not self.store.work.unfinished([self.names.key])

    def _state(self) -> ScheduleState:
        return self.store.schedules.read([self.names.key])[self.names.key]

    def _next_token(self) -> int:
        return self.store.copies.take_tokens([self.names.pid])[self.names.pid]

    def _limit(self) -> str:
        return f"{self.limit.total_seconds():g} s"

    def _lost(self, subject: str, receiver: str) -> Finding:
        text = f"{subject} was not received within {self._limit()}"
        return failed(subject, text, f"switch on {receiver} in Dagster and read its ticks")

    def _arrived(self, subject: str, seconds: float, received: str = "") -> Finding:
        return passed(subject, f"{subject} went round in {seconds:.1f} s{received}")
