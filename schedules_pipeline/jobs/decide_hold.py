"""Confirms or rejects a held loss of airtime; the asset ``held_losses`` lists what waits for a decision."""

from enum import Enum

import dagster as dg

from schedules_pipeline.assets.holds import holds_metadata
from schedules_pipeline.assets.names import HELD_LOSSES
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.publishing.decide_holds import NoSuchHold
from schedules_pipeline.recording import Recorder
from schedules_pipeline.run_tags import OPERATOR, run_tags
from schedules_pipeline.settings import Settings

JOB_NAME = "decide_hold"


class HoldDecision(Enum):
    CONFIRM = "confirm"
    REJECT = "reject"


class DecideHoldConfig(dg.Config):
    """``hold_id``: from the preview of ``held_losses``. ``decision``: CONFIRM publishes what is held, so partners lose
    this airtime. REJECT keeps what partners have, and restores what the same event took before its budget ran out.
    """

    hold_id: str
    decision: HoldDecision


def decide_hold_job(settings: Settings) -> dg.JobDefinition:
    """The run fails if no hold of this id waits for a decision, or if a schedule could not be rebuilt."""

    @dg.op(name="decide", description="Confirms or rejects one held loss of airtime.")
    def decide(
        context: dg.OpExecutionContext, config: DecideHoldConfig, pipeline: dg.ResourceParam[Pipeline]
    ) -> None:
        holds = pipeline.holds
        try:
            loss = holds.find(config.hold_id)
        except NoSuchHold as error:
            raise dg.Failure(f"{error}; the asset held_losses lists them") from error
        cause = Cause(context.run_id, Origin.OPERATOR, f"hold {loss.id}", pipeline.clock())
        batch = (holds.confirm if config.decision is HoldDecision.CONFIRM else holds.reject)(loss, cause)
        context.instance.add_run_tags(context.run_id, run_tags(OPERATOR, cause.subject, [*loss.held]))
        recorder = Recorder(pipeline, settings, context.instance, OwnRunWriter(context))
        recorder.record_rebuilt(batch)
        context.log_event(dg.AssetMaterialization(HELD_LOSSES, metadata=dict(holds_metadata(holds.list()))))
        context.add_output_metadata({"schedules": len(batch.built), "hours": loss.seconds / 3600})
        if batch.failed:
            raise dg.Failure(
                f"decided, but {len(batch.failed)} schedules could not be built; publishers retry them"
            )

    description = "Confirms or rejects a held loss of airtime, by the id that held_losses shows."
    return single_op_job(decide, JOB_NAME, description)
