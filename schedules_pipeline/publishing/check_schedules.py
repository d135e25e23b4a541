"""Checks published schedules against the store, independently of the build."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, parse_accepted, read_source
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Dependencies, dependencies
from schedules_pipeline.domain.findings import Finding, find_unresolved
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.domain.timeline import Day, find_timing_concerns
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.check_expectations import ExpectationChecker, RangeFinding
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.losses import NO_STANDING, Hold
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.schedules import ScheduleState

_SHOWN_FINDINGS = 20
_SHOWN_SEAMS = 3


class CheckName(StrEnum):
    IS_BUILT = "is_built"
    SOURCE_ACCEPTED = "source_accepted"
    BROADCASTS_ACCEPTED = "broadcasts_accepted"
    REFERENCES_RESOLVED = "references_resolved"
    NO_GAPS_OR_OVERLAPS = "no_gaps_or_overlaps"
    INDEX_COMPLETE = "index_complete"
    WITHIN_EXPECTED_RANGE = "within_expected_range"
    MATCHES_LEGACY = "matches_legacy"


ALL_CHECKS = frozenset(CheckName)
_NEED_COPIES = frozenset({CheckName.REFERENCES_RESOLVED, CheckName.WITHIN_EXPECTED_RANGE})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``is_error``: the operator must act; otherwise the failure is a warning."""

    name: CheckName
    passed: bool
    summary: str
    is_error: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """The accepted source of one schedule, and its broadcasts."""

    accepted: AcceptedSchedule
    broadcasts: Sequence[Slot]


class ScheduleChecker:
    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self._store = store
        self._calendar = calendar
        self._expectations = ExpectationChecker(store, calendar, clock)

    def check(
        self,
        keys: Sequence[ScheduleKey],
        timelines_of: Collection[ScheduleKey] | None = None,
        only: AbstractSet[CheckName] = ALL_CHECKS,
    ) -> dict[ScheduleKey, list[CheckResult]]:
        """All checks except the comparison with the old system, of the schedules with an accepted source.

        ``timelines_of``: the only schedules of which the times are checked, among ``keys`` or not; None for all of
        ``keys``. Everything is read at once, with the two neighbours of each of these.
        ``only``: the checks to evaluate. What no other check needs is not read.
        """
        timed = set(keys if timelines_of is None else timelines_of)
        if CheckName.NO_GAPS_OR_OVERLAPS not in only:
            timed.clear()
        wanted = {*keys, *(near for key in timed for near in key.with_neighbours)}
        states = self._store.schedules.read(sorted(wanted))
        everything, unreadable = _read_sources(states)
        timelines = {
            key: [self._no_gaps_or_overlaps(key, everything, states)] for key in timed if key in everything
        }
        sources = {key: everything[key] for key in keys if key in everything}
        full = self._check_all(sources, states, timelines, only)
        return {key: unreadable[key] for key in keys if key in unreadable} | timelines | full

    def _check_all(
        self,
        sources: Mapping[ScheduleKey, _Source],
        states: Mapping[ScheduleKey, ScheduleState],
        timelines: Mapping[ScheduleKey, Sequence[CheckResult]],
        only: AbstractSet[CheckName],
    ) -> dict[ScheduleKey, list[CheckResult]]:
        entries = {key: dependencies(s.accepted.shown(), states[key].ancestors) for key, s in sources.items()}
        unknown = self._unknown_pids(entries) if only & _NEED_COPIES else set()
        index = self._check_index(entries, states) if CheckName.INDEX_COMPLETE in only else {}
        ranges = self._check_ranges(sources, unknown) if CheckName.WITHIN_EXPECTED_RANGE in only else {}
        rejections = self._store.rejections.find([str(key) for key in sources])
        standings = self._store.losses.find(list(sources))
        quarantined = self._store.work.quarantined()
        found = {
            key: [
                is_built(quarantined.get(key)),
                source_accepted(rejections.get(str(key)), standings.get(key, NO_STANDING).hold),
                _broadcasts_accepted(source.accepted),
                _references_resolved(source.accepted, states[key], unknown),
                *timelines.get(key, ()),
                *index.get(key, ()),
                *ranges.get(key, ()),
            ]
            for key, source in sources.items()
        }
        return {key: [result for result in results if result.name in only] for key, results in found.items()}

    def _unknown_pids(self, entries: Mapping[ScheduleKey, Dependencies]) -> set[Pid]:
        pids = sorted({entry.pid for wanted in entries.values() for entry in wanted})
        return set(pids) - self._store.copies.read(pids).keys()

    def _check_ranges(
        self, sources: Mapping[ScheduleKey, _Source], unknown: Collection[Pid]
    ) -> dict[ScheduleKey, list[CheckResult]]:
        expected = self._expectations.check(
            {
                key: (source.broadcasts, sum(pid in unknown for pid in source.accepted.episode_pids))
                for key, source in sources.items()
            }
        )
        return {key: [_within_expected_range(finding)] for key, finding in expected.items()}

    def _check_index(
        self,
        entries: Mapping[ScheduleKey, Dependencies],
        states: Mapping[ScheduleKey, ScheduleState],
    ) -> dict[ScheduleKey, list[CheckResult]]:
        """No result for a schedule that was committed since its state was read: the index may be the new state's.

        A build registers new entries before its commit and unregisters old ones after it, so the entries of a state
        are complete for as long as it stands. The new version is checked on its own.
        """
        lacking = self._store.references.missing(entries)
        now = self._store.schedules.read(sorted(lacking)) if lacking else {}
        moved = {key for key, state in now.items() if state.committed_token != states[key].committed_token}
        return {
            key: [_index_complete(len(wanted), len(lacking.get(key, ())))]
            for key, wanted in entries.items()
            if key not in moved
        }

    def _no_gaps_or_overlaps(
        self,
        key: ScheduleKey,
        sources: Mapping[ScheduleKey, _Source],
        states: Mapping[ScheduleKey, ScheduleState],
    ) -> CheckResult:
        before, day, after = [
            Day(
                self._calendar.window(near),
                sources[near].broadcasts if near in sources else (),
                was_removed=states[near].accepted is None and states[near].seq > 0,
            )
            for near in key.with_neighbours
        ]
        findings = find_timing_concerns(before, day, after)
        result = _from_findings(
            CheckName.NO_GAPS_OR_OVERLAPS, findings, f"{len(day.broadcasts)} broadcasts, one after the other"
        )
        return replace(result, summary=_timing_summary(findings)) if findings else result


