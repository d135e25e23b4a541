"""Brings the snapshots of all services up to date with the last week, and reports the outliers of that week."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.expectations.outliers import OutlierReport, find_outliers
from schedules_pipeline.publishing.measure_day import DayMeasurer
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.expectations import Expectation, ObservedDay
from schedules_pipeline.publishing.ports.feed import published_keys

_A_WEEK = timedelta(days=7)
_AT_ONCE = 200

Say = Callable[[str], None]


class ExpectationLearner:
    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self._store = store
        self._measurer = DayMeasurer(store, calendar)
        self._calendar = calendar
        self._clock = clock

    def learn(self, say: Say = lambda _: None) -> dict[Sid, Expectation]:
        """Add the broadcast days that ended within the last week. Services that are gone are forgotten.

        Days that are under a hold show what partners keep, so they are learned like others.
        """
        from schedules_pipeline.expectations.learn import learn  # noqa: PLC0415 - pandas takes long to import

        now = self._clock()
        earlier = self._store.expectations.all()
        week = self._observe(say)
        learned = {sid: learn(earlier.get(sid), days, now) for sid, days in week.items()}
        self._store.expectations.keep(learned)
        served = {key.sid for key in published_keys(self._store.feed)}
        self._store.expectations.forget(sorted(earlier.keys() - served))
        return {sid: each for sid, each in {**earlier, **learned}.items() if sid in served}

    def report(self) -> OutlierReport:
        """The outliers of the latest observed week. Changes nothing."""
        return find_outliers(self._store.expectations.all(), self._clock())

    def _observe(self, say: Say) -> dict[Sid, list[ObservedDay]]:
        keys = sorted(
            filter(self._ended_lately, self._store.feed.heads()), key=lambda key: (key.date, key.sid)
        )
        found: dict[Sid, list[ObservedDay]] = defaultdict(list)
        for start in range(0, len(keys), _AT_ONCE):
            for key, values in self._measurer.measure(keys[start : start + _AT_ONCE]).items():
                found[key.sid].append(ObservedDay(key.date, values))
            say(f"{min(start + _AT_ONCE, len(keys))} of {len(keys)} days measured")
        return found

    def _ended_lately(self, key: ScheduleKey) -> bool:
        now = self._clock()
        return now - _A_WEEK < self._calendar.window(key).end <= now
