"""``python -m schedules_pipeline.sensors.switches``: reads sensors, timers and daemons of a Dagster instance.

For processes without Dagster, such as the command line. Prints a JSON document about the instance of
``DAGSTER_HOME``: the names that are off, when each of the others last ticked, and the heartbeats of the daemons. With
names of sensors or timers, it switches these on first. No code location is loaded.
"""

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from schedules_pipeline.jobs.switches import names_off, stored_states

_FREQUENT_SECONDS = 60


def switch_on(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    for state in stored_states(instance):
        if state.instigator_name in names and not state.is_running:
            instance.update_instigator_state(state.with_status(InstigatorStatus.RUNNING))


def ticked_at(instance: dg.DagsterInstance, states: Iterable[InstigatorState]) -> dict[str, datetime]:
    """When the latest tick began of each of these sensors that ticks every minute or more often.

    The age of the last tick says nothing about a sensor that ticks more seldom.
    """
    found = {
        state.instigator_name: instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        for state in states
        if state.is_running and _is_frequent(state)
    }
    return {name: _instant(ticks[0].timestamp) for name, ticks in sorted(found.items()) if ticks}


def heartbeats(instance: dg.DagsterInstance) -> dict[str, datetime | None]:
    """The last heartbeat of each daemon that Dagster requires; None if it never had one."""
    return {
        kind: _instant(status.last_heartbeat.timestamp) if status.last_heartbeat else None
        for kind, status in sorted(instance.get_daemon_statuses().items())
        if status.required
    }


def describe(instance: dg.DagsterInstance) -> dict[str, Any]:
    states = stored_states(instance)
    return {
        "off": sorted(names_off(states)),
        "ticked_at": ticked_at(instance, states),
        "daemons": heartbeats(instance),
    }


def _is_frequent(state: InstigatorState) -> bool:
    """A timer is no sensor, and has no interval."""
    data = state.instigator_data
    return isinstance(data, SensorInstigatorData) and (data.min_interval or 0) <= _FREQUENT_SECONDS


def _instant(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def main(names: Sequence[str]) -> None:
    with dg.DagsterInstance.get() as instance:
        switch_on(instance, names)
        sys.stdout.write(json.dumps(describe(instance), default=datetime.isoformat))


if __name__ == "__main__":
    main(sys.argv[1:])
