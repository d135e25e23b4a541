"""A pipeline of fakes and a Dagster instance, on which the tests of Dagster's rooms build their stages."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import dagster as dg
import orjson
from fakes import Conditions, FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.event_batches import EventBatch


@dataclass(frozen=True)
class ListWriter:
    """Appends the events of every batch to a list, and the batches to another."""

    events: list[Any]
    run_id: str = "run"
    batches: list[EventBatch] = field(default_factory=list)

    def write(self, batch: EventBatch) -> None:
        self.events.extend(batch.events)
        self.batches.append(batch)


class DagsterStage:
    def __init__(
        self,
        instance: dg.DagsterInstance,
        conditions: Conditions | None = None,
        horizon: RetentionHorizon = KEEPS_EVERYTHING,
    ) -> None:
        self.instance = instance
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock, conditions)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock, horizon)


def source_document(key: ScheduleKey, broadcasts: int = 1) -> bytes:
    """A schedule document with so many broadcasts of an hour each, from noon."""
    noon = datetime(key.date.year, key.date.month, key.date.day, 12, tzinfo=UTC)
    return orjson.dumps(
        {
            "sid": str(key.sid),
            "date": key.date.isoformat(),
            "published_at": "2026-03-20T00:00:00Z",
            "broadcasts": [
                {
                    "broadcast_pid": f"p0000000{number}",
                    "episode_pid": "b00000001",
                    "version_pid": "b00000002",
                    "start": (noon + timedelta(hours=number)).isoformat(),
                    "end": (noon + timedelta(hours=number + 1)).isoformat(),
                }
                for number in range(broadcasts)
            ],
        }
    )
