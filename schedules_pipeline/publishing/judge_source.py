"""Decides whether a fetched schedule document may replace the accepted one. Pure.

A document is judged by the airtime to come that it covers, not by its number of broadcasts: nine long programmes may
replace nineteen, and twenty programmes of a minute each must not replace a day.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schedules_pipeline.documents.accepted_schedule import (
    AcceptedSchedule,
    NoSource,
    accept,
    parse_accepted,
    read_source,
)
from schedules_pipeline.documents.broadcasts import render_slot
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.airtime import Airtime, length_within, to_come, union
from schedules_pipeline.domain.coverage import Coverage
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot, SourceDocument, keep_last_good
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.ports.losses import (
    NO_STANDING,
    Hold,
    HoldReason,
    LossKind,
    Standing,
    Verdict,
)
from schedules_pipeline.publishing.ports.rejections import Rejection, rejection
from schedules_pipeline.publishing.ports.upstream import SourceObject

REMOVED = "removed"
"""The digest of a removal."""

_SIMILAR = 0.2
"""Two documents cover similar airtime if the difference is at most this share of the greater."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The broadcasts that a document would put in place of the committed ones; none for a removal.

    ``blanked``: the broadcasts that it blanks, or may blank.
    ``is_decided``: an operator or the end of the schedule's life has decided, so no budget applies.
    """

    digest: str
    put_id: str
    slots: Sequence[Slot] = ()
    airtime: Airtime = ()
    blanked: frozenset[str] = frozenset()
    is_decided: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """``is_restored``: it is not what the source says, but what an operator has brought back."""

    schedule: AcceptedSchedule
    proposal: Proposal
    is_restored: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """The source has no document."""

    proposal: Proposal
    is_restored = False


PAST_THE_HORIZON = Removed(Proposal(REMOVED, "", is_decided=True))
"""A schedule past the retention horizon goes, whatever was decided about its losses."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The document cannot be read. Partners keep the last good version."""

    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Held:
    """The document or removal waits for a confirmation, or an operator has rejected it: partners keep what they have.

    ``kept``: the committed source with the broadcasts blanked that the held document blanks; None if that changes
    nothing. Blanking is never held, because it may be a matter of rights.
    """

    hold: Hold
    kept: AcceptedSchedule | None = None


Judgement = Accepted | Removed | Rejected | Held


@dataclass(frozen=True, slots=True)
class Situation:
    """What a document is judged against: the committed source, the airtime that it covers and covered lately, and
    what is known of the schedule's losses. ``day``: the broadcast day.
    """

    key: ScheduleKey
    day: Interval
    committed: AcceptedSchedule | NoSource
    coverage: Coverage
    standing: Standing = NO_STANDING

    def committed_slots(self) -> tuple[Slot, ...]:
        return (
            read_source(self.key, self.committed).slots
            if isinstance(self.committed, AcceptedSchedule)
            else ()
        )


