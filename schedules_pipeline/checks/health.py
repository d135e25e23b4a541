"""The asset check ``is_healthy``: the conditions that ``status`` and the alarms show."""

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.assets.health import IS_HEALTHY, evaluate
from schedules_pipeline.composition import Pipeline


def health_check() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name=IS_HEALTHY,
        asset=names.PIPELINE_HEALTH,
        description=(
            "No condition of the pipeline's health holds. Yellow: only warnings. Red: partners see, or may soon see, "
            "old or wrong schedules. The sensor watch records it when it changes and every hour; an older result means "
            "that the watch does not run."
        ),
    )
    def is_healthy(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
        found = evaluate(pipeline.health.check_or_report_outage())
        return dg.AssetCheckResult(
            passed=found.passed,
            severity=found.severity,
            description=found.description,
            metadata=found.metadata,
        )

    return is_healthy
