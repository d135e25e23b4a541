"""How many runs of the publisher the sensors ask Dagster for."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.jobs.publish_affected import JOB_NAME, RESERVATION_TAG
from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.scale_publishers import ScalePolicy
from schedules_pipeline.sensors.asking import ask_for_publishers

_POLICY = ScalePolicy(most=3, schedules_each=10)


class Stage:
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.clock = FakeClock()
        self.store = fake_store(self.clock)
        upstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline = pipeline_over(self.store.as_store(), upstreams, self.clock)

    def mark(self, count: int) -> None:
        cause = Cause("event", Origin.SCHEDULE, "", self.clock())
        keys = [ScheduleKey(Sid(f"service_{number}"), date(2026, 3, 28)) for number in range(count)]
        self.store.work.mark([Mark(key, self.clock(), cause) for key in keys])

    def ask(self) -> list[dg.RunRequest]:
        return ask_for_publishers(self.pipeline, self.instance, _POLICY, {"from": "a test"})

    def add_run(self, status: dg.DagsterRunStatus) -> None:
        place = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin(host="localhost", port=1), "all")
        origin = RemoteJobOrigin(place, JOB_NAME)
        run = dg.DagsterRun(JOB_NAME, str(uuid4()), status=status, remote_job_origin=origin)
        self.instance.run_storage.add_run(run)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def test_as_many_are_asked_for_as_are_wanted(stage: Stage) -> None:
    """Each has a reservation of its own, which its run ends, and the next tick asks for none."""
    stage.mark(20)

    requests = stage.ask()

    reservations = {request.tags[RESERVATION_TAG] for request in requests}
    assert [request.job_name for request in requests] == [JOB_NAME] * 3
    assert {request.tags["from"] for request in requests} == {"a test"}
    assert len(reservations) == 3
    assert stage.ask() == []
    for number, reservation in enumerate(sorted(reservations)):
        stage.store.presence.renew(f"run {number}", 15, reservation=reservation)
    assert stage.store.presence.present() == Publishers(("run 0", "run 1", "run 2"))
    assert stage.ask() == []


def test_others_join_while_one_runs(stage: Stage) -> None:
    """A backlog that outgrows the publishers at work brings more."""
    stage.store.presence.renew("a run", 15)
    stage.mark(9)
    few = stage.ask()
    stage.mark(10)

    assert few == []
    assert len(stage.ask()) == 1


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (dg.DagsterRunStatus.QUEUED, 0),
        (dg.DagsterRunStatus.NOT_STARTED, 0),
        (dg.DagsterRunStatus.STARTING, 0),
        (dg.DagsterRunStatus.STARTED, 1),
        (dg.DagsterRunStatus.CANCELED, 1),
        (dg.DagsterRunStatus.FAILURE, 1),
    ],
)
def test_a_run_that_waits_in_dagsters_queue_is_not_asked_for_again(
    stage: Stage, status: dg.DagsterRunStatus, asked: int
) -> None:
    """Its reservation has expired. A started run that is not present has died, and is replaced."""
    stage.mark(1)
    stage.ask()
    stage.add_run(status)
    stage.clock.advance(timedelta(seconds=31))

    assert len(stage.ask()) == asked


def test_a_run_that_has_not_started_for_minutes_is_replaced(stage: Stage) -> None:
    """Its process died on the way, as with a killed worker, and publishing must not wait until Dagster gives it up."""
    stage.mark(1)
    stage.add_run(dg.DagsterRunStatus.STARTING)
    # Dagster dates runs by the real clock.
    stage.clock.advance(datetime.now(UTC) - stage.clock() + timedelta(minutes=3))

    assert len(stage.ask()) == 1


def test_a_successor_is_asked_for_while_one_leaves(stage: Stage) -> None:
    """The one that leaves has built everything, and yet changes arrive."""
    stage.store.presence.renew("a run", 15, is_leaving=True)

    assert len(stage.ask()) == 1
