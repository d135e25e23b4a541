"""One tick of a queue sensor: start publishers if they are needed, and receive while no publisher does.

A tick holds long polls, so that an isolated message does not wait for the next tick. It ends shortly before Dagster's
five-second grid would start the next tick, and at once when a publisher is needed, because Dagster launches runs only
after a tick.
"""

import time

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.observations import observations
from schedules_pipeline.jobs.publish_affected import scale_policy
from schedules_pipeline.jobs.receiving import Intake, may_receive, receive_once, summarise
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.run_tags import describe_causes, run_tags
from schedules_pipeline.sensors.asking import ask_for_publishers
from schedules_pipeline.settings import Settings

EVENT_TAG = "schedules/event_id"
_LONGEST_POLL_SECONDS = 10
_SHORTEST_POLL_SECONDS = 1
_CHECKED_EVERY_SECONDS = 0.5
"""A publisher that is told to end waits for its successor, and the sensors ask for one."""

_PAUSE_AFTER_ERROR_SECONDS = 2.0
_PAUSED = "a coldstart has paused the intake; messages stay in the queue"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def receive_for(
    settings: Settings, pipeline: Pipeline, intake: Intake, context: dg.SensorEvaluationContext
) -> dg.SensorResult:
    """Receive until the time of a tick is over or a publisher is needed. The result says what was received.

    Leaves the messages to publishers that receive, and receives again within seconds when the last of them has died.
    """
    deadline = time.monotonic() + settings.sensor_tick_seconds
    policy = scale_policy(settings)
    total = IngestResult()
    while True:
        left = deadline - time.monotonic()
        is_over = left <= _SHORTEST_POLL_SECONDS / 2
        try:
            if requests := ask_for_publishers(pipeline, context.instance, policy, _run_tags(intake, total)):
                return dg.SensorResult(run_requests=requests, asset_events=_events(intake, total))
            if is_over:
                break
            if pipeline.store.queue_polls.has_receiver(intake.name):
                time.sleep(min(left, _CHECKED_EVERY_SECONDS))
                continue
            wait_seconds = max(_SHORTEST_POLL_SECONDS, min(_LONGEST_POLL_SECONDS, int(left)))
            if not may_receive(pipeline):
                return dg.SensorResult(skip_reason=_PAUSED, asset_events=_events(intake, total))
            total += receive_once(intake, wait_seconds)
        except ServiceError as error:
            _log.warning("trying again in a moment", error=str(error))
            context.log.warning(f"trying again in a moment: {error}")
            if is_over:
                break
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
    return dg.SensorResult(skip_reason=_summary(total), asset_events=_events(intake, total))


def _events(intake: Intake, total: IngestResult) -> list[dg.AssetObservation]:
    return list(observations(intake.name, summarise(total)))


def _run_tags(intake: Intake, total: IngestResult) -> dict[str, str]:
    """What the run was launched for, although it will publish for more. EVENT_TAG names the first event."""
    if not total.causes:
        return run_tags("backlog", "")
    tags = run_tags(intake.name.value, describe_causes(total.causes))
    return {**tags, EVENT_TAG: total.causes[0].event_id}


def _summary(total: IngestResult) -> str:
    counts = ", ".join(f"{amount} {name}" for name, amount in total.counts.items() if amount)
    return f"received {total.received} messages: {counts or 'nothing'}; marked {total.marked} schedules"
