"""The sensor ``coldstart_control``, over fakes and an instance in memory."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster_stage import DagsterStage
from fakes import fake_store, pipeline_over

from schedules_pipeline.definitions import build_defs
from schedules_pipeline.jobs.coldstart import ID_TAG, JOB_NAME
from schedules_pipeline.maintenance.coldstart import LEASE_FOR
from schedules_pipeline.maintenance.ports import Stage
from schedules_pipeline.maintenance.protect import ProtectionMemory
from schedules_pipeline.sensors.coldstart_control import coldstart_control_sensor, parse_cursor
from schedules_pipeline.settings import Settings

_SETTINGS = Settings(coldstart_shards=2)


class World(DagsterStage):
    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.cursor: str | None = None

    def tick(self) -> list[dg.RunRequest]:
        """One tick with the cursor of the previous one."""
        resources = {"pipeline": self.pipeline}
        with dg.build_sensor_context(self.instance, self.cursor, resources=resources) as context:
            result = coldstart_control_sensor(_SETTINGS)(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or ())

    def launch(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        job = build_defs(_SETTINGS, self.pipeline).resolve_job_def(JOB_NAME)
        return job.execute_in_process(
            instance=self.instance, partition_key=request.partition_key, tags=dict(request.tags)
        )


@pytest.fixture
def world() -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(instance)


def test_an_empty_keyspace_is_coldstarted(world: World) -> None:
    """On an empty keyspace the sensor launches one run for each shard of one coldstart."""
    requests = world.tick()

    latest = world.store.coldstarts.latest()
    assert latest is not None
    assert [request.partition_key for request in requests] == ["1-of-2", "2-of-2"]
    assert {request.tags[ID_TAG] for request in requests} == {latest.id}
    assert latest.request.by_itself


def test_its_runs_are_launched_once(world: World) -> None:
    """The runs of one request end one coldstart together, and no later tick launches any."""
    requests = world.tick()
    results = [world.launch(request) for request in requests]

    later = [world.tick() for _ in range(3)]

    assert all(result.success for result in results)
    assert later == [[], [], []]
    latest = world.store.coldstarts.latest()
    assert latest is not None
    assert latest.stage is Stage.FINISHED


def test_runs_that_died_are_launched_again(world: World) -> None:
    """If no worker has renewed an open coldstart's lease, the sensor launches its runs again."""
    first = world.tick()
    latest = world.store.coldstarts.latest()
    assert latest is not None
    world.store.coldstarts.lead(latest.id, "run that died", world.clock(), LEASE_FOR)
    meanwhile = world.tick()
    world.clock.advance(LEASE_FOR + timedelta(seconds=1))

    again = world.tick()

    assert meanwhile == []
    assert [request.tags for request in again] == [request.tags for request in first]


def test_a_lost_store_is_coldstarted_again(world: World) -> None:
    """The next tick notices that Redis came back empty after a finished coldstart."""
    for request in world.tick():
        world.launch(request)
    world.tick()
    lost = fake_store(world.clock)
    world.pipeline = pipeline_over(lost.as_store(), world.upstreams, world.clock)
    world.clock.advance(2 * LEASE_FOR)

    world.tick()

    latest = lost.coldstarts.latest()
    assert latest is not None
    assert "is empty" in latest.request.reason


@pytest.mark.parametrize("cursor", [None, "", "not json", '{"witness": 5}'])
def test_a_cursor_that_says_nothing_is_one_of_nothing_seen(cursor: str | None) -> None:
    """Without a valid cursor the memory is empty."""
    assert parse_cursor(cursor) == ProtectionMemory()


def test_a_cursor_is_read_back(world: World) -> None:
    """The cursor of one tick is the memory of the next: epoch, histories of the servers, last row."""
    world.store.coldstarts.begin_epoch("one")
    world.tick()

    witness = parse_cursor(world.cursor).witness
    assert (witness.epoch, list(witness.servers)) == ("one", [world.store.server.found[0].lineage])


def test_a_cursor_of_an_older_release_keeps_its_storm() -> None:
    """The memory of the epoch has another form; the next tick begins a new one."""
    cursor = '{"epoch": {"id": "one", "heartbeats": 3}, "in_storm": true, "postponed": "lost"}'

    assert parse_cursor(cursor) == ProtectionMemory(in_storm=True)
