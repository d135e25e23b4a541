"""The one Dagster resource. It returns the pipeline, a plain object without Dagster's classes."""

from functools import cache

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import Settings, load_settings
from schedules_pipeline.tracing import configure_traces


@dg.resource(
    description="The pipeline's workflows, on the store and the upstreams that the environment describes."
)
def pipeline_resource() -> Pipeline:
    """The pipeline of this process. It is built at the first tick or run and kept for the next ones."""
    return shared_pipeline(load_settings())


@cache
def shared_pipeline(settings: Settings) -> Pipeline:
    configure_logs(settings.log_style, settings.log_level)
    configure_traces("publisher", is_on=settings.traces)
    return build_pipeline(settings)
