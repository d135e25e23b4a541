"""The answer of every sensor in a checkout where Dagster was started without Redis."""

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.settings import Settings

HINT = (
    "Redis does not answer at its default address and SCHEDULES_REDIS_URL is not set: "
    "`make run` starts Redis, AWS and Dagster on this machine"
)


def find_missing_redis(settings: Settings, pipeline: Pipeline) -> str:
    """What to start; empty if Redis answers. A configured Redis is not asked: its errors are reported as such."""
    if "redis_url" in settings.model_fields_set:
        return ""
    try:
        pipeline.store.coldstarts.latest()
    except ServiceError:
        return HINT
    return ""
