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
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult
from schedules_pipeline.recording import ASSET_OF_CHECK, Recorder

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
        pipeline.comparer.compare_all()
        found += recorder.record_known_comparisons(keys)
    return found


def summarise(
    results: Iterable[CheckResult], wanted: AbstractSet[CheckName]
) -> Iterator[dg.AssetCheckResult]:
    """One result for each wanted check: how many schedules pass. It fails if none was evaluated."""
    tally = Counter((result.name, result.passed, result.is_error) for result in results)
    for name in CheckName:
        if name in wanted:
            of_check = {key: number for key, number in tally.items() if key[0] is name}
            yield _summary(
                name,
                schedules=sum(of_check.values()),
                passed=sum(number for (_, passed, _), number in of_check.items() if passed),
                is_error=any(is_error for _, _, is_error in of_check),
            )


def _summary(name: CheckName, *, schedules: int, passed: int, is_error: bool) -> dg.AssetCheckResult:
    nothing = (
        "no schedule can be compared yet" if name is CheckName.MATCHES_LEGACY else "no schedule was checked"
    )
    return dg.AssetCheckResult(
        asset_key=ASSET_OF_CHECK[name],
        check_name=name.value,
        passed=0 < schedules == passed,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=f"{passed} of {schedules} schedules pass" if schedules else nothing,
        metadata={"schedules": schedules, "passed": passed},
    )
