"""The timer of the parity report. For a report as of now, materialise the asset ``parity_report``."""

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.jobs.building import timer


def parity_timer() -> dg.ScheduleDefinition:
    target = dg.AssetSelection.assets(names.PARITY_REPORT)
    return timer("parity_timer", "30 5 * * *", "Makes the parity report every morning.", target=target)
