"""Judges how the schedules compare with the old system, and whether partners may be switched. Pure.

A report never looks better than the truth. A comparison counts only for the current version, and a schedule that
was never compared is not comparable. Too few comparisons, a stale comparison and a stale old system are objections.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.migration.ports import (
    Comparison,
    ParityPoint,
    Requirements,
    Standing,
    Tally,
    Verdict,
    render_share,
)

_COMPARED_WITHIN = timedelta(minutes=5)
_CLOCKS_DIFFER_BY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The input of a report. ``heads``: the latest changes, removals included. ``holds``: what is held now, in one line
    each.
    """

    heads: Mapping[ScheduleKey, Change]
    legacy: frozenset[ScheduleKey]
    comparisons: Mapping[ScheduleKey, Comparison]
    refreshed_at: str
    compared_refresh: str
    trend: tuple[ParityPoint, ...]
    holds: Mapping[ScheduleKey, str] = field(default_factory=dict)

    @property
    def published(self) -> set[ScheduleKey]:
        return {key for key, change in self.heads.items() if not change.is_removal}


def find_standing(key: ScheduleKey, evidence: Evidence) -> Standing:
    """The hold that the schedule is under, or the latest comparison if it is of the current version. Pure."""
    if key in evidence.holds:
        return Standing(key, Verdict.HELD, evidence.holds[key])
    comparison = evidence.comparisons.get(key)
    if comparison is None:
        return Standing(key, Verdict.NOT_COMPARABLE, "not compared yet")
    head = evidence.heads.get(key)
    if comparison.seq != (0 if head is None else head.seq):
        return Standing(key, Verdict.NOT_COMPARABLE, "the published version is not the one that was compared")
    if comparison.verdict is Verdict.HELD:
        return Standing(key, Verdict.NOT_COMPARABLE, "not compared since its hold ended")
    return Standing(
        key, comparison.verdict, comparison.reason, comparison.difference_count, comparison.differences
    )


def find_objections(
    overall: Tally, evidence: Evidence, requirements: Requirements, now: datetime
) -> list[str]:
    """The reasons against a switch now, one sentence each. Pure."""
    found = [*_refresh_objections(evidence, requirements, now)]
    if overall.share is None:
        return [*found, "no schedule could be compared with the old system"]
    if overall.coverage < requirements.compared_share:
        found.append(
            f"only {render_share(overall.coverage)} of {overall.schedules:,} schedules could be compared; "
            f"{render_share(requirements.compared_share)} are required"
        )
    if overall.share < requirements.matching_share:
        found.append(
            f"{overall.comparable - overall.matching:,} of {overall.comparable:,} comparable schedules "
            f"differ; {render_share(requirements.matching_share)} must match"
        )
    return found


def _refresh_objections(evidence: Evidence, requirements: Requirements, now: datetime) -> list[str]:
    """Whether the old system still refreshes, and whether its latest refresh was compared."""
    refreshed, compared = parse_refresh(evidence.refreshed_at), parse_refresh(evidence.compared_refresh)
    longest = timedelta(minutes=requirements.refresh_minutes)
    if refreshed is None:
        return ["the old system does not say when it has refreshed"]
    if refreshed > now + _CLOCKS_DIFFER_BY:
        return [f"the old system says that it will refresh in the future, at {refreshed.isoformat()}"]
    found = []
    if now - refreshed > longest:
        found.append(f"the old system has not refreshed for {_render_age(now - refreshed)}")
    if compared is None:
        found.append("no refresh of the old system was ever compared")
    elif compared != refreshed and (now - refreshed > _COMPARED_WITHIN or now - compared > longest):
        found.append(
            f"stale: the refresh of {refreshed.isoformat(timespec='seconds')} was not compared; the latest "
            f"that was is {_render_age(now - compared)} old"
        )
    return found


def find_remarks(overall: Tally, evidence: Evidence, now: datetime, held: int = 0) -> list[str]:
    """Facts for the reader that are no objections. Pure."""
    found = []
    refreshed = parse_refresh(evidence.refreshed_at)
    if refreshed is not None:
        found.append(f"the old system last refreshed {_render_age(now - refreshed)} ago")
    if evidence.refreshed_at != evidence.compared_refresh and evidence.compared_refresh:
        found.append("it has refreshed since the comparison that this report is based on")
    if held:
        found.append(
            f"{held:,} of {overall.schedules:,} schedules are held, so they may differ and are not compared"
        )
    if left := overall.schedules - overall.comparable - held:
        found.append(
            f"{left:,} of {overall.schedules:,} schedules could not be compared and count for neither"
        )
    return found


def parse_refresh(text: str) -> datetime | None:
    """The instant that the old system wrote; None if it is not one with a time zone."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _render_age(age: timedelta) -> str:
    """In the largest unit of which there are two or more."""
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
