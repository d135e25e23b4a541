"""What both queues' sensors do in one tick. Thin: the workflow takes messages in, Dagster starts runs.

A tick holds long polls, one after the other, so that an isolated message does not wait for the next tick.
It ends shortly before Dagster's five-second grid would start the next one, and at once when a publisher has
to be started, for Dagster launches runs only after a tick.
"""

import time
from collections.abc import Callable, Iterator, Sequence

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
_BOOKED_SECONDS = 30
_PAUSE_AFTER_ERROR_SECONDS = 2.0
_SHOWN_REJECTIONS = 20
"""Of a flood of messages that say nothing the first do; Dagster keeps what it is told."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

Handle = Callable[[Sequence[Message]], IngestResult]


def receive_for(
    seconds: float,
    pipeline: Pipeline,
    queue: NotificationQueue,
    handle: Handle,
    describe: Callable[[IngestResult], Iterator[dg.AssetObservation]],
    log: Callable[[str], None],
) -> dg.SensorResult:
    """Receive until the time is over or a publisher is wanted; say in the result what was received."""
    deadline = time.monotonic() + seconds
    total = IngestResult()
    while (left := deadline - time.monotonic()) > _SHORTEST_POLL_SECONDS / 2:
        try:
            # The store first, and by a write, which a full one refuses: each delivery that cannot be handled
            # brings a message nearer to the dead letters.
            pipeline.store.work.require_writable()
            is_paused = pipeline.store.coldstarts.intake_is_paused()
            if not is_paused:
                wait_seconds = max(_SHORTEST_POLL_SECONDS, min(_LONGEST_POLL_SECONDS, int(left)))
                taken = ingest(queue, handle, wait_seconds)
                _log_taken(taken)
                total += taken
            if _publisher_is_wanted(pipeline):
                return _result(total, describe, [_run_request(total)])
            if is_paused:
                return dg.SensorResult(
                    skip_reason="a coldstart has stopped the intake; what comes meanwhile waits"
                )
        except ServiceError as error:
            _log.warning("trying again in a moment", error=str(error))
            log(f"trying again in a moment: {error}")
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
    return _result(total, describe, [])


def _log_taken(taken: IngestResult) -> None:
    """A line for each notification, which begins the story of its event."""
    for cause in taken.causes:
        _log.info(
            "notification taken in",
            event_id=cause.event_id,
            origin=cause.origin.value,
            subject=cause.subject,
            notified_at=cause.notified_at.isoformat(),
        )
    for message_id, rejection in taken.rejected.items():
        _log.warning("notification refused", event_id=message_id, reason=rejection.reason)


def _publisher_is_wanted(pipeline: Pipeline) -> bool:
    """Whether there is something to do and nobody to do it; books the publisher, so that only one is started."""
    store = pipeline.store
    if store.presence.name():
        return False
    has_work = not store.work.backlog().is_empty or store.feed.unrecorded() > 0 or pipeline.comparer.is_due()
    return has_work and store.presence.reserve("starting", _BOOKED_SECONDS)


def _run_request(total: IngestResult) -> dg.RunRequest:
    """The run is tagged with the event that it was started for; it will serve many others."""
    tags = {EVENT_TAG: total.causes[0].event_id} if total.causes else {}
    return dg.RunRequest(job_name=JOB_NAME, tags=tags)


def _result(
    total: IngestResult,
    describe: Callable[[IngestResult], Iterator[dg.AssetObservation]],
    run_requests: list[dg.RunRequest],
) -> dg.SensorResult:
    events = list(describe(total))
    if run_requests:
        return dg.SensorResult(run_requests=run_requests, asset_events=events)
    counts = ", ".join(f"{amount} {name}" for name, amount in total.counts.items() if amount)
    summary = f"received {total.received} messages: {counts or 'nothing'}; marked {total.marked} schedules"
    return dg.SensorResult(skip_reason=summary, asset_events=events)


def rejection_metadata(taken: IngestResult) -> dict[str, dg.MetadataValue]:
    """Counts, and the reason of the first refused messages, by their ids; all are in the store."""
    metadata: dict[str, dg.MetadataValue] = {
        name.replace(" ", "_").replace(",", ""): dg.MetadataValue.int(amount)
        for name, amount in taken.counts.items()
    }
    metadata["messages_received"] = dg.MetadataValue.int(taken.received)
    if taken.rejected:
        shown = list(taken.rejected.items())[:_SHOWN_REJECTIONS]
        metadata["messages_refused"] = dg.MetadataValue.int(len(taken.rejected))
        metadata["refused"] = dg.MetadataValue.json({name: rejection.reason for name, rejection in shown})
    return metadata