class SourceJudge:
    """Judges the documents of one fetch, at one moment."""

    def __init__(self, policy: LossPolicy, now: datetime) -> None:
        self._policy = policy
        self._now = now

    def judge(self, situation: Situation, found: SourceObject | None) -> Judgement:
        if found is None:
            return self._judge_removal(situation)
        try:
            document = parse_source_document(situation.key, _whole_content(situation.key, found))
        except InvalidDocument as error:
            return Rejected(rejection(error, found.content, self._now, found.put_id))
        return self._judge_document(situation, document, found.put_id)

    def hold(
        self, situation: Situation, reason: HoldReason, kind: LossKind, proposal: Proposal, hold_id: str
    ) -> Held:
        """Hold a proposal. A hold for the same reason keeps its id and its beginning."""
        window = to_come(situation.day, self._now)
        covered = length_within(proposal.airtime, window)
        lost = situation.coverage.fullest(window, self._now) - covered
        hold = Hold(
            id=hold_id,
            reason=reason,
            kind=kind,
            digest=proposal.digest,
            put_id=proposal.put_id,
            lost_seconds=round(max(lost, timedelta(0)).total_seconds()),
            covered_seconds=round(covered.total_seconds()),
            held_at=self._now,
            airs_at=situation.day.start,
        )
        earlier = situation.standing.hold
        if earlier is not None and earlier.reason is reason:
            hold = replace(hold, id=earlier.id)
            # Another coverage is another proposal, which a later put has to confirm anew.
            if reason is not HoldReason.SHRUNK or self._is_similar(situation, covered, earlier):
                hold = replace(hold, held_at=earlier.held_at, covered_seconds=earlier.covered_seconds)
        return Held(hold, _blank(situation, proposal.blanked))

    def _judge_removal(self, situation: Situation) -> Judgement:
        proposal = Proposal(REMOVED, "")
        decided = self._decided(situation, proposal)
        if decided is not None:
            return decided
        return Removed(replace(proposal, is_decided=_is_confirmed(situation, REMOVED)))

    def _judge_document(self, situation: Situation, document: SourceDocument, put_id: str) -> Judgement:
        slots = document.schedule.slots
        if document.quarantined:
            slots = keep_last_good(document, situation.committed_slots()).slots
        schedule = accept(replace(document.schedule, slots=slots), document.quarantined, document.mended)
        blanked: set[str] = {slot.broadcast_pid for slot in slots if slot.is_blanked}
        blanked |= {each.broadcast_pid for each in document.quarantined if each.is_blanked}
        proposal = Proposal(_digest(document, schedule), put_id, slots, _airtime(slots), frozenset(blanked))
        decided = self._decided(situation, proposal)
        if decided is not None:
            return decided
        if _is_confirmed(situation, proposal.digest):
            return Accepted(schedule, replace(proposal, is_decided=True))
        key = str(situation.key)
        if self._has_too_many_quarantined(situation, document):
            return self.hold(situation, HoldReason.QUARANTINED, LossKind.SHRUNK, proposal, key)
        if self._has_shrunk(situation, proposal) and not self._confirms(situation, proposal):
            return self.hold(situation, HoldReason.SHRUNK, LossKind.SHRUNK, proposal, key)
        return Accepted(schedule, proposal)

    def _decided(self, situation: Situation, proposal: Proposal) -> Judgement | None:
        """What follows if an operator has rejected these broadcasts."""
        hold, decision, replaced = (
            situation.standing.hold,
            situation.standing.decision,
            situation.standing.replaced,
        )
        if (
            decision is None
            or hold is None
            or (decision.digest, decision.verdict) != (proposal.digest, Verdict.REJECTED)
        ):
            return None
        if decision.restores and replaced is not None:
            restored = parse_accepted(replaced)
            slots = read_source(situation.key, restored).slots
            decided = replace(proposal, slots=slots, airtime=_airtime(slots), is_decided=True)
            return Accepted(restored, decided, is_restored=True)
        return Held(hold, _blank(situation, proposal.blanked))

    def _has_too_many_quarantined(self, situation: Situation, document: SourceDocument) -> bool:
        """One unusable broadcast never holds a day, and a day that is over is not held."""
        if self._now >= situation.day.end:
            return False
        unusable, usable = len(document.quarantined), len(document.schedule.slots)
        return unusable > max(1, self._policy.largest_quarantined_share * (unusable + usable))

    def _has_shrunk(self, situation: Situation, proposal: Proposal) -> bool:
        window = to_come(situation.day, self._now)
        fullest = situation.coverage.fullest(window, self._now)
        covered = length_within(proposal.airtime, window)
        return covered < self._policy.smallest_share * fullest and fullest - covered > self._policy.tolerated

    def _confirms(self, situation: Situation, proposal: Proposal) -> bool:
        """Whether this is a later put of similar coverage. A put that was judged before confirms nothing."""
        hold = situation.standing.hold
        if hold is None or hold.reason is not HoldReason.SHRUNK or hold.put_id == proposal.put_id:
            return False
        window = to_come(situation.day, self._now)
        covered = length_within(proposal.airtime, window)
        return (
            self._is_similar(situation, covered, hold)
            and self._now - hold.held_at >= self._policy.confirm_after
        )

    def _is_similar(self, situation: Situation, covered: timedelta, hold: Hold) -> bool:
        """Whether so much airtime to come is about what was held, less what has aired since."""
        day, held = situation.day, timedelta(seconds=hold.covered_seconds)
        aired = to_come(day, hold.held_at).length - to_come(day, self._now).length
        tolerance = _SIMILAR * max(covered, held)
        return held - aired - tolerance <= covered <= held + tolerance


def _airtime(slots: Iterable[Slot]) -> Airtime:
    return union(slot.interval for slot in slots)


def waits_for_operator(standing: Standing) -> bool:
    """Whether a hold of the budget is undecided. Neither time nor another shortened document ends it."""
    return standing.hold is not None and standing.hold.reason is HoldReason.BUDGET


def _is_confirmed(situation: Situation, digest: str) -> bool:
    decision = situation.standing.decision
    return decision is not None and (decision.digest, decision.verdict) == (digest, Verdict.CONFIRMED)


def _whole_content(key: ScheduleKey, found: SourceObject) -> bytes:
    if found.unread_bytes:
        size = len(found.content) + found.unread_bytes
        raise InvalidDocument(
            f"schedule {key}: {size:,} bytes are more than a document may have "
            "(the setting SCHEDULES_MAXIMUM_SCHEDULE_BYTES)"
        )
    if found.defect:
        raise InvalidDocument(f"schedule {key}: {found.defect}")
    return found.content


def _digest(document: SourceDocument, schedule: AcceptedSchedule) -> str:
    """The digest of what the document itself says: without its time, and without slots of the committed source."""
    own = {slot.broadcast_pid for slot in document.schedule.slots}
    slots = [slot for pid, slot in zip(schedule.broadcast_pids, schedule.slots, strict=True) if pid in own]
    unusable = [f"{each.broadcast_pid} {each.reason}".encode() for each in document.quarantined]
    return hashlib.sha256(b"\n".join([*slots, b"", *unusable])).hexdigest()


def _blank(situation: Situation, blanked: Collection[str]) -> AcceptedSchedule | None:
    """The committed source with these broadcasts blanked, or None if it shows none of them."""
    committed = situation.committed
    if not blanked or not isinstance(committed, AcceptedSchedule):
        return None
    slots = situation.committed_slots()
    shown = [slot for slot in slots if slot.broadcast_pid in blanked and not slot.is_blanked]
    if not shown:
        return None
    newly = {slot.broadcast_pid for slot in shown}
    hidden = [slot.blanked() if slot.broadcast_pid in newly else slot for slot in slots]
    return replace(
        committed,
        episode_pids=tuple([slot.episode_pid for slot in hidden]),
        slots=[render_slot(slot) for slot in hidden],
    )
