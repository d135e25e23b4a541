"""Records published versions in Dagster: a materialisation and check evaluations for each partition.

Versions are recorded after they are published, from the change feed. The feed hands out a version until its record is
confirmed, so a run that dies loses no record, and publishing never waits for Dagster.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import TypeVar

import dagster as dg
import structlog

from schedules_pipeline.assets import names
from schedules_pipeline.assets.holds import holds_metadata
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.markdown import escape_markdown
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.event_batches import Event, EventBatch, EventWriter
from schedules_pipeline.health.ports import FailedCheck
from schedules_pipeline.logs import causes_fields
from schedules_pipeline.migration.check_legacy import legacy_result
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.overall_checks import ASSET_OF_CHECK, overall_evaluations
from schedules_pipeline.partitions import ensure_partitions, partition_key
from schedules_pipeline.publishing.check_schedules import (
    ALL_CHECKS,
    CheckName,
    CheckResult,
    is_built,
    source_accepted,
)
from schedules_pipeline.publishing.ports.feed import published_keys
from schedules_pipeline.publishing.ports.losses import Hold
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.rebuild import BatchResult
from schedules_pipeline.settings import Settings
from schedules_pipeline.version_metadata import VersionLinks, change_metadata, links_to, no_links

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_K = TypeVar("_K")
_V = TypeVar("_V")
_CHECKS_OF_THE_SOURCE = {
    CheckName.SOURCE_ACCEPTED,
    CheckName.NO_GAPS_OR_OVERLAPS,
    CheckName.BROADCASTS_ACCEPTED,
}
BUILT = (names.SOURCE_SCHEDULE, names.BACK_REFERENCE_INDEX, names.PARTNER_SCHEDULE)
"""In the order in which they depend on each other."""
RECORDED_AT_ONCE = 300
"""How many changes one call records at most; as many as a publisher builds at once."""


class _Action(Enum):
    """What to do about a change that another run may record."""

    RECORD = auto()
    CONFIRM = auto()
    WAIT = auto()


class Recorder:
    """Writes the events of versions, rejections, holds and comparisons."""

    def __init__(
        self, pipeline: Pipeline, settings: Settings, instance: dg.DagsterInstance, writer: EventWriter
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._instance = instance
        self._writer = writer
        self._rejected: dict[str, datetime] = {}
        self._quarantined: dict[ScheduleKey, str] = {}
        self._quarantined_broadcasts: dict[ScheduleKey, str] = {}
        self._held: dict[ScheduleKey, Hold] = {}
        self._outcomes: dict[tuple[ScheduleKey, str], FailedCheck | None] = {}
        self._recorded_ahead: dict[ScheduleKey, int] = {}
        base = settings.delivery_url
        self._links: VersionLinks = no_links if base is None else links_to(base)

    def record_published(self) -> int:
        """Record the next changes of the feed that no run has recorded. Returns their number.

        A change that another run records itself is left to that run, and recorded here if that run failed.
        """
        feed = self._pipeline.store.feed
        entries = feed.take_unrecorded(self._writer.run_id, RECORDED_AT_ONCE)
        actions = {
            run_id: self._action_for(run_id) for run_id in {entry.change.recorded_by for entry in entries}
        }
        own = [entry.change for entry in entries if actions[entry.change.recorded_by] is _Action.RECORD]
        self._record_current(own)
        done = [entry for entry in entries if actions[entry.change.recorded_by] is not _Action.WAIT]
        feed.confirm_recorded([entry.position for entry in done])
        # Not at the commit, because compressing takes longer than publishing.
        self._pipeline.store.versions.compact(entry.change.key for entry in done)
        return len(entries)

    def _record_current(self, changes: Sequence[Change]) -> None:
        """Record the changes that no later version has replaced; the later version is recorded on its own.

        A version that is published during the call may be recorded by another publisher before this call's versions
        are. It is recorded again, so that the latest record is of the latest version.
        """
        current = self._current(changes)
        self._record(current)
        heads = self._pipeline.store.feed.heads_of(list(current))
        overtaking = {
            key: replace(head, source_changed=head.source_changed or current[key].source_changed)
            for key, head in heads.items()
            if head.seq > current[key].seq
        }
        self._record(overtaking)
        self._recorded_ahead |= {key: head.seq for key, head in overtaking.items()}

    def _current(self, changes: Sequence[Change]) -> dict[ScheduleKey, Change]:
        """By schedule. A version with a new source counts although it was replaced: with its replacement, the new
        source is recorded.
        """
        heads = self._pipeline.store.feed.heads_of([change.key for change in changes])
        current: dict[ScheduleKey, Change] = {}
        for change in changes:
            head = heads.get(change.key, change)
            is_latest = change.seq >= head.seq
            if is_latest and self._recorded_ahead.pop(change.key, 0) >= change.seq:
                continue
            if is_latest or change.source_changed:
                before = current.get(change.key, change)
                latest = change if is_latest else head
                has_new_source = latest.source_changed or change.source_changed or before.source_changed
                current[change.key] = replace(latest, source_changed=has_new_source)
        return current

    def record_all_published(self) -> None:
        while self.record_published():
            pass

    def _action_for(self, run_id: str) -> _Action:
        """What to do about changes that name this run as their recorder; "" names none."""
        run = self._instance.get_run_by_id(run_id) if run_id else None
        if run is None:
            return _Action.RECORD
        if not run.is_finished:
            return _Action.WAIT
        return _Action.CONFIRM if run.is_success else _Action.RECORD

    def record_rebuilt(
        self, batch: BatchResult, requested: AbstractSet[dg.AssetKey] = frozenset()
    ) -> list[CheckResult]:
        """Record schedules that this run has rebuilt, changed or not. A schedule without a document is recorded only
        if this build removed it. Returns the results of the checks.

        ``requested``: the assets that a person has selected. They are materialised although nothing has changed, and
        every check is evaluated; the other assets are recorded if the build has changed them.
        """
        published = {built.key for built in batch.built if built.outcome is Outcome.PUBLISHED}
        keys = [built.key for built in batch.built if built.change.etag or built.key in published]
        return self._record(self._pipeline.store.feed.heads_of(keys), requested, set(keys) - published)

    def record_comparisons(
        self, comparisons: Mapping[ScheduleKey, Comparison], refreshed_at: str = ""
    ) -> list[CheckResult]:
        """Record the outcomes, except those that tell nothing yet, so that each result in Dagster is one. Returns the
        recorded results.

        ``refreshed_at``: a refresh of the old system to record, by which Dagster judges its freshness; "" for none.
        """
        compared = [
            key
            for key, found in comparisons.items()
            if found.verdict is not Verdict.NOT_COMPARABLE or found.is_lasting
        ]
        self._outcomes |= {(key, CheckName.MATCHES_LEGACY.value): None for key in comparisons}
        is_error = self._settings.difference_severity == "ERROR"
        results = {key: legacy_result(comparisons[key], difference_is_error=is_error) for key in compared}
        events: list[Event] = [self._evaluation(key, result) for key, result in results.items()]
        if refreshed_at:
            metadata = {"refreshed_at": refreshed_at}
            refreshed = dg.AssetMaterialization(
                names.LEGACY_SCHEDULE, description="refreshed", metadata=metadata
            )
            events.insert(0, refreshed)
        self._write(EventBatch("comparison with the old system", events, compared))
        return list(results.values())

    def record_rejections(self) -> None:
        """Record rejected input and quarantined schedules, and those that have recovered since the last call.

        The first call of a recorder records all of them.
        """
        store = self._pipeline.store
        rejected, quarantined = store.rejections.times(), store.work.quarantined()
        changed = _changed(self._rejected, rejected)
        found = store.rejections.find(changed)
        events = [event for subject in changed for event in self._rejection(subject, found.get(subject))]
        keys = _changed(self._quarantined, quarantined)
        events += [self._evaluation(key, is_built(quarantined.get(key))) for key in keys]
        rejected_keys = [ScheduleKey.parse(subject) for subject in changed if "/" in subject]
        self._write(EventBatch("rejections", events, [*rejected_keys, *keys]))
        self._rejected, self._quarantined = rejected, quarantined

    def record_quarantined_broadcasts(self) -> None:
        """Record the check of accepted documents whose broadcasts in quarantine have changed since the last call. The
        document may have been accepted without a new version.
        """
        found = self._pipeline.store.quarantined_broadcasts.all()
        keys = _changed(self._quarantined_broadcasts, found)
        results = self._pipeline.checker.check(keys) if keys else {}
        evaluations = [
            self._evaluation(key, result)
            for key, checks in results.items()
            for result in checks
            if result.name is CheckName.BROADCASTS_ACCEPTED
        ]
        self._write(EventBatch("quarantined broadcasts", evaluations, keys))
        self._quarantined_broadcasts = found

    def record_holds(self) -> None:
        """Record the losses of airtime that are held, if they have changed since the last call."""
        held = self._pipeline.store.losses.holds()
        if held != self._held:
            keys = _changed(self._held, held)
            metadata = holds_metadata(self._pipeline.holds.list())
            events: list[Event] = [dg.AssetMaterialization(names.HELD_LOSSES, metadata=dict(metadata))]
            events += [self._evaluation(key, source_accepted(None, held.get(key))) for key in keys]
            self._write(EventBatch("held losses", events, keys))
            self._held = held

    def _rejection(self, subject: str, rejection: Rejection | None) -> Iterable[Event]:
        """A schedule's is a check result, a catalogue item's an observation; the sensors report messages."""
        if "/" in subject:
            yield self._evaluation(ScheduleKey.parse(subject), source_accepted(rejection))
        elif rejection is not None and is_pid(subject):
            metadata = {"rejected": subject, "reason": rejection.reason}
            yield dg.AssetObservation(names.CATALOGUE_ITEMS, description="rejected", metadata=metadata)

    def record_checks(
        self, keys: Sequence[ScheduleKey], only: AbstractSet[CheckName] = ALL_CHECKS
    ) -> list[CheckResult]:
        """Evaluate and record the checks of unchanged schedules. Returns all results."""
        results = self._pipeline.checker.check(keys, only=only)
        evaluations = [self._evaluation(key, result) for key, found in results.items() for result in found]
        self._write(EventBatch("checks", evaluations, list(results)))
        return [result for checks in results.values() for result in checks]

    def record_known_comparisons(self, keys: Iterable[ScheduleKey]) -> list[CheckResult]:
        """Record the latest comparison of each schedule whose published version it is about. Returns the results."""
        heads = self._pipeline.store.feed.heads_of(list(keys))
        known = self._pipeline.store.comparisons.find(list(heads))
        comparisons = {
            key: known[key] for key, head in heads.items() if key in known and known[key].seq == head.seq
        }
        return self.record_comparisons(comparisons)

    def _record(
        self,
        latest: Mapping[ScheduleKey, Change],
        requested: AbstractSet[dg.AssetKey] = frozenset(),
        unchanged: AbstractSet[ScheduleKey] = frozenset(),
    ) -> list[CheckResult]:
        """``requested``: assets to record of schedules that are ``unchanged``; empty for those of their version."""
        if not latest:
            return []
        shown = {key: change for key, change in latest.items() if not change.is_removal}
        moved = {key for key, change in latest.items() if change.source_changed or change.is_removal}
        neighbours = [key for key in self._neighbours(moved) if not requested or key not in shown]
        timed = {*moved, *neighbours, *(shown if requested else ())}
        checks = self._pipeline.checker.check(list(shown), timelines_of=timed)
        incomplete = self._pipeline.store.failing_checks.find(CheckName.INDEX_COMPLETE, list(shown))
        events: list[Event] = []
        for key, change in latest.items():
            assets = requested if requested and key in unchanged else requested | _assets_written(change)
            events += self._events(change, assets, self._links(change))
            evaluations = self._evaluations(change, checks.get(key, ()), every=bool(requested))
            is_full = bool(requested) or change.source_changed or key in incomplete
            events += [each for each in evaluations if is_full or not _still_passes(each)]
        events += [
            self._evaluation(key, result)
            for key in neighbours
            for result in checks.get(key, ())
            if result.name is CheckName.NO_GAPS_OR_OVERLAPS
        ]
        if accepted := sum(change.source_changed for change in shown.values()):
            metadata = {"accepted": accepted}
            events.append(dg.AssetMaterialization(names.SCHEDULE_DOCUMENTS, metadata=metadata))
        changes = list(latest.values())
        self._write(EventBatch(_trigger(changes), events, list(latest), changes))
        for key, change in latest.items():
            fields = causes_fields(change.causes, change.cause_count, change.published_at)
            _log.info(
                "version recorded", schedule=str(key), seq=change.seq, run_id=self._writer.run_id, **fields
            )
        return [result for key in shown for result in checks.get(key, ())]

    def _neighbours(self, moved: AbstractSet[ScheduleKey]) -> list[ScheduleKey]:
        """The days beside those whose times may have changed; :meth:`_events` records the times of these."""
        beside = {near for key in moved for near in key.with_neighbours} - moved
        return sorted(beside)

    def _events(
        self, change: Change, assets: AbstractSet[dg.AssetKey], links: Mapping[str, dg.MetadataValue]
    ) -> Iterable[Event]:
        partition, metadata = partition_key(change.key), {**change_metadata(change), **links}
        if change.is_removal:
            yield dg.AssetObservation(
                names.PARTNER_SCHEDULE, description="removed", partition=partition, metadata=metadata
            )
            return
        for asset in BUILT:
            if asset in assets:
                yield dg.AssetMaterialization(asset, partition=partition, metadata=metadata)

    def _evaluations(
        self, change: Change, checks: Iterable[CheckResult], *, every: bool
    ) -> list[dg.AssetCheckEvaluation]:
        if change.is_removal:
            # A removed schedule has no failing checks.
            self._outcomes |= {(change.key, name.value): None for name in CheckName}
            return []
        # The comparison with the old system is evaluated once there is one; until then no earlier difference counts.
        self._outcomes[change.key, CheckName.MATCHES_LEGACY.value] = None
        return [
            self._evaluation(change.key, result)
            for result in checks
            if every or change.source_changed or result.name not in _CHECKS_OF_THE_SOURCE
        ]

    def _evaluation(self, key: ScheduleKey, result: CheckResult) -> dg.AssetCheckEvaluation:
        """The event, and the outcome that :meth:`_write` stores once the event is stored."""
        failed = None if result.passed else FailedCheck(result.summary, is_error=result.is_error)
        self._outcomes[key, result.name.value] = failed
        return evaluation(key, result)

    def _write(self, batch: EventBatch) -> None:
        """Store which checks fail, because Dagster cannot list these at once, then the events and the state of the
        checks.
        """
        outcomes, self._outcomes = self._outcomes, {}
        self._pipeline.store.failing_checks.record(outcomes)
        if batch.events:
            ensure_partitions(self._instance, batch.keys, partial(published_keys, self._pipeline.store.feed))
            overall = overall_evaluations(self._pipeline, batch.events)
            self._writer.write(replace(batch, events=[*batch.events, *overall]))


def _assets_written(change: Change) -> frozenset[dg.AssetKey]:
    """What a published version has changed: without a new source the document alone."""
    return frozenset(BUILT) if change.source_changed else frozenset({names.PARTNER_SCHEDULE})


def _still_passes(evaluation: dg.AssetCheckEvaluation) -> bool:
    """Whether this tells only that the index of an unchanged source is complete, as the last evaluation does. Dagster
    still shows that one, since the index is materialised with the source only.
    """
    return evaluation.check_name == CheckName.INDEX_COMPLETE and evaluation.passed


def _changed(before: Mapping[_K, _V], after: Mapping[_K, _V]) -> list[_K]:
    """The keys whose value is new, different or gone."""
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]


def _trigger(changes: Iterable[Change]) -> str:
    """What requested the rebuilds: the origins of all known causes."""
    return (
        ", ".join(sorted({cause.origin.value for change in changes for cause in change.causes})) or "unknown"
    )


def evaluation(key: ScheduleKey, result: CheckResult) -> dg.AssetCheckEvaluation:
    severity = dg.AssetCheckSeverity.ERROR if result.is_error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckEvaluation(
        asset_key=ASSET_OF_CHECK[result.name],
        check_name=result.name.value,
        passed=result.passed,
        severity=severity,
        # The UI renders Markdown, and a reason may quote upstream text. A check's history has no column of partitions.
        description=f"{key}: {escape_markdown(result.summary)}",
        metadata=dict(result.facts),
        partition=partition_key(key),
    )
