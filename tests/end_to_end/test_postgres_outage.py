"""Dagster's database goes away and comes back under standing publishers: forked by the code server, and executed by a
Celery worker.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from celery_workers import Worker
from end_to_end.changes_stage import built_from_scratch, changes_of_titles, publish_everything, wait_until
from workers import assert_announced_once, contents

from demo.dagster_services import CodeServer, Daemon
from demo.postgres import PostgresServer
from demo.sample import Sample
from demo.servers import find_free_port
from demo.upstream import Upstream
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.settings import Settings

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.long]

_OUTAGE_SECONDS = 30.0
"""Dagster gives up after some twelve."""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of this test's own, on a port that it keeps."""
    with PostgresServer(tmp_path / "postgres", port=find_free_port()) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    return postgres.url


@pytest.fixture(params=["forked", "celery"])
def system(
    request: pytest.FixtureRequest, environment: dict[str, str], upstream: Upstream, tmp_path: Path
) -> Iterator[Pipeline]:
    """Daemon, code server and, of the second kind, a worker with one process."""
    with ExitStack() as stack:
        if request.param == "celery":
            pytest.importorskip("dagster_celery", reason="the extra celery is not installed")
            environment = request.getfixturevalue("celery_environment")
        environment["SCHEDULES_PUBLISHER_LINGER_SECONDS"] = "10"
        pipeline = build_pipeline(Settings())
        publish_everything(pipeline, request.getfixturevalue("sample"))
        if request.param == "celery":
            stack.enter_context(Worker("worker", tmp_path, environment, concurrency=1))
        code_server = stack.enter_context(CodeServer(tmp_path, environment))
        stack.enter_context(Daemon(tmp_path, environment, code_server.write_workspace()))
        yield pipeline


def test_publishing_goes_on_without_dagsters_database(
    system: Pipeline, postgres: PostgresServer, upstream: Upstream, sample: Sample
) -> None:
    """The publisher stays and publishes during the outage, everything is recorded after it, and the next publisher
    starts after a further restart of the database, in the same process of a worker. No run fails.
    """
    put_change = changes_of_titles(upstream, sample)
    first = _publisher(system, put_change)
    _wait_until_recorded(system)

    postgres.stop()
    _publish_throughout(system, put_change)
    assert system.store.presence.present().running == (first,)
    postgres.__enter__()
    _wait_until_recorded(system)
    wait_until(lambda: not system.store.presence.present())
    postgres.stop()
    postgres.__enter__()
    assert _publisher(system, put_change) != first
    _wait_until_recorded(system)

    with dg.DagsterInstance.get() as instance:
        statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses[first] is dg.DagsterRunStatus.SUCCESS
    assert dg.DagsterRunStatus.FAILURE not in statuses.values()
    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]
    assert contents(system, keys) == built_from_scratch(keys)
    assert_announced_once(system)


def _publisher(pipeline: Pipeline, put_change: Callable[[], None]) -> str:
    """Put changes until a publisher is present, and return its run."""

    def is_present() -> bool:
        put_change()
        return bool(pipeline.store.presence.present().running)

    wait_until(is_present)
    return pipeline.store.presence.present().recorder


def _publish_throughout(pipeline: Pipeline, put_change: Callable[[], None]) -> None:
    """Put changes for the length of the outage, and one more, which is published although it goes on."""
    until = time.monotonic() + _OUTAGE_SECONDS

    def versions() -> int:
        return sum(change.seq for change in pipeline.store.feed.heads().values())

    def is_over() -> bool:
        put_change()
        return time.monotonic() > until

    wait_until(is_over)
    before = versions()

    def is_published() -> bool:
        put_change()
        return versions() > before

    wait_until(is_published)


def _wait_until_recorded(pipeline: Pipeline) -> None:
    wait_until(lambda: pipeline.store.work.backlog().is_empty and pipeline.store.feed.unrecorded() == 0)
