"""Asks Dagster for as many publishers as the backlog wants."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.publish_affected import JOB_NAME, RESERVATION_TAG
from schedules_pipeline.publishing.ports.presence import STARTING
from schedules_pipeline.publishing.scale_publishers import (
    ScalePolicy,
    publishers_missing,
    publishers_wanted,
)

_RESERVED_SECONDS = 30
_STARTS_WITHIN = timedelta(minutes=2)
"""A run that Dagster launched longer ago has died on its way. One that waits in its queue may wait for hours."""


def ask_for_publishers(
    pipeline: Pipeline, instance: dg.DagsterInstance, policy: ScalePolicy, tags: Mapping[str, str]
) -> list[dg.RunRequest]:
    """Requests for the publishers that are missing, each of which is reserved, so that one sensor asks for it."""
    presence = pipeline.store.presence
    publishers, now = presence.present(), pipeline.clock()
    wanted = publishers_wanted(pipeline.store.work.backlog(), publishers, policy, now)
    if not wanted and not publishers and _has_other_work(pipeline):
        wanted = 1
    if not publishers_missing(wanted, publishers):
        return []
    missing = publishers_missing(wanted, publishers, _count_not_started(instance, now))
    names = [f"{STARTING}:{uuid.uuid4()}" for _ in range(missing)]
    return [
        dg.RunRequest(job_name=JOB_NAME, tags={**tags, RESERVATION_TAG: name})
        for name in names
        if presence.reserve(name, _RESERVED_SECONDS, wanted)
    ]


def _has_other_work(pipeline: Pipeline) -> bool:
    """Whether versions are to be recorded or compared, or a loss of Redis is to be repaired."""
    store = pipeline.store
    return (
        store.feed.unrecorded() > 0
        or pipeline.comparer.is_due()
        or store.continuity.pending_repair() is not None
    )


def _count_not_started(instance: dg.DagsterInstance, now: datetime) -> int:
    """The runs of publishers that Dagster will start: those in its queue, and those that it launched lately."""
    queued = dg.RunsFilter(job_name=JOB_NAME, statuses=[dg.DagsterRunStatus.QUEUED])
    launched = dg.RunsFilter(
        job_name=JOB_NAME,
        statuses=[dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING],
        created_after=now - _STARTS_WITHIN,
    )
    return instance.get_runs_count(queued) + instance.get_runs_count(launched)
