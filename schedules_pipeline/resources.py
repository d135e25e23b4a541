"""The one Dagster resource: it hands out the pipeline, a plain object, so that nothing else sees Dagster's class."""

from functools import cache

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import Settings, load_settings


@dg.resource(description="Workflows over the store and the upstreams that the environment names.")
def pipeline_resource() -> Pipeline:
    """One a process, since ticks come every few seconds; read from the environment when first needed."""
    return _shared_pipeline(load_settings())


@cache
def _shared_pipeline(settings: Settings) -> Pipeline:
    configure_logs(settings.log_style, settings.log_level)
    return build_pipeline(settings)
