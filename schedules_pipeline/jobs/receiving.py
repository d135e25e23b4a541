"""Receives from the queues. A publisher does so continuously; the ticks of the sensors do while no publisher does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import structlog

from schedules_pipeline.assets import names
from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.traced import traced_handling
from schedules_pipeline.publishing.intake import IngestResult, ingest
from schedules_pipeline.publishing.ports.upstream import Message, MessageSource

_SHOWN_REJECTIONS = 20
"""Dagster stores the metadata of every observation, so a flood of invalid messages is cut."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Intake:
    """A queue, the workflow that handles its messages, and the observations that Dagster shows of the result.

    ``name``: also of the sensor by which an operator switches the queue off.
    """

    name: QueueName
    queue: MessageSource
    handle: Callable[[Sequence[Message]], IngestResult]
    describe: Callable[[IngestResult], Iterator[dg.AssetObservation]]


def intakes(pipeline: Pipeline) -> dict[QueueName, Intake]:
    """The intake of each queue."""
    upstreams = pipeline.upstreams
    schedules = Intake(
        QueueName.SCHEDULE_EVENTS,
        upstreams.schedule_queue,
        pipeline.schedule_intake.handle,
        _describe_schedule_events,
    )
    catalogue = Intake(
        QueueName.CATALOGUE_EVENTS,
        upstreams.catalogue_queue,
        pipeline.catalogue_intake.handle,
        _describe_catalogue_events,
    )
    return {each.name: each for each in (schedules, catalogue)}


def may_receive(pipeline: Pipeline) -> bool:
    """Whether no coldstart has paused the intake. To be checked before messages are received: every failed delivery
    brings a message nearer to the dead letters.

    Raises :class:`ServiceError` if the store cannot store marks.
    """
    pipeline.store.work.require_writable()
    return not pipeline.store.coldstarts.intake_is_paused()


def receive_once(intake: Intake, wait_seconds: int) -> IngestResult:
    """Receive once, and log what was ingested.

    Raises :class:`ServiceError` if the store or the queue does not answer; the queue delivers the messages again.
    """
    ingested = ingest(intake.queue, traced_handling(intake.handle), wait_seconds)
    _log_ingested(ingested)
    return ingested


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


def _describe_schedule_events(ingested: IngestResult) -> Iterator[dg.AssetObservation]:
    if ingested.received:
        yield dg.AssetObservation(names.SCHEDULE_EVENTS, metadata=rejection_metadata(ingested))


def _describe_catalogue_events(ingested: IngestResult) -> Iterator[dg.AssetObservation]:
    """Observations rather than materialisations, after which Dagster would call every schedule out of date."""
    if ingested.received:
        yield dg.AssetObservation(names.CATALOGUE_EVENTS, metadata=rejection_metadata(ingested))
    for kind, amount in ingested.copies_changed.items():
        yield dg.AssetObservation(
            ASSET_OF_KIND[kind], metadata={"copies_changed": amount, "schedules_marked": ingested.marked}
        )


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
