"""Timers of two assets: expected ranges are learned every day, outliers are reported once a week."""

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.jobs.building import timer
from schedules_pipeline.settings import Settings


def expectations_timer(settings: Settings) -> dg.ScheduleDefinition:
    """After the broadcast day has ended."""
    target = dg.AssetSelection.assets(names.SERVICE_EXPECTATIONS)
    description = "Learns the expected ranges of each service every morning."
    return timer("expectations_timer", "45 6 * * *", description, settings.time_zone, target=target)


def outliers_timer(settings: Settings) -> dg.ScheduleDefinition:
    """On Mondays, when the week's days are learned."""
    target = dg.AssetSelection.assets(names.OUTLIER_REPORT)
    return timer(
        "outliers_timer", "15 7 * * 1", "Reports last week's outliers.", settings.time_zone, target=target
    )
