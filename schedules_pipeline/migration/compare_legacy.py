"""Compares all published schedules with the old system's documents, after each of its refreshes.

The old system lags by up to one refresh. A comparison therefore counts only if the legacy document is newer than
the published version. A difference counts only if it remains at a later refresh while the published version is
unchanged: no pending change can explain it then. A schedule that cannot be compared although the old system has begun
and ended a refresh since its publication is reported, because nothing shows that it is right. A schedule under a hold
is not compared: the pipeline keeps what partners have, and the old system does not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import orjson

from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.diff import Difference, diff, leave_out_intended
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.domain.visible import visible_or_empty
from schedules_pipeline.errors import InvalidDocument, InvalidRecord
from schedules_pipeline.migration.judge_parity import parse_refresh
from schedules_pipeline.migration.legacy_document import LegacySchedule, parse_legacy_document
from schedules_pipeline.migration.ports import (
    Comparison,
    ComparisonStore,
    MigrationSources,
    MigrationStore,
    Verdict,
)
from schedules_pipeline.publishing.ports.losses import describe_hold

_BATCH = 200
_RECORDED_AT_ONCE = 1_000
"""With twenty differences each they take some 10 MB."""
_SHOWN_DIFFERENCES = 20
_IN_ORDER = orjson.OPT_SORT_KEYS
_MOVED = "a new version was published during the comparison"


@dataclass(frozen=True, slots=True)
class _Pair:
    """The published side and the old system's side of one schedule. ``hold``: why it is held, or ""."""

    key: ScheduleKey
    head: Change | None
    published: bytes | None
    legacy: bytes | None
    hold: str
    is_pending: bool

    @property
    def seq(self) -> int:
        return 0 if self.head is None else self.head.seq


class RecordNews(Protocol):
    def __call__(self, news: Mapping[ScheduleKey, Comparison], refreshed_at: str, /) -> object:
        """Record some new outcomes. ``refreshed_at``: with the last of them, the refresh that is compared now, unless
        it has been before; else "".
        """


class _News:
    """The comparisons whose outcome is new. They are recorded before they are kept, some at a time: if the process
    dies in between, they are new for the next comparison too.
    """

    def __init__(self, store: ComparisonStore, record: RecordNews) -> None:
        self.count = 0
        self._store = store
        self._record = record
        self._waiting: dict[ScheduleKey, Comparison] = {}
        self._gone: set[ScheduleKey] = set()

    def add(
        self,
        earlier: Mapping[ScheduleKey, Comparison],
        found: Mapping[ScheduleKey, Comparison],
        gone: Iterable[ScheduleKey] = (),
    ) -> None:
        """``gone``: those of which the comparison is to be forgotten."""
        self._gone.update(gone)
        new = {key: comparison for key, comparison in found.items() if _is_news(comparison, earlier.get(key))}
        self._store.keep({key: c for key, c in found.items() if key not in new and key not in self._gone})
        self._waiting |= new
        if len(self._waiting) >= _RECORDED_AT_ONCE:
            self.record()

    def record(self, refreshed_at: str = "") -> None:
        self._record(self._waiting, refreshed_at)
        self.count += len(self._waiting)
        self._store.keep({key: c for key, c in self._waiting.items() if key not in self._gone})
        self._store.forget(sorted(self._gone))
        self._waiting, self._gone = {}, set()


