"""Compares what partners have with what they should have, step by step of a replay, and keeps the account."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from demo.replay.oracle.days import BroadcastDays, Key
from demo.replay.oracle.guide import Content, Edit, Guide
from demo.replay.oracle.holds import Holds
from demo.replay.oracle.losses import Losses
from demo.replay.oracle.on_air import OnAir, Seam


@dataclass(slots=True)
class Counts:
    """``affected``: schedules whose inputs changed, once for each step. ``changed``: documents that the source changed.
    ``withheld``: those of them that partners did not get at once. ``shown``: contents that partners got.
    ``at_the_end``: documents compared at the end. ``not_judged``: comparisons left out, since the oracle could not read
    the source.
    """

    affected: int = 0
    compared: int = 0
    not_judged: int = 0
    changed: int = 0
    withheld: int = 0
    shown: int = 0
    at_the_end: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that neither the source nor a hold explains, at an instant in seconds."""

    key: Key
    at: int
    detail: str


@dataclass(slots=True)
class Account:
    days: BroadcastDays
    guide: Guide = field(default_factory=Guide)
    counts: Counts = field(default_factory=Counts)
    differences: list[Difference] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    on_air: OnAir = field(default_factory=OnAir)
    holds: Holds = field(init=False)
    now: int = 0
    _expected: dict[Key, Content | None] = field(default_factory=dict)
    _shown: dict[Key, Content | None] = field(default_factory=dict)
    _candidates: dict[Key, list[Content]] = field(default_factory=dict)
    _changed: set[Key] = field(default_factory=set)
    """By the last edits."""

    def __post_init__(self) -> None:
        self.holds = Holds(self.days)

    def pass_time(self, now: int) -> list[Seam]:
        """Nothing changes until now. Returns the seams that were on air for the first time."""
        for hold in self.holds.due(now):
            self.holds.decide(hold, self._expected.get(hold.key))
        seams = self.on_air.pass_time(self.now, now) if self.now else []
        self.now = now
        return seams

    def apply(self, edits: Iterable[Edit]) -> set[Key]:
        """The source changes now. Returns the schedules whose documents may change."""
        affected = self.guide.apply(edits)
        self.counts.affected += len(affected)
        for key in affected:
            content = self.guide.content(key)
            if content != self._expected.get(key):
                self._changed.add(key)
            self._expected[key] = content
            self.losses.source_said(key, self.now, content)
            if key in self.guide.sources:
                self._candidates.setdefault(key, []).append(self.guide.sources[key])
        self.counts.changed += len(self._changed)
        return affected

    def settle(self, keys: Iterable[Key], documents: Mapping[Key, bytes]) -> None:
        """The pipeline has handled everything. ``documents``: of these schedules, as partners get them."""
        for key in keys:
            shown = json.loads(documents[key])["broadcasts"] if key in documents else None
            expected = self._expected.get(key)
            if shown != self._shown.get(key):
                self.counts.shown += 1
                self._show(key, shown)
            self.counts.compared += 1
            if key in self.guide.unreadable:
                self.counts.not_judged += 1
            elif shown == expected:
                self.holds.level(key, self.now)
                self._candidates[key] = [self.guide.sources[key]] if key in self.guide.sources else []
            else:
                self._explain(key, expected, shown)
        self._changed.clear()

    def candidates(self, key: Key) -> list[Content]:
        """The sources that partners may still see: the one that they saw last, and those that the source had since."""
        return self._candidates.get(key, [])

    def differing_at_the_end(self, documents: Mapping[Key, bytes]) -> list[Difference]:
        """Compare every document that partners have or should have."""
        keys = sorted(self._expected.keys() | documents.keys())
        before = len(self.differences)
        self.settle(keys, documents)
        self.counts.at_the_end = len(keys)
        return self.differences[before:]

    def _show(self, key: Key, content: Content | None) -> None:
        self._shown[key] = content
        self.on_air.published(key, content)
        self.losses.published(key, self.now, self.days.span(key), content)

    def _explain(self, key: Key, expected: Content | None, shown: Content | None) -> None:
        self.counts.withheld += key in self._changed
        if _is_explained(self.guide, shown, self.candidates(key), self.guide.sources.get(key, [])):
            self.holds.behind(key, self.now, expected, shown)
        else:
            self.differences.append(Difference(key, self.now, _first_difference(expected, shown)))


def _is_explained(
    guide: Guide, shown: Content | None, candidates: Iterable[Content], current: Content
) -> bool:
    """Whether partners see an earlier source, perhaps with the blankings of the current one. Nothing is explained only
    where the first document has no broadcasts: any other loses nothing, so it is not held.
    """
    if shown is None:
        return not current
    blanked = {slot["broadcast_pid"]: slot for slot in current if slot["is_blanked"]}
    for candidate in candidates:
        kept = [_blank(slot) if slot["broadcast_pid"] in blanked else slot for slot in candidate]
        if shown in (guide.join(candidate), guide.join(kept)):
            return True
    return False


def _blank(slot: dict[str, object]) -> dict[str, object]:
    return {**slot, "is_blanked": True, "episode_pid": "", "version_pid": ""}


def _first_difference(expected: Content | None, shown: Content | None) -> str:
    if expected is None or shown is None:
        return (
            f"partners have {'none' if shown is None else 'one'}, not {'none' if expected is None else 'one'}"
        )
    if len(expected) != len(shown):
        return f"{len(shown)} broadcasts, not {len(expected)}"
    for wanted, found in zip(expected, shown, strict=True):
        for name in wanted.keys() | found.keys():
            if wanted.get(name) != found.get(name):
                return f"{name} of {wanted['broadcast_pid']} is {found.get(name)!r}, not {wanted.get(name)!r}"
    return "equal"
