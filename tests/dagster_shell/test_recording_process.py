"""The process in which a publisher records, on a real Redis and a Dagster instance on SQLite."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import serialize_value
from dagster_stage import source_document
from redis import Redis

from benchmarks.engine import DocumentsInMemory, make_engine
from demo.servers import RedisServer
from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.jobs import child_process
from schedules_pipeline.jobs.recording_process import RecordingProcess
from schedules_pipeline.partitions import partition_key

_KEYS = [ScheduleKey.parse(f"alder_one/2026-03-{day}") for day in range(20, 23)]
_PATIENCE_SECONDS = 60


@dataclass
class _Lines:
    """The log of a run."""

    lines: list[str] = field(default_factory=list)

    def info(self, msg: str) -> None:
        self.lines.append(msg)

    def warning(self, msg: str) -> None:
        self.lines.append(msg)


@dataclass
class _Stage:
    pipeline: Pipeline
    instance: dg.DagsterInstance
    recording: RecordingProcess
    log: _Lines

    def publish(self, key: ScheduleKey) -> None:
        cause = Cause("event", Origin.OPERATOR, "test", self.pipeline.clock())
        self.pipeline.publisher.rebuild_from_sources([key], cause)

    def keep_up(self) -> None:
        """As the publisher does, until everything is recorded."""

        def is_recorded() -> bool:
            self.recording.keep_up()
            return self.pipeline.store.feed.unrecorded() == 0

        _wait_until(is_recorded)

    def recorded(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(names.PARTNER_SCHEDULE))

    def process(self) -> "subprocess.Popen[bytes]":
        process = self.recording._process
        assert process is not None
        return process


@pytest.fixture
def stage(
    redis_client: Redis, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Stage]:
    monkeypatch.setattr(child_process, "_RESTARTS_AFTER_SECONDS", 0.0)
    monkeypatch.setenv("SCHEDULES_REDIS_URL", redis_server.url)
    documents = {key: source_document(key) for key in _KEYS}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = instance.create_run_for_job(_job)
        log = _Lines()
        with closing(RecordingProcess(instance, run.run_id, log)) as recording:
            yield _Stage(
                make_engine(redis_server.url, DocumentsInMemory(documents)), instance, recording, log
            )


@dg.job(name="publish_affected")
def _job() -> None:
    """The run of a publisher."""


def _wait_until(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_process_records_until_its_publisher_ends_and_is_replaced_when_it_dies(stage: _Stage) -> None:
    """Versions are recorded by a process of their own, after it was killed by the next one; signals to the group of
    the publisher do not end it, the end of its input does.
    """
    stage.publish(_KEYS[0])
    stage.keep_up()
    stage.process().kill()
    stage.process().wait()
    stage.publish(_KEYS[1])
    stage.keep_up()
    replaced = stage.process()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(replaced.pid, number)
    stage.publish(_KEYS[2])
    stage.keep_up()
    stage.recording.dismiss()

    assert replaced.wait(_PATIENCE_SECONDS) == 0
    assert stage.recorded() == {str(partition_key(key)) for key in _KEYS}
    assert [line for line in stage.log.lines if "starts again" in line] == [
        "recording ended with code -9 and starts again; standard error says why"
    ]


def test_a_publisher_that_ends_last_has_everything_recorded_first(stage: _Stage) -> None:
    """Nothing published stays without a record when no publisher follows, and the process ends with code 0 while its
    input is open.
    """
    for key in _KEYS:
        stage.publish(key)
    stage.recording.start()
    process = stage.process()
    stage.recording.finish()

    assert process.returncode == 0
    assert stage.pipeline.store.feed.unrecorded() == 0
    assert stage.recorded() == {str(partition_key(key)) for key in _KEYS}


def test_a_defect_ends_the_process_with_code_1(stage: _Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot do its work ends with code 1 while its publisher keeps its input open, and the log of the
    run says so.
    """
    monkeypatch.setattr(
        stage.recording, "_task", lambda: ["unknown-run", serialize_value(stage.instance.get_ref())]
    )
    stage.recording.keep_up()
    code = stage.process().wait(_PATIENCE_SECONDS)
    stage.recording.keep_up()

    assert code == 1
    assert stage.log.lines[-1] == "recording ended with code 1 and starts again; standard error says why"
