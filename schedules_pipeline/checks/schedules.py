"""The asset checks. The publisher evaluates them for every version that it publishes.

An operator who runs them evaluates all published schedules: one record for each partition, and one summary per check.
"""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.migration.ports import Verdict
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.recording import ASSET_OF_CHECK, Recorder
from schedules_pipeline.settings import Settings

_DESCRIPTIONS = {
    CheckName.IS_BUILT: "The latest build succeeded; the schedule is not quarantined after repeated failures.",
    CheckName.SOURCE_ACCEPTED: "The latest source document was accepted, neither rejected nor held.",
    CheckName.BROADCASTS_ACCEPTED: (
        "No broadcast of the accepted document is in quarantine, and none had to be mended. The result names each."
    ),
    CheckName.NO_GAPS_OR_OVERLAPS: (
        "Each broadcast begins where the previous one ends, also from one day to the next; none starts outside its "
        "broadcast day, and days that overlap agree."
    ),
    CheckName.INDEX_COMPLETE: "The back-reference index has an entry for every pid that the schedule depends on.",
    CheckName.REFERENCES_RESOLVED: "The catalogue has every episode, series and brand that the schedule refers to.",
    CheckName.WITHIN_EXPECTED_RANGE: (
        "Broadcasts, hours covered, changes an hour, repeats and unknown episodes are in the expected range of the "
        "service and weekday."
    ),
    CheckName.MATCHES_LEGACY: (
        "The document equals the old system's, field by field. They are compared once the old system has generated "
        "its document after the pipeline's; a difference counts if the old system's next refresh does not remove it."
    ),
}
_AT_ONCE = 200


def schedule_checks(settings: Settings) -> dg.AssetChecksDefinition:
    """All checks as one multi-asset check, so that a run reads each schedule once."""

    @dg.multi_asset_check(
        name="schedule_checks",
        specs=[
            dg.AssetCheckSpec(name.value, asset=ASSET_OF_CHECK[name], description=_DESCRIPTIONS[name])
            for name in CheckName
        ],
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> Iterator[dg.AssetCheckResult]:
        recorder = Recorder(pipeline, settings, context.instance, OwnRunWriter(context.op_execution_context))
        keys = sorted(key for key, change in pipeline.store.feed.heads().items() if not change.is_removal)
        passed: Counter[CheckName] = Counter()
        for start in range(0, len(keys), _AT_ONCE):
            results = recorder.record_checks(keys[start : start + _AT_ONCE])
            passed.update(result.name for result in results if result.passed)
            context.log.info(f"{min(start + _AT_ONCE, len(keys))} of {len(keys)} schedules checked")
        recorder.record_comparisons(pipeline.comparer.compare_all())
        outcomes = Counter(c.verdict for c in pipeline.store.comparisons.all().values())
        passed[CheckName.MATCHES_LEGACY] = outcomes[Verdict.MATCHES]
        wanted = {key.name for key in context.selected_asset_check_keys}
        for name in CheckName:
            if name in wanted:
                yield _summary(name, passed[name], len(keys))

    return checks


def _summary(name: CheckName, passed: int, schedules: int) -> dg.AssetCheckResult:
    """The summary of one check. It fails if nothing is published."""
    return dg.AssetCheckResult(
        asset_key=ASSET_OF_CHECK[name],
        check_name=name.value,
        passed=schedules > 0 and passed == schedules,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{passed} of {schedules} schedules pass",
        metadata={"schedules": schedules, "passed": passed},
    )
