"""Fakes of the records that operators check: rejections, comparisons, counters, passes."""

from collections import Counter as Multiset
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.growth import SAMPLES_KEPT, MemorySample
from schedules_pipeline.health.ports import CheckState, FailedCheck, QueueName, QueuePolls
from schedules_pipeline.maintenance.ports import PassName, PassRecord, PassReport
from schedules_pipeline.migration.ports import (
    NEVER_SWITCHED,
    Comparison,
    DifferenceSummary,
    ParityPoint,
    ServedState,
    Verdict,
)
from schedules_pipeline.publishing.ports import rejections as bounds
from schedules_pipeline.publishing.ports.counters import (
    DURATION_BOUNDS,
    NO_DURATIONS,
    Counter,
    Durations,
    Timer,
)
from schedules_pipeline.publishing.ports.rejections import RejectedKind, Rejection, RejectionSummary

MOST_PARITY_POINTS = 400


class FakeRejectionStore(Fake):
    """Implements :class:`RejectionStore`."""

    def __init__(self, conditions: Conditions, counters: "FakeCounterStore") -> None:
        super().__init__(conditions)
        self._kept: dict[str, Rejection] = {}
        self._counters = counters

    @answered
    def keep(self, rejections: Mapping[str, Rejection]) -> None:
        for subject in self.in_any_order(rejections):
            self._keep_one(subject, rejections[subject])

    @answered
    @step
    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]:
        return {subject: self._kept[subject] for subject in subjects if subject in self._kept}

    @answered
    @step
    def forget(self, subjects: Sequence[str]) -> None:
        for subject in subjects:
            self._kept.pop(subject, None)

    @answered
    @step
    def summary(self, examples: int) -> RejectionSummary:
        kinds = Multiset(map(RejectedKind.of, self._kept))
        latest = sorted(self._kept, key=self._age, reverse=True)[:examples]
        counts = {kind: kinds[kind] for kind in RejectedKind}
        return RejectionSummary(counts, {subject: self._kept[subject] for subject in latest})

    @answered
    @step
    def times(self) -> dict[str, datetime]:
        return {subject: self._kept[subject].refused_at for subject in sorted(self._kept, key=self._age)}

    @answered
    @step
    def all(self) -> dict[str, Rejection]:
        return dict(self._kept)

    @step
    def _keep_one(self, subject: str, rejected: Rejection) -> None:
        self._kept[subject] = rejected
        bounded = [s for s in self._kept if RejectedKind.of(s) is not RejectedKind.SCHEDULE]
        for oldest in sorted(bounded, key=self._age)[: -bounds.MOST_REJECTIONS]:
            del self._kept[oldest]
            is_item = RejectedKind.of(oldest) is RejectedKind.ITEM
            evicted = Counter.REJECTED_ITEMS_EVICTED if is_item else Counter.REJECTED_MESSAGES_EVICTED
            self._counters.count_one(evicted)

    def _age(self, subject: str) -> tuple[int, datetime, str]:
        kind = list(RejectedKind).index(RejectedKind.of(subject))
        return kind, self._kept[subject].refused_at, subject


