"""The health of the pipeline as an asset with one check, ``is_healthy``.

The colour of the check is the worst severity. Green: no condition holds. Yellow: something is to be checked in office
hours. Red: partners see, or may soon see, old or wrong schedules. The asset is never materialised, because Dagster
shows a check as not evaluated once its asset has a newer materialisation.
"""

from collections.abc import Mapping

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.documents.markdown import markdown_table
from schedules_pipeline.health.check_health import Checkup
from schedules_pipeline.health.condition import Severity

IS_HEALTHY = "is_healthy"
_MOST_ROWS = 50

HEALTH_ASSET = dg.AssetSpec(
    names.PIPELINE_HEALTH,
    deps=[names.PARTNER_SCHEDULE],
    group_name="schedules",
    kinds={"redis"},
    owners=names.OWNERS,
    description=(
        "The health of the whole pipeline, as status and the alarms show it. Its check is_healthy is green if no "
        "condition holds, yellow for warnings, and red if partners see, or may soon see, old or wrong schedules."
    ),
)


def evaluate(checkup: Checkup) -> dg.AssetCheckEvaluation:
    """The evaluation of a check that was made."""
    return dg.AssetCheckEvaluation(
        asset_key=names.PIPELINE_HEALTH,
        check_name=IS_HEALTHY,
        passed=not checkup.conditions,
        severity=_severity(checkup),
        description=_headline(checkup),
        metadata=_metadata(checkup),
    )


def _severity(checkup: Checkup) -> dg.AssetCheckSeverity:
    is_warning = checkup.worst in (None, Severity.WARNING)
    return dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR


def _headline(checkup: Checkup) -> str:
    return ", ".join(f"{each.name} ({each.severity})" for each in checkup.conditions) or "no condition holds"


def _metadata(checkup: Checkup) -> Mapping[str, dg.MetadataValue]:
    rows = [(each.name, each.severity, each.summary, each.remedy) for each in checkup.conditions]
    table = markdown_table(("condition", "severity", "what", "what to do"), rows, _MOST_ROWS)
    return {
        "conditions": dg.MetadataValue.md(table if rows else "None."),
        "checked": dg.MetadataValue.timestamp(checkup.at),
        "count": dg.MetadataValue.int(len(rows)),
    }
