"""The check ``matches_legacy`` of one schedule."""

from typing import Any

from schedules_pipeline.domain.diff import ABSENT, PRESENCE
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult

_SHOWN_CHARACTERS = 60
_IF_IT_DIFFERS = "See differs-from-the-old-system in the runbook, and the asset parity_report."
_IF_IT_LASTS = (
    "Find out why the old system does not write it. Until then nothing shows that the pipeline is right."
)


def legacy_result(comparison: Comparison, *, difference_is_error: bool) -> CheckResult:
    facts: dict[str, Any] = {"seq": comparison.seq, "legacy_generated_at": comparison.generated_at}
    is_error = False
    match comparison.verdict:
        case Verdict.MATCHES:
            summary = comparison.reason or "says the same as the old system"
            return CheckResult(CheckName.MATCHES_LEGACY, True, summary, facts=facts)
        case Verdict.DIFFERS:
            summary, is_error = _describe(comparison), difference_is_error
            facts |= {"what_to_do": _IF_IT_DIFFERS, "differences": _tabulate(comparison)}
        case Verdict.SUSPECTED:
            summary = f"perhaps {_describe(comparison)}; a change may be on its way, the next refresh decides"
            facts["differences"] = _tabulate(comparison)
        case Verdict.HELD:
            summary = f"not compared while it is held: {comparison.reason}"
        case Verdict.NOT_COMPARABLE if comparison.is_lasting:
            summary = f"two refreshes of the old system gave nothing to compare with: {comparison.reason}"
            facts["what_to_do"] = _IF_IT_LASTS
        case Verdict.NOT_COMPARABLE:
            summary = f"not comparable yet: {comparison.reason}"
    return CheckResult(CheckName.MATCHES_LEGACY, False, summary, is_error, facts)


def _describe(comparison: Comparison) -> str:
    """How many differences, and the first."""
    count = comparison.difference_count
    text = f"{count} {'difference' if count == 1 else 'differences'} from the old system"
    if comparison.seq == 0:
        return f"{text}: the pipeline never had this schedule"
    if not comparison.differences:
        return text
    pid, field, ours, theirs = comparison.differences[0]
    where = f"{field} of {pid}" if pid else field
    if field == PRESENCE:
        here, there = ("only here", ours) if theirs == ABSENT else ("only in the old system", theirs)
        return f"{text}: broadcast {pid} at {there} is {here}"
    ours, theirs = (shorten(value, _SHOWN_CHARACTERS) for value in (ours, theirs))
    return f"{text}: {where} is “{ours}”, in the old system “{theirs}”"


def _tabulate(comparison: Comparison) -> list[dict[str, str]]:
    names = ("broadcast", "field", "ours", "theirs")
    return [dict(zip(names, row, strict=True)) for row in comparison.differences]
