"""The check ``matches_legacy`` of one schedule."""

from typing import Any

from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult


def legacy_result(comparison: Comparison, *, difference_is_error: bool) -> CheckResult:
    facts: dict[str, Any] = {"seq": comparison.seq, "legacy_generated_at": comparison.generated_at}
    match comparison.verdict:
        case Verdict.MATCHES:
            return CheckResult(CheckName.MATCHES_LEGACY, True, "says the same as the old system", facts=facts)
        case Verdict.DIFFERS:
            facts["differences"] = [
                dict(zip(("broadcast", "field", "ours", "theirs"), row, strict=True))
                for row in comparison.differences
            ]
            summary = f"{comparison.difference_count} differences from the old system"
            return CheckResult(CheckName.MATCHES_LEGACY, False, summary, difference_is_error, facts)
        case Verdict.HELD:
            summary = f"not compared while it is held: {comparison.reason}"
            return CheckResult(CheckName.MATCHES_LEGACY, False, summary, facts=facts)
        case Verdict.SUSPECTED | Verdict.NOT_COMPARABLE:
            summary = f"not comparable yet: {comparison.reason}"
            return CheckResult(CheckName.MATCHES_LEGACY, False, summary, facts=facts)
