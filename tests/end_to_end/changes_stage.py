"""What tests of Dagster's own processes share: a published opening, a stream of changes, waiting for what other
processes do, and what a build from scratch publishes.
"""

import itertools
import time
from collections.abc import Callable

import pytest
from workers import build_everything, contents

from demo.sample import Sample
from demo.upstream import Upstream
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.settings import Settings

_PATIENCE_SECONDS = 120


def publish_everything(pipeline: Pipeline, sample: Sample) -> None:
    """Bring the keyspace to where a coldstart leaves it, with nothing left to record."""
    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]
    pipeline.publisher.rebuild_from_sources(keys, Cause("opening", Origin.COLDSTART, "all", pipeline.clock()))
    pipeline.store.coldstarts.begin_epoch("opening")
    while entries := pipeline.store.feed.take_unrecorded("the test", 500):
        pipeline.store.feed.confirm_recorded([entry.position for entry in entries])


def wait_until(is_true: Callable[[], bool]) -> None:
    """Check until the condition is true, because other processes make it true."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > deadline:
            pytest.fail(f"nothing came of it within {_PATIENCE_SECONDS} s; see Dagster's logs")
        time.sleep(0.2)


def changes_of_titles(upstream: Upstream, sample: Sample) -> Callable[[], None]:
    """A function that gives the next brand another title."""
    brands = [item for item in sample.catalogue.values() if item["type"] == "brand"]
    numbers = itertools.count()

    def put_change() -> None:
        number = next(numbers)
        upstream.put_catalogue({**brands[number % len(brands)], "title": f"Title {number}"})

    return put_change


def built_from_scratch(keys: list[ScheduleKey]) -> dict[ScheduleKey, bytes]:
    scratch = build_pipeline(Settings(keyspace="scratch"))
    build_everything(scratch, keys)
    return contents(scratch, keys)