class FakeQuarantinedBroadcastStore(Fake):
    """Implements :class:`QuarantinedBroadcastStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._summaries: dict[ScheduleKey, str] = {}

    @answered
    @step
    def keep(self, summaries: Mapping[ScheduleKey, str]) -> None:
        self._summaries |= summaries

    @answered
    @step
    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._summaries.pop(key, None)

    @answered
    @step
    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, str]:
        return {key: self._summaries[key] for key in keys if key in self._summaries}

    @answered
    @step
    def all(self) -> dict[ScheduleKey, str]:
        return {key: text.partition("\n")[0] for key, text in self._summaries.items()}


class FakeComparisonStore(Fake):
    """Implements :class:`ComparisonStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._kept: dict[ScheduleKey, Comparison] = {}
        self._refresh = ""

    @answered
    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        for key in self.in_any_order(comparisons):
            self._keep_one(key, comparisons[key])

    @answered
    @step
    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._kept.pop(key, None)

    @answered
    @step
    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        return {key: self._kept[key] for key in keys if key in self._kept}

    @answered
    @step
    def keys(self) -> set[ScheduleKey]:
        return set(self._kept)

    @answered
    @step
    def all(self) -> dict[ScheduleKey, Comparison]:
        return dict(self._kept)

    @answered
    @step
    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        return Multiset((key.sid, comparison.verdict) for key, comparison in self._kept.items())

    @answered
    @step
    def differing(self, examples: int) -> DifferenceSummary:
        differing = {key: c for key, c in self._kept.items() if c.verdict is Verdict.DIFFERS}
        first = {key: differing[key].difference_count for key in sorted(differing, key=str)[:examples]}
        return DifferenceSummary(len(self._kept), len(differing), first)

    @answered
    @step
    def compared_refresh(self) -> str:
        return self._refresh

    @answered
    @step
    def record_compared_refresh(self, refreshed_at: str) -> None:
        self._refresh = refreshed_at

    @step
    def _keep_one(self, key: ScheduleKey, comparison: Comparison) -> None:
        self._kept[key] = comparison


class FakeMemoryHistory(Fake):
    """Implements :class:`MemoryHistory`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._samples: list[MemorySample] = []

    @answered
    @step
    def add(self, sample: MemorySample) -> None:
        self._samples = [sample, *self._samples][:SAMPLES_KEPT]

    @answered
    @step
    def all(self) -> list[MemorySample]:
        return list(self._samples)


class FakeFailingCheckStore(Fake):
    """Implements :class:`FailingCheckStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._failing: dict[tuple[ScheduleKey, str], FailedCheck] = {}

    @answered
    @step
    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], FailedCheck | None]) -> None:
        for check, failed in outcomes.items():
            self._failing.pop(check, None)
            if failed is not None:
                self._failing[check] = failed

    @answered
    @step
    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        return {check: failed.summary for check, failed in self._failing.items() if failed.is_error}

    @answered
    @step
    def find(self, check: str, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        errors = {found for found, failed in self._failing.items() if failed.is_error}
        return {key for key in keys if (key, check) in errors}

    @answered
    @step
    def states(self, checks: Sequence[str]) -> dict[str, CheckState]:
        return {check: self._state(check) for check in checks}

    def _state(self, check: str) -> CheckState:
        found = {key: failed for (key, name), failed in self._failing.items() if name == check}
        errors = {key: failed.summary for key, failed in found.items() if failed.is_error}
        return CheckState(
            len(errors), len(found) - len(errors), errors | {k: f.summary for k, f in found.items()}
        )


class FakeCounterStore(Fake):
    """Implements :class:`CounterStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._totals: dict[Counter, int] = {}
        self._durations: dict[Timer, Durations] = {}

    @answered
    def add(
        self, amounts: Mapping[Counter, int], durations: Mapping[Timer, Sequence[float]] = NO_DURATIONS
    ) -> None:
        for name, amount in amounts.items():
            if amount:
                self._add_one(name, amount)
        for timer, all_seconds in durations.items():
            for seconds in all_seconds:
                self._time_one(timer, seconds)

    def count_one(self, name: Counter) -> None:
        """Part of another store's step."""
        self._totals[name] = self._totals.get(name, 0) + 1

    @answered
    @step
    def all(self) -> dict[Counter, int]:
        return dict(self._totals)

    @answered
    @step
    def durations(self) -> dict[Timer, Durations]:
        return dict(self._durations)

    @step
    def _add_one(self, name: Counter, amount: int) -> None:
        self._totals[name] = self._totals.get(name, 0) + amount

    @step
    def _time_one(self, name: Timer, seconds: float) -> None:
        known = self._durations.get(name, Durations())
        counts = list(known.counts)
        counts[sum(bound < seconds for bound in DURATION_BOUNDS)] += 1
        self._durations[name] = Durations(tuple(counts), known.seconds + seconds)


class FakeQueuePollStore(Fake):
    """Implements :class:`QueuePollStore`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._notes = {queue: QueuePolls() for queue in QueueName}
        self._received_until: dict[QueueName, datetime] = {}

    @answered
    @step
    def record_poll(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        known = self._notes[queue]
        empty_at = began_at if oldest_sent_at is None else known.empty_at
        self._notes[queue] = QueuePolls(began_at, empty_at, oldest_sent_at or known.received_sent_at)

    @answered
    @step
    def all(self) -> dict[QueueName, QueuePolls]:
        return dict(self._notes)

    @answered
    @step
    def announce_receiver(self, queue: QueueName, seconds: int) -> None:
        self._received_until[queue] = self._clock() + timedelta(seconds=seconds)

    @answered
    @step
    def withdraw_receiver(self, queue: QueueName) -> None:
        self._received_until.pop(queue, None)

    @answered
    @step
    def has_receiver(self, queue: QueueName) -> bool:
        until = self._received_until.get(queue)
        return until is not None and self._clock() < until


class FakePassStore(Fake):
    """Implements :class:`PassStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._records: dict[PassName, PassRecord] = {}

    @answered
    @step
    def record(self, report: PassReport) -> None:
        known = self._records.get(report.name)
        before = known.latest_success if known else None
        self._records[report.name] = PassRecord(
            latest=report,
            latest_success=report if report.succeeded else before,
            runs=(known.runs if known else 0) + 1,
            failures=(known.failures if known else 0) + (not report.succeeded),
            seconds=(known.seconds if known else 0.0) + report.seconds,
        )

    @answered
    @step
    def all(self) -> dict[PassName, PassRecord]:
        return dict(self._records)


class FakeParityTrendStore(Fake):
    """Implements :class:`ParityTrendStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._points: list[ParityPoint] = []

    @answered
    @step
    def append(self, point: ParityPoint) -> None:
        self._points = [*self._points, point][-MOST_PARITY_POINTS:]

    @answered
    @step
    def all(self) -> list[ParityPoint]:
        return list(self._points)


class FakeServedSourceStore(Fake):
    """Implements :class:`ServedSourceStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._switches: list[ServedState] = []

    @answered
    @step
    def current(self) -> ServedState:
        return self._switches[0] if self._switches else NEVER_SWITCHED

    @answered
    @step
    def switches(self) -> list[ServedState]:
        return list(self._switches)

    @answered
    @step
    def change(self, to: ServedState) -> bool:
        if self._switches[:1] == [to]:
            return True
        if len(self._switches) != to.number - 1:
            return False
        self._switches.insert(0, to)
        return True

    @answered
    @step
    def restore(self, switches: Sequence[ServedState], instead_of: int) -> bool:
        if self._switches[:1] == [switches[0]]:
            return True
        if (self._switches[0].number if self._switches else 0) != instead_of:
            return False
        self._switches = list(switches)
        return True
