"""Dagster without Redis: each tick is skipped with one line about what to start."""

from random import Random

import dagster as dg
import pytest
from fakes import Conditions, FakeClock, fake_store, fake_upstreams, pipeline_over
from pydantic import SecretStr

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.sensors.missing_redis import HINT, find_missing_redis
from schedules_pipeline.settings import Settings

_SENSORS = ("schedule_events", "catalogue_events", "coldstart_control", "watch")
_UNSET = Settings(sensor_tick_seconds=1.0)


class _Away(Conditions):
    """A store that never answers."""

    def checkpoint(self, step: str, about: object = ()) -> None:
        raise ServiceError("Redis: away")


def _pipeline(conditions: Conditions | None = None) -> Pipeline:
    clock = FakeClock()
    store = fake_store(clock, conditions) if conditions else fake_store(clock)
    return pipeline_over(store.as_store(), fake_upstreams(clock, Random(0)), clock)


@pytest.mark.parametrize("name", _SENSORS)
def test_every_sensor_says_what_to_start(name: str) -> None:
    """``dagster dev`` in a fresh clone shows the line beside each sensor, and no stack trace."""
    pipeline = _pipeline(_Away())
    definitions = build_defs(_UNSET, pipeline)
    sensor = definitions.resolve_sensor_def(name)

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, definitions=definitions, resources={"pipeline": pipeline})
        tick = sensor.evaluate_tick(context)

    assert tick.skip_message == HINT
    assert "make run" in HINT
    assert "\n" not in HINT


def test_a_configured_redis_is_not_asked() -> None:
    """Its errors are errors of the tick, which operators see as such."""
    configured = Settings(redis_url=SecretStr("redis://redis.test/0"))

    assert find_missing_redis(configured, _pipeline(_Away())) == ""


def test_a_redis_at_the_default_address_needs_no_setting() -> None:
    """The demonstration of a developer with a Redis of their own works."""
    assert find_missing_redis(_UNSET, _pipeline()) == ""
