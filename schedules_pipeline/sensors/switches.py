"""``python -m schedules_pipeline.sensors.switches``: reads sensors, timers and daemons of a Dagster instance.

For processes without Dagster, such as the command line. Prints a JSON document about the instance of
``DAGSTER_HOME``: the names that are off, when each of the others last ticked, and the heartbeats of the daemons. With
names of sensors or timers, it switches these on first. No code location is loaded.
"""

import json
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus


def switch_on(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    for state in instance.all_instigator_state():
        if state.instigator_name in names and not state.is_running:
            instance.update_instigator_state(state.with_status(InstigatorStatus.RUNNING))


def describe(instance: dg.DagsterInstance) -> dict[str, Any]:
    """A sensor without a stored state has its default: on."""
    states = instance.all_instigator_state()
    ticked = {state.instigator_name: _ticked_at(instance, state) for state in states if state.is_running}
    beats = instance.get_daemon_heartbeats()
    return {
        "off": sorted({state.instigator_name for state in states} - ticked.keys()),
        "ticked_at": {name: at for name, at in ticked.items() if at is not None},
        "daemons": {
            kind: _instant(beats[kind].timestamp) if kind in beats else None
            for kind in sorted(instance.get_required_daemon_types())
        },
    }


def _ticked_at(instance: dg.DagsterInstance, state: InstigatorState) -> str | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return _instant(ticks[0].timestamp) if ticks else None


def _instant(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def main(names: Sequence[str]) -> None:
    with dg.DagsterInstance.get() as instance:
        switch_on(instance, names)
        sys.stdout.write(json.dumps(describe(instance)))


if __name__ == "__main__":
    main(sys.argv[1:])
