"""Writes Dagster events in batches: into the run that is at work, or as a finished run of their own.

Belongs here: the form of the events and of the runs that hold them. Does not belong here: which events a version has
(:mod:`~schedules_pipeline.recording`), and the tables (:mod:`~schedules_pipeline.dagster_storage`).

Dagster's ``log_event`` stores each event by itself, with up to 25 connections for one version on Postgres, and keeps it
in memory until the op ends.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from logging import INFO
from typing import TYPE_CHECKING, Protocol

import dagster as dg
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.objects import StepSuccessData

from schedules_pipeline.dagster_storage import store_events, store_finished_run
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.run_tags import WRITTEN, name_some, run_tags
from schedules_pipeline.tracing import followed

if TYPE_CHECKING:
    from dagster._core.execution.plan.plan import ExecutionPlan

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events to store together. ``trigger``: what led to them, a word or two. ``keys``: the schedules that they are
    about. ``changes``: the versions that they record, if they record versions.
    """

    trigger: str
    events: Sequence[Event]
    keys: Sequence[ScheduleKey] = ()
    changes: Sequence[Change] = ()


class EventWriter(Protocol):
    @property
    def run_id(self) -> str:
        """The run that writes, which need not be the run that holds the events."""

    def write(self, batch: EventBatch) -> None:
        """Store all events of the batch. An interrupted call may have stored them, or some of them."""


@dataclass(frozen=True, slots=True)
class OwnRunWriter:
    """Writes into the run of this op. A second evaluation of a check of the same partition replaces the first."""

    context: dg.OpExecutionContext

    @property
    def run_id(self) -> str:
        return self.context.run_id

    def write(self, batch: EventBatch) -> None:
        self._store([_dagster_event(event, self.context.job_name, self._step_key) for event in batch.events])

    def plan(self, assets: Iterable[dg.AssetKey], partitions: Sequence[str]) -> None:
        """Store that this run was to materialise these partitions, which Dagster shows as failed once the run fails.

        Dagster itself stores one such event for a range, which names no partition (``grid_backfills``).
        """
        build = partial(
            DagsterEvent.build_asset_materialization_planned_event, self.context.job_name, self._step_key
        )
        planned = itertools.product(assets, partitions)
        self._store([build(AssetMaterializationPlannedData(*each)) for each in planned])

    @property
    def _step_key(self) -> str:
        return self.context.get_step_execution_context().step.key

    def _store(self, events: Sequence[DagsterEvent]) -> None:
        store_events(self.context.instance, _entries(self.run_id, events), is_new_run=False)


@dataclass(frozen=True)
class BatchRunWriter:
    """Writes each batch as a finished run of ``job``, which rebuilds the schedules of the batch if it is re-executed.

    ``publisher``: the run that writes. ``config_of``: the job's config for some schedules. The job has one op.
    """

    instance: dg.DagsterInstance
    job: dg.JobDefinition
    config_of: Callable[[Sequence[ScheduleKey]], Mapping[str, object]]
    publisher: dg.DagsterRun
    clock: Callable[[], datetime] = field(repr=False)

    @property
    def run_id(self) -> str:
        return self.publisher.run_id

    def write(self, batch: EventBatch) -> None:
        if not batch.events:
            return
        began = time.time_ns()
        began_at, ended_at = self._times(batch.changes)
        run = self._create_run(batch)
        store_finished_run(self.instance, run.run_id, began_at, ended_at)
        store_events(
            self.instance, _entries(run.run_id, self._events(batch, began_at, ended_at)), is_new_run=True
        )
        for change in batch.changes:
            followed("record", change, began)

    @cached_property
    def _plan(self) -> "ExecutionPlan":
        return create_execution_plan(self.job, run_config=self.config_of(()))

    def _create_run(self, batch: EventBatch) -> dg.DagsterRun:
        """The run is finished from the start, so that a death before its events leaves an empty run, which is pruned
        like any other.
        """
        origin = self.publisher.remote_job_origin
        return self.instance.create_run_for_job(
            self.job,
            execution_plan=self._plan,
            run_id=str(uuid.uuid4()),
            run_config=self.config_of(batch.keys),
            status=dg.DagsterRunStatus.SUCCESS,
            tags={**batch_tags(batch), **WRITTEN},
            remote_job_origin=origin and origin._replace(job_name=self.job.name),
        )

    def _times(self, changes: Sequence[Change]) -> tuple[datetime, datetime]:
        """From the first notification to the last publication; of a batch without versions, now."""
        published = [change.published_at for change in changes] or [self.clock()]
        notified = [cause.notified_at for change in changes for cause in change.causes]
        return min(notified + published), max(published)

    def _events(self, batch: EventBatch, began_at: datetime, ended_at: datetime) -> list[DagsterEvent]:
        job_name, (step_key,) = self.job.name, self._plan.step_keys_to_execute
        milliseconds = (ended_at - began_at).total_seconds() * 1000

        def lifecycle(
            kind: DagsterEventType, message: str, data: StepSuccessData | None = None
        ) -> DagsterEvent:
            of_step = kind in {DagsterEventType.STEP_START, DagsterEventType.STEP_SUCCESS}
            return DagsterEvent(
                kind.value,
                job_name,
                step_key=step_key if of_step else None,
                event_specific_data=data,
                message=message,
            )

        return [
            lifecycle(DagsterEventType.RUN_START, f"Recorded by the publisher of run {self.run_id}."),
            lifecycle(DagsterEventType.STEP_START, f"{len(batch.keys)} schedules: {batch.trigger}."),
            *(_dagster_event(event, job_name, step_key) for event in batch.events),
            lifecycle(
                DagsterEventType.STEP_SUCCESS,
                "Everything is recorded.",
                StepSuccessData(milliseconds),  # type: ignore[no-untyped-call]
            ),
            lifecycle(DagsterEventType.RUN_SUCCESS, "Everything is recorded."),
        ]


def batch_tags(batch: EventBatch) -> dict[str, str]:
    """Tags by which a user of Dagster finds the run of a batch: what triggered it, its causes, its services."""
    causes = dict.fromkeys(change.why for change in batch.changes if change.causes)
    return run_tags(batch.trigger, name_some(list(causes)), batch.keys)


def _entries(run_id: str, events: Sequence[DagsterEvent]) -> list[dg.EventLogEntry]:
    now = time.time()
    return [
        dg.EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            level=INFO,
            # Dagster shows the event's own message.
            user_message="",
            run_id=run_id,
            timestamp=now,
            step_key=event.step_key,
            job_name=event.job_name,
            dagster_event=event,
        )
        for event in events
    ]


def _dagster_event(event: Event, job_name: str, step_key: str) -> DagsterEvent:
    kind, data, message = _parts(event)
    return DagsterEvent(kind.value, job_name, step_key=step_key, event_specific_data=data, message=message)


def _parts(
    event: Event,
) -> tuple[DagsterEventType, StepMaterializationData | AssetObservationData | dg.AssetCheckEvaluation, str]:
    match event:
        case dg.AssetMaterialization():
            data = StepMaterializationData(event, [])
            return DagsterEventType.ASSET_MATERIALIZATION, data, f"Materialized {event.label}."
        case dg.AssetObservation():
            return DagsterEventType.ASSET_OBSERVATION, AssetObservationData(event), f"Observed {event.label}."
        case dg.AssetCheckEvaluation():
            # Dagster shows the check's name beside it.
            message = "Passed." if event.passed else "Did not pass."
            return DagsterEventType.ASSET_CHECK_EVALUATION, event, message
