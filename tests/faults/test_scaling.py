"""Publishers come with a real backlog, as many as Dagster's pool and the setting allow, and the surplus one goes."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from faults.stack import Stack, wait_until

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.jobs.publish_affected import JOB_NAME, POOL
from schedules_pipeline.publishing.ports.work import Mark

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("scaling")]
_SERVICES = 10_000
_DAYS = 7
_UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)
_QUEUED = "class: QueuedRunCoordinator\n\nconcurrency:\n  pools:\n    granularity: run"


class _QueuingStack(Stack):
    """Runs wait in Dagster's queue for a slot of their pool."""

    def _write_settings(self, catalogue_url: str) -> dict[str, str]:
        settings = super()._write_settings(catalogue_url)
        path = Path(settings["DAGSTER_HOME"]) / "dagster.yaml"
        path.write_text(path.read_text().replace("class: DefaultRunCoordinator", _QUEUED))
        return settings


@pytest.fixture
def stack(redis_executable: Path, emulator_executable: Path, tmp_path: Path) -> Iterator[Stack]:
    with ExitStack() as stack:
        yield _QueuingStack(stack, tmp_path, redis_executable, emulator_executable)


def test_a_backlog_brings_a_second_publisher_if_the_pool_has_a_slot(stack: Stack) -> None:
    """The second one waits in Dagster's queue until the pool has a slot, then both publish. Without a backlog one
    stays, and all others end well. A third one is asked for only if one takes long to start, and waits in the queue.
    """
    presence, storage = stack.pipeline.store.presence, stack.instance.event_log_storage
    storage.set_concurrency_slots(POOL, 1)

    _mark_many(stack)
    wait_until(lambda: len(presence.present().running) == 1, "no publisher")
    wait_until(lambda: _count(stack, dg.DagsterRunStatus.QUEUED) > 0, "no second publisher is asked for")
    assert _count(stack, dg.DagsterRunStatus.STARTED) == 1

    storage.set_concurrency_slots(POOL, 2)
    wait_until(lambda: len(presence.present().running) == 2, "the second one does not start")
    wait_until(lambda: stack.pipeline.store.work.backlog().is_empty, "the backlog stays")
    wait_until(lambda: _count(stack, *_UNFINISHED) == 1, "the surplus one stays")
    assert len(presence.present().running) == 1
    assert _count(stack, dg.DagsterRunStatus.SUCCESS) == _count(stack) - 1


def _mark_many(stack: Stack) -> None:
    """Mark many schedules that the bucket does not have, because the sample is published too soon."""
    today, now = datetime.now(UTC).date(), stack.pipeline.clock()
    cause = Cause("a test", Origin.OPERATOR, "", now)
    for ahead in range(_DAYS):
        keys = [ScheduleKey(Sid(f"service_{n}"), today + timedelta(ahead)) for n in range(_SERVICES)]
        stack.pipeline.store.work.mark([Mark(key, now, cause) for key in keys])


def _count(stack: Stack, *statuses: dg.DagsterRunStatus) -> int:
    return stack.instance.get_runs_count(dg.RunsFilter(job_name=JOB_NAME, statuses=statuses))
