"""One tick of a queue sensor: receive until the time is over, and start a publisher if one is needed.

A tick holds long polls, so that an isolated message does not wait for the next tick. It ends shortly before Dagster's
five-second grid would start the next tick, and at once when a publisher is needed, because Dagster launches runs only
after a tick.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.publish_affected import scale_policy
from schedules_pipeline.publishing.intake import IngestResult, ingest
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue
from schedules_pipeline.sensors.asking import ask_for_publishers
from schedules_pipeline.settings import Settings

EVENT_TAG = "schedules/event_id"
_LONGEST_POLL_SECONDS = 10
_SHORTEST_POLL_SECONDS = 1
_PAUSE_AFTER_ERROR_SECONDS = 2.0
_SHOWN_REJECTIONS = 20
"""Dagster stores the metadata of every tick, so a flood of invalid messages is cut."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Intake:
    """A queue, the workflow that handles its messages, and the observations that Dagster shows of the result."""

    queue: NotificationQueue
    handle: Callable[[Sequence[Message]], IngestResult]
    describe: Callable[[IngestResult], Iterator[dg.AssetObservation]]


def receive_for(
    settings: Settings, pipeline: Pipeline, intake: Intake, context: dg.SensorEvaluationContext
) -> dg.SensorResult:
    """Receive until the time of a tick is over or a publisher is needed. The result says what was received."""
    deadline = time.monotonic() + settings.sensor_tick_seconds
    policy = scale_policy(settings)
    total = IngestResult()
    while (left := deadline - time.monotonic()) > _SHORTEST_POLL_SECONDS / 2:
        try:
            # Checked before a message is received: every failed delivery brings it nearer to the dead letters.
            pipeline.store.work.require_writable()
            is_paused = pipeline.store.coldstarts.intake_is_paused()
            if not is_paused:
                wait_seconds = max(_SHORTEST_POLL_SECONDS, min(_LONGEST_POLL_SECONDS, int(left)))
                ingested = ingest(intake.queue, intake.handle, wait_seconds)
                _log_ingested(ingested)
                total += ingested
            requests = ask_for_publishers(pipeline, context.instance, policy, _run_tags(total))
            if requests:
                return dg.SensorResult(run_requests=requests, asset_events=[*intake.describe(total)])
            if is_paused:
                return dg.SensorResult(
                    skip_reason="a coldstart has paused the intake; messages stay in the queue"
                )
        except ServiceError as error:
            _log.warning("trying again in a moment", error=str(error))
            context.log.warning(f"trying again in a moment: {error}")
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
    return dg.SensorResult(skip_reason=_summary(total), asset_events=[*intake.describe(total)])


def _log_ingested(ingested: IngestResult) -> None:
    for cause in ingested.causes:
        _log.info(
            "notification ingested",
            event_id=cause.event_id,
            origin=cause.origin.value,
            subject=cause.subject,
            notified_at=cause.notified_at.isoformat(),
        )
    for message_id, rejection in ingested.rejected.items():
        _log.warning("notification rejected", event_id=message_id, reason=rejection.reason)
    for message_id, error in ingested.kept.items():
        _log.warning("notification not sent to the dead letters", event_id=message_id, error=error)


def _run_tags(total: IngestResult) -> dict[str, str]:
    """The run is tagged with its first event, although it will publish for many."""
    return {EVENT_TAG: total.causes[0].event_id} if total.causes else {}


def _summary(total: IngestResult) -> str:
    counts = ", ".join(f"{amount} {name}" for name, amount in total.counts.items() if amount)
    return f"received {total.received} messages: {counts or 'nothing'}; marked {total.marked} schedules"


def rejection_metadata(ingested: IngestResult) -> dict[str, dg.MetadataValue]:
    """The counts, and the reasons of the first rejected messages by message id."""
    metadata: dict[str, dg.MetadataValue] = {
        name.replace(" ", "_").replace(",", ""): dg.MetadataValue.int(amount)
        for name, amount in ingested.counts.items()
    }
    metadata["messages_received"] = dg.MetadataValue.int(ingested.received)
    if ingested.rejected:
        shown = list(ingested.rejected.items())[:_SHOWN_REJECTIONS]
        metadata["messages_rejected"] = dg.MetadataValue.int(len(ingested.rejected))
        metadata["rejected"] = dg.MetadataValue.json({name: rejection.reason for name, rejection in shown})
    return metadata
