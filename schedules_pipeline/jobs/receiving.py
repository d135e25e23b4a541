"""Receives from the queues. A publisher does so continuously; the ticks of the sensors do while no publisher does.

Imports nothing of Dagster, so that the process in which a publisher receives is small and starts soon.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog

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
    """A queue, and the workflow that handles its messages.

    ``name``: also of the sensor by which an operator switches the queue off.
    """

    name: QueueName
    queue: MessageSource
    handle: Callable[[Sequence[Message]], IngestResult]


@dataclass(frozen=True, slots=True)
class Received:
    """What Dagster shows of received messages, in values of JSON. ``copies_changed``: by kind. ``reasons``: of the
    first rejected messages, by message id.
    """

    received: int
    marked: int
    counts: Mapping[str, int]
    copies_changed: Mapping[str, int]
    rejected: int
    reasons: Mapping[str, str]

    def __add__(self, other: "Received") -> "Received":
        """No longer than each of them, however many are added."""
        return Received(
            self.received + other.received,
            self.marked + other.marked,
            Counter(self.counts) + Counter(other.counts),
            Counter(self.copies_changed) + Counter(other.copies_changed),
            self.rejected + other.rejected,
            dict(islice({**self.reasons, **other.reasons}.items(), _SHOWN_REJECTIONS)),
        )


def summarise(result: IngestResult) -> Received:
    shown = islice(result.rejected.items(), _SHOWN_REJECTIONS)
    return Received(
        result.received,
        result.marked,
        {counter.value: amount for counter, amount in result.counts.items()},
        {kind.value: amount for kind, amount in result.copies_changed.items()},
        len(result.rejected),
        {message_id: rejection.reason for message_id, rejection in shown},
    )


def intakes(pipeline: Pipeline) -> dict[QueueName, Intake]:
    """The intake of each queue."""
    schedules, catalogue = pipeline.upstreams.schedule_queue, pipeline.upstreams.catalogue_queue
    found = (
        Intake(QueueName.SCHEDULE_EVENTS, schedules, pipeline.schedule_intake.handle),
        Intake(QueueName.CATALOGUE_EVENTS, catalogue, pipeline.catalogue_intake.handle),
    )
    return {each.name: each for each in found}


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
