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
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.publishing.intake import IngestResult, ingest
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue

EVENT_TAG = "schedules/event_id"
_LONGEST_POLL_SECONDS = 10
_SHORTEST_POLL_SECONDS = 1
_RESERVED_SECONDS = 30
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
    seconds: float, pipeline: Pipeline, intake: Intake, warn: Callable[[str], None]
) -> dg.SensorResult:
    """Receive for ``seconds``, or until a publisher is needed. The result says what was received."""
    deadline = time.monotonic() + seconds
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
            if _needs_publisher(pipeline):
                return dg.SensorResult(
                    run_requests=[_run_request(total)], asset_events=[*intake.describe(total)]
                )
            if is_paused:
                return dg.SensorResult(
                    skip_reason="a coldstart has paused the intake; messages stay in the queue"
                )
        except ServiceError as error:
            _log.warning("trying again in a moment", error=str(error))
            warn(f"trying again in a moment: {error}")
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


def _needs_publisher(pipeline: Pipeline) -> bool:
    """Whether work waits and no publisher runs. Reserves the publisher's place, so that one sensor starts it."""
    store = pipeline.store
    if store.presence.name():
        return False
    has_work = (
        not store.work.backlog().is_empty
        or store.feed.unrecorded() > 0
        or pipeline.comparer.is_due()
        or store.continuity.pending_repair() is not None
    )
    return has_work and store.presence.reserve("starting", _RESERVED_SECONDS)


def _run_request(total: IngestResult) -> dg.RunRequest:
    """The run is tagged with its first event, although it will publish for many."""
    tags = {EVENT_TAG: total.causes[0].event_id} if total.causes else {}
    return dg.RunRequest(job_name=JOB_NAME, tags=tags)


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