@dataclass(frozen=True, slots=True)
class LegacyComparer:
    """``horizon``: older legacy documents are not compared, because the pipeline has removed those schedules.
    ``intended``: patterns of the fields that differ on purpose.
    """

    store: MigrationStore
    sources: MigrationSources
    clock: Clock
    horizon: RetentionHorizon
    intended: Sequence[str]

    def is_due(self) -> bool:
        """Whether the old system has refreshed since the last comparison."""
        refreshed_at = self.sources.legacy.refreshed_at()
        return bool(refreshed_at) and refreshed_at != self.store.comparisons.compared_refresh()

    def compare_all(self, record: RecordNews) -> int:
        """Compare every schedule that either side has, and record the comparisons whose outcome is new. One that
        neither side has any more matches for the last time. Returns the number of new outcomes.
        """
        refreshed_at = self.sources.legacy.refreshed_at()
        compared = self.store.comparisons.compared_refresh()
        is_new = compared != refreshed_at
        before = parse_refresh(compared) if is_new else None
        heads = self.store.feed.heads()
        news = _News(self.store.comparisons, record)
        everything = sorted(heads.keys() | set(self._within_horizon(self.sources.legacy.list_keys())))
        for keys in _batches(everything):
            earlier = self.store.comparisons.find(keys)
            news.add(
                earlier,
                {
                    pair.key: _mark_lasting(self._judge(pair, last), pair, last, before)
                    for pair in self._read(keys, heads)
                    for last in (earlier.get(pair.key),)
                },
            )
        for keys in _batches(sorted(self.store.comparisons.keys() - set(everything))):
            earlier = self.store.comparisons.find(keys)
            news.add(earlier, {key: _gone(last) for key, last in earlier.items()}, keys)
        news.record(refreshed_at if is_new else "")
        self.store.comparisons.record_compared_refresh(refreshed_at)
        return news.count

    def forget_unknown(self) -> int:
        """Forget comparisons of schedules that neither side has; return their number. One that does not match stays
        until a comparison has recorded its end.
        """
        unknown = self.store.comparisons.keys() - self.store.feed.heads().keys()
        if unknown:
            unknown -= set(self._within_horizon(self.sources.legacy.list_keys()))
        forgotten = 0
        for keys in _batches(sorted(unknown)):
            standing = self.store.comparisons.find(keys)
            ended = [key for key in keys if key not in standing or _has_ended(standing[key])]
            self.store.comparisons.forget(ended)
            forgotten += len(ended)
        return forgotten

    def _read(self, keys: Sequence[ScheduleKey], heads: Mapping[ScheduleKey, Change]) -> list[_Pair]:
        """Read the legacy documents first, and check last whether a change is pending."""
        legacy = self.sources.legacy.read(self._within_horizon(keys))
        published = self.store.schedules.documents(keys)
        holds = find_holds(self.store, keys)
        pending = self.store.work.unfinished(keys)
        return [
            _Pair(
                key, heads.get(key), published.get(key), legacy.get(key), holds.get(key, ""), key in pending
            )
            for key in keys
            if key in published or key in legacy
        ]

    def _within_horizon(self, keys: Iterable[ScheduleKey]) -> list[ScheduleKey]:
        return self.horizon.select(keys, self.clock())

    def _judge(self, pair: _Pair, earlier: Comparison | None) -> Comparison:
        if pair.hold:
            return Comparison(pair.seq, Verdict.HELD, "", pair.hold)
        try:
            legacy = _parse_legacy(pair)
        except InvalidDocument as error:
            return _not_comparable(pair.seq, "", str(error))
        generated_at = legacy.generated_at.isoformat()
        if reason := _find_obstacle(pair, legacy.generated_at):
            return _not_comparable(pair.seq, generated_at, reason)
        try:
            if pair.published is not None and split_document(pair.published)[0].seq != pair.seq:
                return _not_comparable(pair.seq, generated_at, _MOVED)
            differences = leave_out_intended(_differences(pair.published, legacy), self.intended)
        except InvalidRecord as error:
            reason = f"the published document is damaged, reconcile it: {error}"
            return _not_comparable(pair.seq, generated_at, reason)
        return judge_differences(pair.seq, generated_at, differences, earlier)


def find_holds(store: MigrationStore, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, str]:
    """The holds that these schedules are under, in one line each."""
    return {
        key: describe_hold(standing.hold, standing.verdict)
        for key, standing in store.losses.find(keys).items()
        if standing.hold is not None
    }


def _parse_legacy(pair: _Pair) -> LegacySchedule:
    if pair.legacy is None:
        raise InvalidDocument("the old system has no such schedule")
    return parse_legacy_document(pair.legacy)


