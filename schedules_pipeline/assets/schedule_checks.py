"""The checks of the schedules as Dagster shows them. The rules belong to ``publishing`` and ``migration``.

The publisher evaluates them for every version. A person who executes some evaluates these alone, of every published
schedule: one record for each partition, and a summary of each check.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.overall_checks import (
    ASSET_OF_CHECK,
    describe_state,
    is_known,
    severity_of,
    state_metadata,
)
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult
from schedules_pipeline.recording import Recorder

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
        "its document after the pipeline's; a difference counts if the old system's next refresh does not remove it. "
        "A warning: it may still be removed, the schedule is held, or two refreshes gave nothing to compare with."
    ),
}
_AT_ONCE = 200
_NOTHING = "this run has checked no schedule"


def check_specs() -> list[dg.AssetCheckSpec]:
    """Without partitions: Dagster 1.13 cannot show the state of a check by partitions that are added at run time."""
    return [
        dg.AssetCheckSpec(name.value, asset=ASSET_OF_CHECK[name], description=_DESCRIPTIONS[name])
        for name in CheckName
    ]


def evaluate_checks(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    keys: Sequence[ScheduleKey],
    wanted: AbstractSet[CheckName],
) -> list[CheckResult]:
    """Evaluate these checks, and no other, of published schedules."""
    found: list[CheckResult] = []
    if wanted - {CheckName.MATCHES_LEGACY}:
        for start in range(0, len(keys), _AT_ONCE):
            found += recorder.record_checks(keys[start : start + _AT_ONCE], wanted)
            context.log.info(f"{min(start + _AT_ONCE, len(keys))} of {len(keys)} schedules checked")
    if CheckName.MATCHES_LEGACY in wanted:
        # The outcomes of all schedules: no later comparison would record those that are new now.
        pipeline.comparer.compare_all(recorder.record_comparisons)
        found += recorder.record_known_comparisons(keys)
    return found


def summarise(
    pipeline: Pipeline,
    results: Iterable[CheckResult],
    wanted: AbstractSet[CheckName],
    *,
    is_state_known: bool,
) -> Iterator[dg.AssetCheckResult]:
    """One result for each wanted check, which Dagster shows as its state: it fails if any schedule fails, also one that
    this run has not checked, or if nothing is known. Its description begins with the schedules of this run.

    ``is_state_known``: whether the outcomes of all schedules are known although this run has checked none.
    """
    tally = Counter((result.name, result.passed) for result in results)
    states = pipeline.store.failing_checks.states([name.value for name in CheckName if name in wanted])
    for name, state in states.items():
        passed, failed = (tally[CheckName(name), outcome] for outcome in (True, False))
        is_told = passed + failed > 0 or (is_state_known and is_known(pipeline, CheckName(name)))
        checked = f"{passed} of {passed + failed} schedules of this run pass" if passed + failed else _NOTHING
        yield dg.AssetCheckResult(
            asset_key=ASSET_OF_CHECK[CheckName(name)],
            check_name=name,
            passed=not state.failing and is_told,
            severity=severity_of(state),
            description=f"{checked}; of all, {describe_state(state)}",
            metadata={"schedules": passed + failed, "passed": passed, **state_metadata(state)},
        )
