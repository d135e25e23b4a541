"""The state of each check over all schedules, as an evaluation without a partition.

Dagster shows the latest evaluation as the state of a check, so each batch of records ends with this one. Without it,
the colour of a check would be that of the schedule that was evaluated last.
"""

from collections.abc import Sequence

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.markdown import escape_markdown, markdown_table
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.event_batches import Event
from schedules_pipeline.health.ports import CheckState
from schedules_pipeline.publishing.check_schedules import CheckName

ASSET_OF_CHECK = {
    CheckName.IS_BUILT: names.PARTNER_SCHEDULE,
    CheckName.SOURCE_ACCEPTED: names.SOURCE_SCHEDULE,
    CheckName.BROADCASTS_ACCEPTED: names.SOURCE_SCHEDULE,
    CheckName.NO_GAPS_OR_OVERLAPS: names.SOURCE_SCHEDULE,
    CheckName.INDEX_COMPLETE: names.BACK_REFERENCE_INDEX,
    CheckName.REFERENCES_RESOLVED: names.PARTNER_SCHEDULE,
    CheckName.WITHIN_EXPECTED_RANGE: names.PARTNER_SCHEDULE,
    CheckName.MATCHES_LEGACY: names.PARTNER_SCHEDULE,
}
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 300


def overall_evaluations(pipeline: Pipeline, events: Sequence[Event]) -> list[dg.AssetCheckEvaluation]:
    """The state of every check that is among these events, and of all checks of the assets that they record. Dagster
    shows a check as not evaluated once its asset has a newer materialisation.
    """
    evaluated = {event.check_name for event in events if isinstance(event, dg.AssetCheckEvaluation)}
    recorded = {event.asset_key for event in events if not isinstance(event, dg.AssetCheckEvaluation)}
    concerned = [
        name.value
        for name in CheckName
        if name.value in evaluated or (ASSET_OF_CHECK[name] in recorded and is_known(pipeline, name))
    ]
    states = pipeline.store.failing_checks.states(concerned) if concerned else {}
    return [_evaluation(CheckName(name), state) for name, state in states.items()]


def is_known(pipeline: Pipeline, name: CheckName) -> bool:
    """False before the first comparison with the old system, when that no schedule fails would tell nothing."""
    return name is not CheckName.MATCHES_LEGACY or pipeline.store.comparisons.compared_refresh() != ""


def describe_state(state: CheckState) -> str:
    """As Markdown: how many schedules fail, and one of them."""
    if not state.failing:
        return "no schedule fails"
    errors = f", {state.errors} of them as errors" if state.errors and state.warnings else ""
    text = f"{state.failing} {'schedule fails' if state.failing == 1 else 'schedules fail'}{errors}"
    for key, summary in state.examples.items():
        example = f"{key}: {escape_markdown(shorten(summary, _EXAMPLE_CHARACTERS))}"
        return f"{text}; {'for example ' if state.failing > 1 else ''}{example}"
    return text


def severity_of(state: CheckState) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if state.errors else dg.AssetCheckSeverity.WARN


def state_metadata(state: CheckState) -> dict[str, dg.MetadataValue]:
    """A number that Dagster plots over time, and some of the failing schedules."""
    metadata: dict[str, dg.MetadataValue] = {"failing": dg.MetadataValue.int(state.failing)}
    if state.failing:
        rows = [(str(key), text) for key, text in state.examples.items()]
        metadata["examples"] = dg.MetadataValue.md(markdown_table(("schedule", "result"), rows, _EXAMPLES))
    return metadata


def _evaluation(name: CheckName, state: CheckState) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=ASSET_OF_CHECK[name],
        check_name=name.value,
        passed=not state.failing,
        severity=severity_of(state),
        description=describe_state(state),
        metadata=state_metadata(state),
    )
