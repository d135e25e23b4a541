"""The switches of sensors and timers, read and set on a Dagster instance without a code location."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

from schedules_pipeline.cli.dagster_instance import OWN_SENSORS, TIMER_ENDING, read_dagster
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.sensors.switches import describe, switch_on
from schedules_pipeline.settings import Settings

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def _state(name: str, status: InstigatorStatus, seconds: int | None = None) -> InstigatorState:
    location = GrpcServerCodeLocationOrigin("127.0.0.1", 4000)
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
    return InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData(min_interval=seconds))


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance on which an operator has switched off two sensors, one of another team."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        made.add_instigator_state(_state("catalogue_events", InstigatorStatus.STOPPED))
        made.add_instigator_state(_state("of_another_team", InstigatorStatus.STOPPED))
        made.add_instigator_state(_state("schedule_events", InstigatorStatus.DECLARED_IN_CODE))
        yield made


def test_what_is_off_is_told_and_switched_on_by_name(instance: dg.DagsterInstance) -> None:
    """Other sensors stay as they are, and a repetition changes nothing."""
    assert describe(instance)["off"] == ["catalogue_events", "of_another_team"]

    for _ in range(2):
        switch_on(instance, ["catalogue_events", "no_such_sensor"])

    assert describe(instance)["off"] == ["of_another_team"]


def test_the_command_line_reads_it_in_a_process_of_its_own(instance: dg.DagsterInstance) -> None:
    """Daemons that never had a heartbeat are told, and sensors of other code locations are left out."""
    snapshot = read_dagster(_NOW)
    mended = read_dagster(_NOW, ["catalogue_events"])

    assert (snapshot.at, snapshot.sensors_off) == (_NOW, ("catalogue_events",))
    assert snapshot.daemons["SENSOR"] is None
    assert mended.sensors_off == ()
    assert "of_another_team" in describe(instance)["off"]


def test_only_a_sensor_that_ticks_often_is_told_by_its_last_tick(instance: dg.DagsterInstance) -> None:
    """A sensor that ticks every ten minutes would look silent for most of the time."""
    for name, seconds in (("coldstart_control", 5), ("revisit_holds", 600)):
        state = _state(name, InstigatorStatus.DECLARED_IN_CODE, seconds)
        instance.add_instigator_state(state)
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                name,
                InstigatorType.SENSOR,
                TickStatus.SKIPPED,
                _NOW.timestamp(),
                selector_id=state.selector_id,
            )
        )

    assert describe(instance)["ticked_at"] == {"coldstart_control": _NOW}
    assert read_dagster(_NOW).ticked_at == {"coldstart_control": _NOW}


def test_an_instance_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without ``DAGSTER_HOME`` nothing is read; with a wrong one the last line of the error is the reason."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(NotPermitted, match="DAGSTER_HOME is not set"):
        read_dagster(_NOW)

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "missing"))
    with pytest.raises(ServiceError, match=r"Dagster's instance: .*missing"):
        read_dagster(_NOW)


def test_the_names_are_those_of_the_definitions() -> None:
    """A new sensor or timer is known to the doctor."""
    definitions = build_defs(Settings())

    assert {sensor.name for sensor in definitions.sensors or ()} == OWN_SENSORS
    assert all(timer.name.endswith(TIMER_ENDING) for timer in definitions.schedules or ())
