"""Two versions of a schedule side by side. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, Final

import orjson

from schedules_pipeline.delivery.guide.feed_rows import FeedRow
from schedules_pipeline.documents.partner_document import parse_published, split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.diff import ORDER, PRESENCE, Difference, diff
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.published import Broadcast

_A_DAY: Final = timedelta(days=1)
_LONGEST_COMPARED: Final = 2_000
_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class KeptVersions:
    """``listed``: the latest versions, the newest first. ``before`` and ``after``: the two to compare, 0 for the state
    before the first version. A document is None if it is no longer kept, and empty for a removal and for version 0.
    ``row``: of the later version in the change feed; None if it is no longer there.
    """

    listed: Sequence[Change]
    before: int
    after: int
    earlier: bytes | None = b""
    later: bytes | None = b""
    row: FeedRow | None = None

    def version(self, seq: int) -> Change | None:
        return next((version for version in self.listed if version.seq == seq), None)

    def a_day_before(self, now: datetime) -> Change | None:
        """The version that was served a day ago; None if it is no longer listed, or none was."""
        return next((version for version in self.listed if version.published_at <= now - _A_DAY), None)


Piece = tuple[str, bool]
"""A part of a text, and whether the other text lacks it."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """``before`` and ``after``: the values in pieces."""

    field: str
    before: Sequence[Piece]
    after: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Pair:
    """A broadcast in both versions, or in one of them."""

    before: Broadcast | None
    after: Broadcast | None
    fields: Sequence[FieldChange]

    @property
    def either(self) -> Broadcast:
        """The later of the two."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a pair of nothing")
        return found

    @property
    def what(self) -> str:
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "changed" if self.fields else "equal"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``runs``: in order of time, broadcasts that differ, or that are equal. ``is_reordered``: nothing but the order
    differs.
    """

    runs: Sequence[tuple[bool, Sequence[Pair]]]
    is_reordered: bool

    def count(self, what: str) -> int:
        return sum(pair.what == what for _, pairs in self.runs for pair in pairs)


def compare_documents(earlier: bytes, later: bytes) -> Comparison:
    """``earlier`` and ``later``: published documents; empty for a removal."""
    differences = diff(_fields(later), _fields(earlier))
    changed: dict[str, list[FieldChange]] = {}
    for difference in differences:
        if difference.field not in (PRESENCE, ORDER):
            changed.setdefault(difference.broadcast_pid, []).append(_field_change(difference))
    before, after = _broadcasts(earlier), _broadcasts(later)
    pids = {**before, **after}
    pairs = [Pair(before.get(pid), after.get(pid), changed.get(pid, ())) for pid in pids]
    pairs.sort(key=lambda pair: (pair.either.start, pair.either.broadcast_pid))
    runs = [(is_equal, list(run)) for is_equal, run in groupby(pairs, lambda pair: pair.what == "equal")]
    return Comparison(runs, any(difference.field == ORDER for difference in differences))


def _fields(document: bytes) -> list[Mapping[str, Any]]:
    return orjson.loads(split_document(document)[1]) if document else []


def _broadcasts(document: bytes) -> dict[Pid, Broadcast]:
    listed = parse_published(document).broadcasts if document else ()
    return {broadcast.broadcast_pid: broadcast for broadcast in listed}


def _field_change(difference: Difference) -> FieldChange:
    before, after = _text(difference.theirs), _text(difference.ours)
    return FieldChange(difference.field, *mark_difference(before, after))


def _text(value: Any) -> str:
    """Of an item its title and pid."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case {"pid": pid, "title": title}:
            return f"{title} ({pid})"
    return orjson.dumps(value).decode()


def mark_difference(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces. Long texts are one piece each, because comparing them takes long."""
    if max(len(before), len(after)) > _LONGEST_COMPARED:
        return [(before, True)], [(after, True)]
    words = _WORDS.findall(before), _WORDS.findall(after)
    blocks = SequenceMatcher(None, *words, autojunk=False).get_matching_blocks()
    return list(_pieces(words[0], [(b.a, b.size) for b in blocks])), list(
        _pieces(words[1], [(b.b, b.size) for b in blocks])
    )


def _pieces(words: Sequence[str], equal: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    at = 0
    for start, size in equal:
        if start > at:
            yield "".join(words[at:start]), True
        if size:
            yield "".join(words[start : start + size]), False
        at = start + size
