"""A schedule that a build works on: its committed state, and the source to build it from. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from schedules_pipeline.documents.accepted_schedule import (
    AcceptedSchedule,
    NoSource,
    UndecodableSource,
    if_decodable,
    parse_accepted,
    read_source,
    render_accepted,
)
from schedules_pipeline.documents.coverage_record import parse_coverage, render_coverage
from schedules_pipeline.documents.partner_document import Publication, render_document
from schedules_pipeline.domain.airtime import Airtime, length_within, to_come, union
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.coverage import Coverage
from schedules_pipeline.domain.dependencies import Dependencies, dependencies
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import describe_quarantined
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.judge_source import (
    Accepted,
    Held,
    Judgement,
    Proposal,
    Rejected,
    Removed,
    Situation,
)
from schedules_pipeline.publishing.ports.losses import NO_STANDING, Standing
from schedules_pipeline.publishing.ports.schedules import Commit, ScheduleState
from schedules_pipeline.publishing.ports.work import Work
from schedules_pipeline.publishing.resolve_programmes import Need

_BLANKED = b'"is_blanked":true'


@dataclass(frozen=True, slots=True)
class Draft:
    """A schedule to build. ``judgement``: of the document that was fetched; None if none was.

    ``source_is_new``: the source differs from the committed one, or an older release has rendered that.
    """

    work: Work
    state: ScheduleState
    committed: AcceptedSchedule | NoSource
    source: AcceptedSchedule | NoSource
    source_is_new: bool = False
    situation: Situation | None = None
    judgement: Judgement | None = None
    was_rejected: bool = False

    @property
    def key(self) -> ScheduleKey:
        return self.work.key

    @property
    def seen_mark(self) -> int:
        """A held document stays unseen, so that every later build fetches and judges it again."""
        return self.state.seen_mark if isinstance(self.judgement, Held) else self.state.source_mark

    @property
    def ends_rejection(self) -> bool:
        return self.was_rejected and not isinstance(self.judgement, Rejected)

    @property
    def ends_hold(self) -> bool:
        """Whether the source had a held document that this build replaces, publishes or removes. A decision of the
        operator to keep the replaced source stands.
        """
        if self.situation is None or not isinstance(self.judgement, Accepted | Removed):
            return False
        return self.situation.standing != NO_STANDING and not self.judgement.is_restored

    @property
    def quarantine_summary(self) -> str:
        """The broadcasts that the source has in quarantine; "" without any."""
        return describe_quarantined(self.source.quarantined, self.source.mended)

    @property
    def proposal(self) -> Proposal | None:
        """What the budget has to judge: the broadcasts of a document or removal that nothing else has decided."""
        if isinstance(self.judgement, Accepted | Removed) and not self.judgement.proposal.is_decided:
            return self.judgement.proposal
        return None

    def with_decodable_source(self) -> "Draft":
        """The draft for a document that was fetched, which replaces a committed source that cannot be decoded."""
        return replace(self, committed=if_decodable(self.key, self.committed))

    def judged(self, situation: Situation, judgement: Judgement, *, was_rejected: bool) -> "Draft":
        """The draft after its source was fetched. Raises :class:`InvalidRecord` if the document is rejected or held and
        the committed source cannot be decoded: the publisher must not replace a schedule by nothing.
        """
        judged = replace(
            self, situation=situation, judgement=judgement, was_rejected=was_rejected, source=self.committed
        )
        match judgement:
            case Accepted(schedule):
                return replace(judged, source=schedule, source_is_new=True)
            case Removed():
                return replace(judged, source=NoSource(), source_is_new=self.state.accepted is not None)
            case Rejected() | Held() if isinstance(self.committed, UndecodableSource):
                raise InvalidRecord(
                    f"schedule {self.key}: the accepted source cannot be decoded and the document in the bucket "
                    "is not accepted: put a valid document"
                )
            case Held(kept=kept) if kept is not None:
                return replace(judged, source=kept, source_is_new=True)
            case _:
                return replace(judged, source_is_new=False)

    def held(self, held: Held) -> "Draft":
        """The draft after the budget has held what it proposes."""
        if self.situation is None:
            raise ValueError(f"schedule {self.key}: only a fetched document can be held")
        return self.judged(self.situation, held, was_rejected=self.was_rejected)

    def makes_whole(self, now: datetime) -> bool:
        """Whether the source covers as much again as the schedule ever did within a day, after a loss."""
        if self.situation is None or not isinstance(self.judgement, Accepted):
            return False
        window, coverage = to_come(self.situation.day, now), self.situation.coverage
        fullest = coverage.fullest(window, now)
        if length_within(coverage.current, window) >= fullest:
            return False
        return length_within(self.judgement.proposal.airtime, window) >= fullest

    def newly_blanked(self, now: datetime) -> timedelta:
        """The airtime to come that this source blanks and the committed one does not."""
        if self.situation is None or not self.source_is_new or not isinstance(self.source, AcceptedSchedule):
            return timedelta(0)
        if not any(_BLANKED in slot for slot in self.source.slots):
            return timedelta(0)
        before = {slot.broadcast_pid for slot in self.situation.committed_slots() if slot.is_blanked}
        slots = read_source(self.key, self.source).slots
        blanked = union(s.interval for s in slots if s.is_blanked and s.broadcast_pid not in before)
        return length_within(blanked, to_come(self.situation.day, now))

    def need(self, *, trust_index: bool) -> Need:
        """``trust_index``: the index has every entry of the committed state, so only new entries are registered."""
        if not trust_index:
            return Need(self.source.episodes(), self.source.shown(), frozenset())
        if not self.source_is_new:
            return Need(self.source.episodes(), (), self.state.ancestors)
        registered = frozenset(self.committed.shown())
        fresh = [mention for mention in self.source.shown() if mention not in registered]
        return Need(self.source.episodes(), fresh, self.state.ancestors)

    def obsolete(self, ancestors: frozenset[Pid]) -> Dependencies:
        """The index entries that the committed state needed and a build with these ancestors does not."""
        if not self.source_is_new and ancestors == self.state.ancestors:
            return frozenset()
        needed = dependencies(self.source.shown(), ancestors)
        return dependencies(self.committed.shown(), self.state.ancestors) - needed

    def covered(self, at: datetime, accepted: bytes) -> bytes:
        """The record of the coverage once the source of this draft is committed."""
        if self.situation is None or not self.source_is_new:
            return b""
        return render_coverage(self.situation.coverage.replaced_by(self._airtime(), at), accepted)

    def _airtime(self) -> Airtime:
        if isinstance(self.judgement, Accepted):
            return self.judgement.proposal.airtime
        return (
            ()
            if isinstance(self.source, NoSource) or self.situation is None
            else self.situation.coverage.current
        )


def draft_of(work: Work, state: ScheduleState) -> Draft:
    """Raises :class:`InvalidRecord` if the committed source cannot be decoded and is not going to be fetched."""
    committed = _committed_source(state)
    return Draft(work, state, committed, committed)


def situation_of(
    state: ScheduleState, committed: AcceptedSchedule | NoSource, day: Interval, standing: Standing
) -> Situation:
    """``day``: the broadcast day of the schedule."""
    return Situation(state.key, day, committed, _coverage(state, committed), standing)


def _coverage(state: ScheduleState, committed: AcceptedSchedule | NoSource) -> Coverage:
    """The coverage as it is recorded; if an older release has accepted the source, its airtime is computed."""
    recorded, is_current = Coverage(), False
    if state.covered is not None:
        recorded, is_current = parse_coverage(state.covered, state.accepted or b"")
    if is_current or not isinstance(committed, AcceptedSchedule):
        return recorded
    airtime = union(slot.interval for slot in read_source(state.key, committed).slots)
    return Coverage(airtime, recorded.earlier)


class Content(NamedTuple):
    """The broadcasts of a document, and their etag; both empty if partners see no schedule."""

    text: bytes = b""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """What the commits of one round share. ``seconds``: how long the batch has taken until now."""

    token: int
    at: datetime
    seconds: float
    recorded_by: str

    def commit(self, draft: Draft, ancestors: frozenset[Pid], content: Content) -> Commit:
        seq, source = draft.state.seq + 1, draft.source
        accepted, document = b"", b""
        if isinstance(source, AcceptedSchedule):
            accepted = render_accepted(source) if draft.source_is_new else b""
            document = render_document(draft.key, Publication(seq, self.at, content.etag), content.text)
        return Commit(
            key=draft.key,
            token=self.token,
            read_token=draft.state.committed_token,
            seen_mark=draft.seen_mark,
            accepted=accepted,
            accepted_is_new=draft.source_is_new,
            covered=draft.covered(self.at, accepted),
            ancestors=ancestors,
            etag=content.etag,
            document=document,
            change=self._change(draft, seq, content),
        )

    def _change(self, draft: Draft, seq: int, content: Content) -> Change:
        return Change(
            key=draft.key,
            seq=seq,
            etag=content.etag,
            published_at=self.at,
            broadcasts=len(draft.source.slots),
            content_bytes=len(content.text),
            source_changed=draft.source_is_new,
            build_milliseconds=round(self.seconds * 1000, 1),
            causes=draft.work.causes,
            cause_count=draft.work.cause_count,
            recorded_by=self.recorded_by,
        )


def _committed_source(state: ScheduleState) -> AcceptedSchedule | NoSource:
    """Raises :class:`InvalidRecord` if it cannot be decoded and the source is not going to be fetched."""
    if state.accepted is None:
        return NoSource()
    try:
        return parse_accepted(state.accepted)
    except InvalidRecord:
        if not state.must_fetch:
            raise
        return UndecodableSource()
