"""Conditions of the processes: the watch, Dagster's daemons and sensors, and those that serve partners."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedules_pipeline.health.condition import Condition, ConditionName, make_condition
from schedules_pipeline.health.facts import Facts
from schedules_pipeline.health.wording import duration, instant
from schedules_pipeline.maintenance.ports import PassName

WATCH_MISSED_AFTER = timedelta(minutes=2)
_DAEMON_MISSED_AFTER = timedelta(minutes=3)
_TICK_MISSED_AFTER = timedelta(minutes=5)
"""A tick of the intake receives for up to a minute."""
_HEARTBEAT_MISSED_AFTER = timedelta(minutes=2)
_HEARTBEAT_FORGOTTEN_AFTER = timedelta(days=7)
"""A process that was switched off for good must not be reported for ever."""


def last_watch(facts: Facts) -> datetime | None:
    """When the watch last began or ended a check."""
    record = facts.passes.get(PassName.WATCH)
    known = [*([record.latest.ended_at] if record else ()), *([facts.dagster.at] if facts.dagster else ())]
    return max(known, default=None)


def is_dagster_known(facts: Facts, now: datetime) -> bool:
    """Whether the watch has recorded lately what only Dagster knows."""
    return facts.dagster is not None and now - facts.dagster.at <= WATCH_MISSED_AFTER


def find_silent_watch(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A keyspace in which nothing was published yet has just begun, and the first check may be on its way."""
    last = last_watch(facts)
    if last is None:
        if facts.published:
            yield make_condition(
                ConditionName.WATCH_SILENT, "the watch", "the watch has never checked this keyspace"
            )
    elif now - last > WATCH_MISSED_AFTER:
        summary = f"the watch has not checked for {duration(now - last)}, so no notice is sent"
        yield make_condition(ConditionName.WATCH_SILENT, "the watch", summary, {"last": instant(last)}, last)


def find_silent_daemons(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A daemon without a heartbeat gets the time to start that one with a heartbeat gets to repeat it."""
    if facts.dagster is None or not is_dagster_known(facts, now):
        return
    began = facts.watched_since or now
    silent = {
        daemon: at
        for daemon, at in sorted(facts.dagster.daemons.items())
        if facts.dagster.at - (at or began) > _DAEMON_MISSED_AFTER
    }
    if silent:
        evidence = {daemon: instant(at) if at else "never" for daemon, at in silent.items()}
        names = ", ".join(silent)
        summary = f"no heartbeat of Dagster's daemon: {names}"
        yield make_condition(ConditionName.DAEMON_SILENT, names, summary, evidence)


def find_sensors_off(facts: Facts, now: datetime) -> Iterator[Condition]:
    """Sensors that are switched off, and sensors whose ticks do not end."""
    if facts.dagster is None or not is_dagster_known(facts, now):
        return
    found = dict.fromkeys(facts.dagster.sensors_off, "switched off") | {
        name: f"no tick since {instant(at)}"
        for name, at in facts.dagster.ticked_at.items()
        if facts.dagster.at - at > _TICK_MISSED_AFTER
    }
    if found:
        names = ", ".join(sorted(found))
        yield make_condition(
            ConditionName.SENSORS_OFF, names, f"off or without ticks: {names}", dict(sorted(found.items()))
        )


def find_silent_processes(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A kind of process without any heartbeat is not used in this installation.

    After an outage of the store the processes get two checks to report again.
    """
    silent = {
        process: at
        for process, at in sorted(facts.heartbeats.items())
        if _HEARTBEAT_MISSED_AFTER < now - at <= _HEARTBEAT_FORGOTTEN_AFTER
    }
    if silent:
        summary = ", ".join(f"{process} for {duration(now - at)}" for process, at in silent.items())
        evidence = {process.value: instant(at) for process, at in silent.items()}
        yield make_condition(
            ConditionName.DELIVERY_SILENT,
            ", ".join(silent),
            f"no heartbeat: {summary}",
            evidence,
            min(silent.values()),
        )
