"""Compares everything that is published with what the old system says, after each of its refreshes.

The old system is up to one refresh behind. So a comparison counts only where the legacy document was
generated after ours was published, and a difference only where it still stands at a later refresh while
ours has not moved: then no change can be on its way that would explain it.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.diff import Difference, diff, leave_out_intended
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.errors import InvalidDocument, InvalidRecord
from schedules_pipeline.migration.legacy_document import LegacySchedule, parse_legacy_document
from schedules_pipeline.migration.ports.comparisons import Comparison, ComparisonStore, Verdict
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.schedules import ScheduleStore
from schedules_pipeline.publishing.ports.work import WorkQueue

_BATCH = 200
_SHOWN_DIFFERENCES = 20


class LegacyComparer:
    def __init__(
        self,
        schedules: ScheduleStore,
        feed: ChangeFeed,
        work: WorkQueue,
        comparisons: ComparisonStore,
        legacy: LegacyKeyspace,
        intended: Sequence[str],
    ) -> None:
        """``intended``: patterns of the fields in which we mean to differ."""
        self._schedules = schedules
        self._feed = feed
        self._work = work
        self._comparisons = comparisons
        self._legacy = legacy
        self._intended = intended

    def is_due(self) -> bool:
        """Whether the old system has refreshed since everything was last compared."""
        refreshed_at = self._legacy.refreshed_at()
        return bool(refreshed_at) and refreshed_at != self._comparisons.compared_refresh()

    def compare_all(self) -> dict[ScheduleKey, Comparison]:
        """Compare everything either side has; answers with the comparisons whose outcome is new."""
        refreshed_at = self._legacy.refreshed_at()
        earlier = self._comparisons.all()
        heads = self._feed.heads()
        news: dict[ScheduleKey, Comparison] = {}
        everything = sorted(heads.keys() | set(self._legacy.list_keys()))
        for start in range(0, len(everything), _BATCH):
            keys = everything[start : start + _BATCH]
            compared = self._compare(keys, heads, earlier)
            self._comparisons.keep(compared)
            news |= {key: c for key, c in compared.items() if _is_news(c, earlier.get(key))}
        self._comparisons.record_compared_refresh(refreshed_at)
        return news

    def _compare(
        self,
        keys: Sequence[ScheduleKey],
        heads: dict[ScheduleKey, Change],
        earlier: dict[ScheduleKey, Comparison],
    ) -> dict[ScheduleKey, Comparison]:
        """Read the legacy documents first, and look last whether ours is about to move."""
        theirs = self._legacy.read(keys)
        ours = self._schedules.documents(keys)
        unsettled = self._work.unfinished(keys)
        return {
            key: self._judge(
                key,
                heads.get(key),
                ours.get(key),
                theirs.get(key),
                earlier.get(key),
                is_unsettled=key in unsettled,
            )
            for key in keys
            if key in ours or key in theirs
        }

    def _judge(
        self,
        key: ScheduleKey,
        head: Change | None,
        ours: bytes | None,
        theirs: bytes | None,
        earlier: Comparison | None,
        *,
        is_unsettled: bool,
    ) -> Comparison:
        seq = head.seq if head is not None else 0
        try:
            legacy = _read_theirs(key, theirs)
        except InvalidDocument as error:
            return _not_comparable(seq, "", str(error))
        generated_at = legacy.generated_at.isoformat()
        if is_unsettled:
            return _not_comparable(seq, generated_at, "ours is about to be rebuilt")
        if head is not None and legacy.generated_at <= head.published_at:
            return _not_comparable(seq, generated_at, "the old system has not refreshed since")
        try:
            if ours is not None and split_document(ours)[0].seq != seq:
                return _not_comparable(seq, generated_at, "ours moved meanwhile")
            differences = leave_out_intended(_differences(ours, legacy), self._intended)
        except InvalidRecord as error:
            return _not_comparable(seq, generated_at, f"ours is damaged, reconcile it: {error}")
        return judge_differences(seq, generated_at, differences, earlier)


def _read_theirs(key: ScheduleKey, document: bytes | None) -> LegacySchedule:
    if document is None:
        raise InvalidDocument("the old system has no such schedule")
    return parse_legacy_document(key, document)


def judge_differences(
    seq: int, generated_at: str, differences: Sequence[Difference], earlier: Comparison | None
) -> Comparison:
    """A difference is suspected at first; it stands once a later legacy document still shows it while
    ours is the same version. Pure.
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
    """Of each side as much as a person reads; the old system may say anything, of any size."""
    d = difference
    return shorten(d.broadcast_pid), shorten(d.field), shorten(str(d.ours)), shorten(str(d.theirs))


def _differences(ours: bytes | None, legacy: LegacySchedule) -> list[Difference]:
    broadcasts: list[dict[str, Any]] = [] if ours is None else orjson.loads(split_document(ours)[1])
    found = diff(broadcasts, legacy.broadcasts)
    if ours is None and not found:
        return [Difference("", "(schedule)", "(absent)", "(empty)")]
    return found


def _not_comparable(seq: int, generated_at: str, reason: str) -> Comparison:
    return Comparison(seq, Verdict.NOT_COMPARABLE, generated_at, reason)


def _is_news(comparison: Comparison, earlier: Comparison | None) -> bool:
    """Whether a person would want to hear of it; another reason for not comparing is no news."""
    if earlier is None:
        return True
    return (comparison.seq, comparison.verdict) != (earlier.seq, earlier.verdict)
