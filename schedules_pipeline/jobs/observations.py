"""What Dagster shows of received messages: observations of the queues, and of the copies that changed."""

from collections.abc import Iterator

import dagster as dg
import structlog

from schedules_pipeline.assets import names
from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.receiving import Received

_ASSET_OF_QUEUE = {
    QueueName.SCHEDULE_EVENTS: names.SCHEDULE_EVENTS,
    QueueName.CATALOGUE_EVENTS: names.CATALOGUE_EVENTS,
}

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def report(instance: dg.DagsterInstance, queue: QueueName, received: Received) -> None:
    """Show it, if Dagster's database answers."""
    for observation in observations(queue, received):
        try:
            instance.report_runless_asset_event(observation)
        except Exception as error:  # noqa: BLE001 - receiving goes on without Dagster's database
            _log.warning("an observation is not shown in Dagster", error=str(error))


def observations(queue: QueueName, received: Received) -> Iterator[dg.AssetObservation]:
    """Observations rather than materialisations, after which Dagster would call every schedule out of date."""
    if received.received:
        yield dg.AssetObservation(_ASSET_OF_QUEUE[queue], metadata=_metadata(received))
    for kind, amount in received.copies_changed.items():
        metadata = {"copies_changed": amount, "schedules_marked": received.marked}
        yield dg.AssetObservation(ASSET_OF_KIND[Kind(kind)], metadata=metadata)


def _metadata(received: Received) -> dict[str, dg.MetadataValue]:
    """The counts, and the reasons of the first rejected messages by message id."""
    metadata: dict[str, dg.MetadataValue] = {
        name.replace(" ", "_").replace(",", ""): dg.MetadataValue.int(amount)
        for name, amount in received.counts.items()
    }
    metadata["messages_received"] = dg.MetadataValue.int(received.received)
    if received.rejected:
        metadata["messages_rejected"] = dg.MetadataValue.int(received.rejected)
        metadata["rejected"] = dg.MetadataValue.json(dict(received.reasons))
    return metadata
