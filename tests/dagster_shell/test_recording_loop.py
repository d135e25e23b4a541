"""When versions are recorded, and when publishing is first. Over fakes."""

from collections.abc import Iterator
from datetime import date, timedelta
from types import SimpleNamespace

import dagster as dg
import orjson
import pytest
from dagster_stage import DagsterStage, source_document

from schedules_pipeline import recording
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.jobs import recording_loop
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.jobs.recording_loop import RecordingLoop
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.settings import Settings

_KEYS = [ScheduleKey(Sid("alder_one"), date(2026, 3, day)) for day in range(1, 7)]


@pytest.fixture
def stage() -> Iterator[DagsterStage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield DagsterStage(instance)


class _Loop(RecordingLoop):
    """``unrecorded_after``: a number of calls, each of which finds that it is time to record."""

    def __init__(self, stage: DagsterStage) -> None:
        log = SimpleNamespace(info=print, warning=print)
        super().__init__(stage.pipeline, Settings(), stage.instance, dg.DagsterRun(JOB_NAME), log)
        self._feed = stage.store.feed

    def unrecorded_after(self, calls: int) -> int:
        for _ in range(calls):
            self._record_at = 0.0
            self.keep_up()
        return self._feed.unrecorded()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two, and a flood of three versions within three seconds."""
    monkeypatch.setattr(recording, "RECORDED_AT_ONCE", 2)
    monkeypatch.setattr(recording_loop, "RECORDED_AT_ONCE", 2)
    monkeypatch.setattr(recording_loop, "_FLOOD", 3)


def _publish(stage: DagsterStage, keys: list[ScheduleKey]) -> None:
    for key in keys:
        stage.upstreams.schedule_source.put(key, source_document(key))
        body = orjson.dumps({"sid": str(key.sid), "date": key.date.isoformat()}).decode()
        stage.pipeline.schedule_intake.handle([Message(str(key), body, stage.clock(), "", 1)])
    stage.pipeline.publisher.publish_all()


def test_publishing_is_first_during_a_flood(stage: DagsterStage) -> None:
    """While versions come faster than they can be recorded, one batch is; when the flood is over, all are."""
    _publish(stage, _KEYS)
    loop = _Loop(stage)

    during = loop.unrecorded_after(3)
    stage.clock.advance(timedelta(seconds=4))
    afterwards = loop.unrecorded_after(3)

    assert (during, afterwards) == (4, 0)


def test_a_long_flood_is_recorded_too(stage: DagsterStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood that does not end cannot keep all versions out of Dagster."""
    monkeypatch.setattr(recording_loop, "_LONGEST_FLOOD_SECONDS", 0.0)
    _publish(stage, _KEYS)

    assert _Loop(stage).unrecorded_after(3) == 0


def test_what_keeps_pace_is_recorded_at_once(stage: DagsterStage) -> None:
    """Versions that come in smaller numbers than a batch wait for nothing, however long that lasts."""
    loop = _Loop(stage)
    for key in _KEYS:
        _publish(stage, [key])

        assert loop.unrecorded_after(1) == 0
