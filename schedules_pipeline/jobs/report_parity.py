"""The timer of the parity report. For one as of now, materialise the asset ``parity_report``."""

import dagster as dg

from schedules_pipeline.assets import names


def parity_timer() -> dg.ScheduleDefinition:
    """A report every morning, before the working day."""
    return dg.ScheduleDefinition(
        name="parity_timer",
        target=dg.AssetSelection.assets(names.PARITY_REPORT),
        cron_schedule="30 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The parity report, once a day.",
    )
