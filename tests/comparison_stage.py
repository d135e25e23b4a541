"""A pipeline over fakes with one published schedule, and a fake old system."""

import json
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import orjson
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams

from schedules_pipeline.composition import Pipeline, Policies
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.migration.ports import Comparison
from schedules_pipeline.publishing.policy import PublishingPolicy

KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))


class Stage:
    def __init__(self, intended: tuple[str, ...] = (), horizon: RetentionHorizon = KEEPS_EVERYTHING) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ())
        self.pipeline = Pipeline(
            self.store.as_store(),
            self.upstreams.as_upstreams(),
            calendar,
            self.clock,
            Policies(PublishingPolicy(horizon=horizon), intended_differences=intended),
        )
        self.publish("2026-03-28T12:00:00Z")

    def publish(self, start: str) -> None:
        """Publish the schedule with one broadcast at this start."""
        self.upstreams.schedule_source.put(KEY, orjson.dumps(_source(start)))
        self.pipeline.publisher.rebuild_from_sources([KEY], self.cause())

    def cause(self) -> Cause:
        return Cause("test", Origin.OPERATOR, "test", self.clock())

    def refresh_legacy(self, **changes: object) -> None:
        """The old system refreshes a second later, with the published fields but for these changes."""
        self.clock.advance(timedelta(seconds=1))
        broadcasts = self.published()
        broadcasts[0].update(changes)
        self.write_legacy(broadcasts, self.clock())

    def write_legacy(self, broadcasts: list[dict[str, object]], generated_at: datetime) -> None:
        document = {"generated_at": generated_at.isoformat(), "schedule": {"broadcasts": broadcasts}}
        self.upstreams.legacy.documents[KEY] = json.dumps(document).encode()
        self.upstreams.legacy.refreshed = generated_at.isoformat()

    def published(self) -> list[dict[str, object]]:
        document = self.store.schedules.documents([KEY])[KEY]
        broadcasts: list[dict[str, object]] = orjson.loads(split_document(document)[1])
        return broadcasts

    def compare(self) -> Comparison:
        """Compare, and return the stored comparison."""
        self.find_news()
        return self.store.comparisons.all()[KEY]

    def find_news(self) -> dict[ScheduleKey, Comparison]:
        """Compare, and return the comparisons whose outcome is new."""
        found: dict[ScheduleKey, Comparison] = {}
        self.pipeline.comparer.compare_all(lambda news, refreshed_at="": found.update(news))
        return found


def _source(start: str) -> dict[str, object]:
    return {
        "sid": str(KEY.sid),
        "date": KEY.date.isoformat(),
        "published_at": "2026-03-27T00:00:00Z",
        "broadcasts": [
            {
                "broadcast_pid": "p00000001",
                "episode_pid": "b00000001",
                "version_pid": "b00000002",
                "start": start,
                "end": "2026-03-28T13:00:00Z",
            }
        ],
    }
