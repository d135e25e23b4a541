"""The Dagster instance of ``DAGSTER_HOME``, read in a process of its own, because the command line has no Dagster."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.ports import DagsterSnapshot

_MODULE = "schedules_pipeline.sensors.switches"
_LIMIT_SECONDS = 40
"""Importing Dagster takes seconds, and its database may be slow to connect."""

OWN_SENSORS = {"schedule_events", "catalogue_events", "coldstart_control", "revisit_holds", "watch"}
TIMER_ENDING = "_timer"


def read_dagster(now: datetime, switch_on: Sequence[str] = ()) -> DagsterSnapshot:
    """The instance as it is now, after switching these sensors and timers on.

    Raises :class:`NotPermitted` without ``DAGSTER_HOME``, and :class:`ServiceError` if the instance cannot be read.
    """
    if not os.environ.get("DAGSTER_HOME"):
        raise NotPermitted("DAGSTER_HOME is not set, so what the watch has recorded is judged")
    try:
        done = subprocess.run(  # noqa: S603 - this program, with names that a Dagster instance told
            [sys.executable, "-m", _MODULE, *switch_on],
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"Dagster's instance: {error}") from error
    if done.returncode != 0:
        raise ServiceError(f"Dagster's instance: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
    return _snapshot(json.loads(done.stdout), now)


def _snapshot(document: dict[str, Any], now: datetime) -> DagsterSnapshot:
    """Without the sensors and timers of other code locations."""

    def is_own(name: str) -> bool:
        return name in OWN_SENSORS or name.endswith(TIMER_ENDING)

    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    return DagsterSnapshot(
        at=now,
        sensors_off=tuple(filter(is_own, document["off"])),
        ticked_at={
            name: datetime.fromisoformat(at)
            for name, at in document["ticked_at"].items()
            if name in OWN_SENSORS
        },
        daemons={kind: instant(at) for kind, at in document["daemons"].items()},
    )