def _find_obstacle(pair: _Pair, generated_at: datetime) -> str:
    """Why the two sides cannot be compared now, or ""."""
    if pair.is_pending:
        return "a rebuild is pending"
    if pair.head is not None and generated_at <= pair.head.published_at:
        return "the old system's document is older than the version"
    return ""


def _mark_lasting(
    found: Comparison, pair: _Pair, last: Comparison | None, refreshed_before: datetime | None
) -> Comparison:
    """``refreshed_before``: the end of the refresh that was compared before this one; None if it is the same. If the
    version is older, the old system has read all its input for the next refresh afterwards.
    """
    if found.verdict is not Verdict.NOT_COMPARABLE or found.reason == _MOVED:
        return found
    if pair.is_pending or pair.head is None:
        return found
    if refreshed_before is None:
        return replace(found, is_lasting=last is not None and last.is_lasting and last.seq == found.seq)
    return replace(found, is_lasting=pair.head.published_at < refreshed_before)


def judge_differences(
    seq: int, generated_at: str, differences: Sequence[Difference], earlier: Comparison | None
) -> Comparison:
    """A difference is suspected first. It stands if a later legacy document shows it too, and the published version
    is the same. Pure.
    """
    if not differences:
        return Comparison(seq, Verdict.MATCHES, generated_at)
    stands = (
        earlier is not None
        and earlier.seq == seq
        and earlier.difference_count > 0
        and (earlier.verdict is Verdict.DIFFERS or earlier.generated_at < generated_at)
    )
    return Comparison(
        seq,
        Verdict.DIFFERS if stands else Verdict.SUSPECTED,
        generated_at,
        "" if stands else "they differ, and a change may be on its way",
        len(differences),
        tuple(map(_shown, differences[:_SHOWN_DIFFERENCES])),
    )


def _shown(difference: Difference) -> tuple[str, str, str, str]:
    """Shortened for display, because a legacy value may have any size."""
    d = difference
    return shorten(d.broadcast_pid), shorten(d.field), shorten(str(d.ours)), shorten(str(d.theirs))


def _differences(published: bytes | None, legacy: LegacySchedule) -> list[Difference]:
    broadcasts: list[dict[str, Any]] = []
    if published is not None:
        broadcasts = orjson.loads(split_document(published)[1])
    if published is not None and _are_same(broadcasts, legacy.broadcasts):
        return []
    found = [
        d for d in diff(broadcasts, legacy.broadcasts) if not (_is_blank(d.ours) and _is_blank(d.theirs))
    ]
    if published is None and not found:
        return [Difference("", "(schedule)", "(absent)", "(empty)")]
    return found


def _are_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Whether nothing differs, which is the common case, and ten times as fast to find as the differences."""
    try:
        return orjson.dumps(ours, option=_IN_ORDER) == orjson.dumps(theirs, option=_IN_ORDER)
    except orjson.JSONEncodeError:
        # A legacy document may have a number that is too large for orjson.
        return False


def _is_blank(value: object) -> bool:
    """Whether a field says nothing. The old system publishes such texts as they are, and null beside ""."""
    return value is None or (isinstance(value, str) and not visible_or_empty(value))


def _not_comparable(seq: int, generated_at: str, reason: str) -> Comparison:
    return Comparison(seq, Verdict.NOT_COMPARABLE, generated_at, reason)


def _gone(earlier: Comparison) -> Comparison:
    return Comparison(earlier.seq, Verdict.MATCHES, "", "nothing is left to compare")


def _has_ended(comparison: Comparison) -> bool:
    """Whether nothing remains to be told of a schedule that neither side has any more."""
    return not _is_news(_gone(comparison), comparison)


def _batches(keys: Sequence[ScheduleKey]) -> Iterator[Sequence[ScheduleKey]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _is_news(comparison: Comparison, earlier: Comparison | None) -> bool:
    """Whether the outcome is new; a different reason for the same verdict is not."""
    if earlier is None:
        return True
    now, then = ((each.seq, each.verdict, each.is_lasting) for each in (comparison, earlier))
    return now != then