def _read_sources(
    states: Mapping[ScheduleKey, ScheduleState],
) -> tuple[dict[ScheduleKey, _Source], dict[ScheduleKey, list[CheckResult]]]:
    """The accepted sources, and a failed check for each that cannot be decoded."""
    sources, unreadable = {}, {}
    for key, state in states.items():
        if state.accepted is None:
            continue
        try:
            accepted = parse_accepted(state.accepted)
            sources[key] = _Source(accepted, read_source(key, accepted).slots)
        except InvalidRecord as error:
            summary = f"the accepted source cannot be decoded, rebuild it from its source: {error}"
            unreadable[key] = [CheckResult(CheckName.IS_BUILT, False, summary, is_error=True)]
    return sources, unreadable


def is_built(reason: str | None) -> CheckResult:
    """``reason``: why the schedule is quarantined; None if it is not."""
    if reason is None:
        return CheckResult(CheckName.IS_BUILT, True, "its latest build succeeded")
    summary = f"quarantined after too many failures: {reason[:500]}"
    return CheckResult(CheckName.IS_BUILT, False, summary, is_error=True)


def source_accepted(rejection: Rejection | None, hold: Hold | None = None) -> CheckResult:
    """``rejection``, ``hold``: of the latest source document; None if it was accepted."""
    if hold is not None:
        facts = {
            "hold": hold.id,
            "held_at": hold.held_at.isoformat(),
            "would_lose_seconds": hold.lost_seconds,
        }
        summary = (
            f"held ({hold.reason}): partners would lose {hold.lost_seconds / 3600:.1f} hours; hold {hold.id}"
        )
        return CheckResult(CheckName.SOURCE_ACCEPTED, False, summary, facts=facts)
    if rejection is None:
        return CheckResult(CheckName.SOURCE_ACCEPTED, True, "the latest source document is the one shown")
    facts = {"refused_at": rejection.refused_at.isoformat(), "excerpt": rejection.excerpt[:500]}
    return CheckResult(
        CheckName.SOURCE_ACCEPTED, False, f"the last good version stays: {rejection.reason}", facts=facts
    )


def _broadcasts_accepted(accepted: AcceptedSchedule) -> CheckResult:
    """Broadcasts of the accepted document that are in quarantine, and those that were mended."""
    counts = {"quarantined": len(accepted.quarantined), "mended": len(accepted.mended)}
    if not any(counts.values()):
        return CheckResult(CheckName.BROADCASTS_ACCEPTED, True, "every broadcast was usable as it was")
    quarantined = [
        {"broadcast": each.broadcast_pid, "reason": shorten(each.reason)}
        for each in accepted.quarantined[:_SHOWN_FINDINGS]
    ]
    facts = {"quarantined": quarantined, "mended": list(accepted.mended[:_SHOWN_FINDINGS])}
    summary = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return CheckResult(CheckName.BROADCASTS_ACCEPTED, False, summary, facts=facts)


def _references_resolved(
    accepted: AcceptedSchedule, state: ScheduleState, unknown: Iterable[Pid]
) -> CheckResult:
    findings = find_unresolved(accepted.shown(), state.ancestors, set(unknown))
    known = len(accepted.episodes()) + len(state.ancestors)
    return _from_findings(CheckName.REFERENCES_RESOLVED, findings, f"all {known} references are known")


def _within_expected_range(finding: RangeFinding) -> CheckResult:
    facts = {"values": finding.facts} if finding.outside else {}
    return CheckResult(CheckName.WITHIN_EXPECTED_RANGE, not finding.outside, finding.summary, facts=facts)


def _index_complete(wanted: int, lacking: int) -> CheckResult:
    if lacking:
        summary = f"{lacking} of {wanted} entries are missing: rebuild this schedule from its sources"
        return CheckResult(CheckName.INDEX_COMPLETE, False, summary, is_error=True)
    return CheckResult(CheckName.INDEX_COMPLETE, True, f"all {wanted} entries are there")


def _from_findings(name: CheckName, findings: Sequence[Finding], well: str) -> CheckResult:
    if not findings:
        return CheckResult(name, True, well)
    shown = [
        {"concern": f.concern.value, "broadcast": f.broadcast_pid or "", "detail": f.detail}
        for f in findings[:_SHOWN_FINDINGS]
    ]
    return CheckResult(name, False, _counts(findings), facts={"findings": shown})


def _timing_summary(findings: Sequence[Finding]) -> str:
    """The seams in words, and how many findings of each kind there are besides."""
    seams = [finding.detail.partition(", at ")[0] for finding in findings if finding.concern.is_at_seam]
    others = [finding for finding in findings if not finding.concern.is_at_seam]
    more = [f"{len(seams) - _SHOWN_SEAMS} more between days"] if len(seams) > _SHOWN_SEAMS else []
    return "; ".join([*seams[:_SHOWN_SEAMS], *more, *([_counts(others)] if others else [])])


def _counts(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.concern.value for finding in findings)
    return ", ".join(f"{count} × {concern}" for concern, count in counts.items())
