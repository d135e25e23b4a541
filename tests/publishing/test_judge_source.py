"""Which schedule documents may replace the accepted one, by the airtime to come that they cover."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, NoSource, accept, render_accepted
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.airtime import union
from schedules_pipeline.domain.coverage import Coverage
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.publishing.judge_source import (
    Accepted,
    Held,
    Judgement,
    Rejected,
    Removed,
    Situation,
    SourceJudge,
)
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.ports.losses import (
    NO_STANDING,
    Decision,
    Hold,
    HoldReason,
    LossKind,
    Standing,
    Verdict,
)
from schedules_pipeline.publishing.ports.upstream import SourceObject

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)
_DAY = Interval(_SIX, _SIX + timedelta(days=1))
_NOW = datetime(2026, 1, 10, 9, 30, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_Lengths = list[float]


def _content(
    minutes: _Lengths, *, first: int = 0, blanked: frozenset[int] = frozenset(), begin: float = 0
) -> bytes:
    """A document of broadcasts of these lengths, one after another from 06:00 plus ``begin`` minutes.

    ``first``: the number of the first broadcast. ``blanked``: numbers of blanked ones.
    """
    broadcasts, at = [], _SIX + timedelta(minutes=begin)
    for number, length in enumerate(minutes, start=first):
        end = at + timedelta(minutes=length)
        broadcasts.append(
            {
                "broadcast_pid": f"p{number:07}",
                "episode_pid": "b0000001",
                "start": at,
                "end": end,
                "is_blanked": number in blanked,
            }
        )
        at = end
    head = {"sid": "alder_one_north", "date": "2026-01-15", "published_at": "2026-01-10T09:00:00Z"}
    return orjson.dumps({**head, "broadcasts": broadcasts})


def _accepted(content: bytes) -> AcceptedSchedule:
    return accept(parse_source_document(_KEY, content).schedule)


def _situation(content: bytes | None, *, standing: Standing = NO_STANDING) -> Situation:
    """A schedule whose committed source has this content."""
    if content is None:
        return Situation(_KEY, _DAY, NoSource(), Coverage(), standing)
    airtime = union(slot.interval for slot in parse_source_document(_KEY, content).schedule.slots)
    return Situation(_KEY, _DAY, _accepted(content), Coverage(airtime), standing)


def _judge(
    situation: Situation,
    content: bytes | None,
    *,
    put_id: str = "put-2",
    now: datetime = _NOW,
) -> Judgement:
    found = None if content is None else SourceObject(content, put_id)
    return SourceJudge(LossPolicy(), now).judge(situation, found)


def _hold(situation: Situation, content: bytes, *, put_id: str = "put-2", now: datetime = _NOW) -> Hold:
    judgement = _judge(situation, content, put_id=put_id, now=now)
    assert isinstance(judgement, Held)
    return judgement.hold


_WHOLE = _content([30] * 48)


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param([160] * 9, id="nine long programmes replace many"),
        pytest.param([153] * 9, id="nine that cover 23 hours"),
        pytest.param([24 * 60], id="one that covers the day"),
        pytest.param([30] * 47 + [1], id="the last one is cut short"),
        pytest.param([15] * 96, id="twice as many"),
        pytest.param([20 * 60], id="four hours fewer"),
    ],
)
def test_a_document_that_covers_as_much_is_accepted(minutes: _Lengths) -> None:
    """The number of broadcasts is no matter."""
    content = _content(minutes)

    judgement = _judge(_situation(_WHOLE), content)

    assert isinstance(judgement, Accepted)
    assert judgement.schedule == _accepted(content)


@pytest.mark.parametrize(
    ("minutes", "begin"),
    [
        pytest.param([], 0, id="no broadcasts"),
        pytest.param([1] * 48, 0, id="as many, of a minute each"),
        pytest.param([5], 0, id="five minutes"),
        pytest.param([65], 0, id="65 minutes"),
        pytest.param([12 * 60], 0, id="half a day"),
        pytest.param([24 * 60], -24 * 60, id="another day's"),
    ],
)
def test_a_document_that_covers_much_less_is_held(minutes: _Lengths, begin: float) -> None:
    """The hold says what would be lost."""
    hold = _hold(_situation(_WHOLE), _content(minutes, begin=begin))

    covered = 0 if begin else sum(minutes) * 60
    assert (hold.reason, hold.kind, hold.id) == (HoldReason.SHRUNK, LossKind.SHRUNK, str(_KEY))
    assert (hold.covered_seconds, hold.lost_seconds) == (covered, 86_400 - covered)
    assert (hold.put_id, hold.held_at) == ("put-2", _NOW)


def test_the_first_document_is_accepted_whatever_it_covers() -> None:
    """Without anything published there is nothing to lose."""
    assert isinstance(_judge(_situation(None), _content([5])), Accepted)
    assert isinstance(_judge(_situation(None), _content([])), Accepted)


def test_a_document_is_compared_with_the_fullest_state_of_the_last_day() -> None:
    """A day that halves in steps of five minutes is held at the first step, and one that creeps at a later one."""
    coverage, now, accepted = _situation(_WHOLE).coverage, _NOW, []
    for broadcasts in (43, 39, 35, 31):
        now += timedelta(minutes=5)
        content = _content([30] * broadcasts)
        situation = replace(_situation(content), coverage=coverage)
        judgement = _judge(situation, content, now=now)
        accepted.append(isinstance(judgement, Accepted))
        if isinstance(judgement, Accepted):
            coverage = coverage.replaced_by(judgement.proposal.airtime, now)

    assert accepted == [True, True, True, False]


def test_the_fullest_state_is_forgotten_after_a_day() -> None:
    """Then the latest state is what partners are used to."""
    coverage = Coverage(union([_DAY])).replaced_by(union([Interval(_SIX, _SIX + 18 * _HOUR)]), _NOW)
    situation = replace(_situation(_content([18 * 60])), coverage=coverage)

    assert isinstance(_judge(situation, _content([14 * 60]), now=_NOW + 23 * _HOUR), Held)
    assert isinstance(_judge(situation, _content([14 * 60]), now=_NOW + 24 * _HOUR), Accepted)


def test_airtime_that_is_over_is_no_loss() -> None:
    """Past broadcasts may be trimmed without loss, and a document is not held in the last half-hour of its day."""
    evening = _content([6 * 60], begin=18 * 60)

    assert isinstance(_judge(_situation(_WHOLE), evening, now=_SIX + 18 * _HOUR), Accepted)
    assert isinstance(_judge(_situation(_WHOLE), evening, now=_SIX + 9 * _HOUR), Held)
    assert isinstance(_judge(_situation(_WHOLE), _content([]), now=_SIX + 23.5 * _HOUR), Accepted)
    assert isinstance(_judge(_situation(_WHOLE), _content([]), now=_SIX + 23.4 * _HOUR), Held)
    assert isinstance(_judge(_situation(_WHOLE), _content([]), now=_DAY.end), Accepted)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "Invalid JSON", id="no bytes"),
        pytest.param(b"<html>", "Invalid JSON", id="not JSON"),
        pytest.param(b"{}", "Field required", id="no fields"),
        pytest.param(_WHOLE.replace(b"north", b"south"), "says that it is 'alder_one_south/", id="another's"),
    ],
)
def test_a_document_that_cannot_be_read_is_rejected(content: bytes, complaint: str) -> None:
    """The rejection has the reason, the time and the beginning of the document."""
    judgement = _judge(_situation(_WHOLE), content, put_id="put-7")

    assert isinstance(judgement, Rejected)
    assert complaint in judgement.rejection.reason
    assert (judgement.rejection.put_id, judgement.rejection.refused_at) == ("put-7", _NOW)
    assert content.decode().startswith(judgement.rejection.excerpt)


def test_the_excerpt_of_a_rejected_document_is_short() -> None:
    """Reason and excerpt together are cut to what a record of a rejection may have."""
    judgement = _judge(_situation(None), b"x" + "\N{OWL}".encode() * 100_000)

    assert isinstance(judgement, Rejected)
    excerpt = judgement.rejection.excerpt
    assert excerpt.startswith("x\N{OWL}")
    assert len(excerpt.encode()) <= 2_000


# What ends a hold

_SHORT = _content([60])


def _held_since(minutes: float, content: bytes = _SHORT, put_id: str = "put-2") -> Situation:
    """A whole schedule with a document that was held so many minutes ago."""
    hold = _hold(_situation(_WHOLE), content, put_id=put_id, now=_NOW - timedelta(minutes=minutes))
    return _situation(_WHOLE, standing=Standing(hold))


@pytest.mark.parametrize(
    "minutes",
    [pytest.param([60], id="the same"), pytest.param([52], id="less"), pytest.param([70], id="more")],
)
def test_another_put_of_similar_coverage_confirms_some_minutes_later(minutes: _Lengths) -> None:
    """The source means it."""
    judgement = _judge(_held_since(10), _content(minutes), put_id="put-3")

    assert isinstance(judgement, Accepted)
    assert not judgement.proposal.is_decided


def test_a_put_that_comes_at_once_confirms_nothing() -> None:
    """The hold keeps its beginning and remembers the put, which confirms nothing later either."""
    first = _held_since(9.9)

    second = _hold(first, _SHORT, put_id="put-3")

    assert (second.held_at, second.put_id) == (_NOW - timedelta(minutes=9.9), "put-3")
    again = _situation(_WHOLE, standing=Standing(second))
    assert isinstance(_judge(again, _SHORT, put_id="put-3", now=_NOW + _HOUR), Held)
    assert isinstance(_judge(again, _SHORT, put_id="put-4", now=_NOW + _HOUR), Accepted)


def test_the_same_put_confirms_nothing_however_late() -> None:
    """Every rebuild reads a held document again."""
    assert isinstance(_judge(_held_since(24 * 60), _SHORT), Held)


@pytest.mark.parametrize(
    "minutes", [pytest.param([], id="empty"), pytest.param([6 * 60], id="other coverage")]
)
def test_a_put_of_other_coverage_confirms_nothing(minutes: _Lengths) -> None:
    """The hold is about the latest document."""
    held_for_long = _held_since(11)

    hold = _hold(held_for_long, _content(minutes), put_id="put-3")

    assert hold.covered_seconds == sum(minutes) * 60


def test_a_fuller_document_is_accepted_at_once() -> None:
    """A torn state is repaired by the next one."""
    assert isinstance(_judge(_held_since(1), _WHOLE, put_id="put-3"), Accepted)


def test_a_hold_ends_with_its_day() -> None:
    """Nothing can be lost any more."""
    assert isinstance(_judge(_held_since(60), _SHORT, now=_DAY.end), Accepted)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_operator_decides_about_the_broadcasts_that_were_seen(verdict: Verdict) -> None:
    """Other broadcasts are judged on their own."""
    hold = _hold(_situation(_WHOLE), _SHORT)
    decision = Decision(hold.id, hold.digest, verdict, _NOW)
    situation = _situation(_WHOLE, standing=Standing(hold, decision))

    seen, other = _judge(situation, _SHORT), _judge(situation, _content([60], first=7), put_id="put-3")

    if verdict is Verdict.CONFIRMED:
        assert isinstance(seen, Accepted)
        assert seen.proposal.is_decided
    else:
        assert seen == Held(hold)
    assert isinstance(other, Held)


def test_a_rejected_document_of_a_later_put_stays_rejected() -> None:
    """Until the source says something else: no put confirms what an operator has rejected."""
    hold = _hold(_situation(_WHOLE), _SHORT, now=_NOW - _HOUR)
    decision = Decision(hold.id, hold.digest, Verdict.REJECTED, _NOW)

    judgement = _judge(_situation(_WHOLE, standing=Standing(hold, decision)), _SHORT, put_id="put-9")

    assert judgement == Held(hold)


def test_a_loss_that_is_taken_back_brings_the_replaced_source() -> None:
    """A restoring decision brings back the replaced source; without a stored one the loss stays held."""
    hold = Hold("loss-1", HoldReason.RESTORED, LossKind.REMOVED, "removed", "", 86_400, 0, _NOW, _DAY.start)
    decision = Decision("loss-1", "removed", Verdict.REJECTED, _NOW, restores=True)
    replaced = render_accepted(_accepted(_WHOLE))

    restored = _judge(_situation(None, standing=Standing(hold, decision, replaced)), None)
    too_late = _judge(_situation(None, standing=Standing(hold, decision, None)), None)

    assert isinstance(restored, Accepted)
    assert (restored.schedule, restored.is_restored) == (_accepted(_WHOLE), True)
    assert too_late == Held(hold)


# Removals and blanking


def test_a_missing_document_is_a_removal() -> None:
    """The budget decides about it, unless an operator has."""
    confirmed = Decision("loss-1", "removed", Verdict.CONFIRMED, _NOW)

    removal = _judge(_situation(_WHOLE), None)
    decided = _judge(_situation(_WHOLE, standing=Standing(None, confirmed)), None)

    assert isinstance(removal, Removed)
    assert isinstance(decided, Removed)
    assert (removal.proposal.is_decided, decided.proposal.is_decided) == (False, True)


def test_blanking_is_never_held() -> None:
    """A held document still blanks the broadcasts that it blanks, and nothing else changes."""
    judgement = _judge(_situation(_WHOLE), _content([30, 30], first=3, blanked=frozenset({4})))

    assert isinstance(judgement, Held)
    assert judgement.kept == _accepted(_content([30] * 48, blanked=frozenset({4})))


def test_a_held_document_without_new_blanking_changes_nothing() -> None:
    """Neither a blanked broadcast that partners do not have, nor one that is blanked already."""
    blanked = _situation(_content([30] * 48, blanked=frozenset({4})))

    for first in (4, 90):
        judgement = _judge(blanked, _content([30], first=first, blanked=frozenset({first})))
        assert isinstance(judgement, Held)
        assert judgement.kept is None


@given(st.lists(st.integers(1, 600), max_size=40), st.integers(-120, 1_500), st.integers(0, 24))
def test_accepted_without_confirmation_means_little_is_lost(
    minutes: list[int], begin: int, hour: int
) -> None:
    """Any accepted document, at any hour, keeps the share or loses less than the tolerance."""
    policy, now = LossPolicy(), _SIX + hour * _HOUR
    content = _content([float(length) for length in minutes], begin=begin)

    judgement = _judge(_situation(_WHOLE), content, now=now)

    left = set(range(hour * 60, 24 * 60))
    covered = len(left & set(range(begin, begin + sum(minutes))))
    kept = covered >= policy.smallest_share * len(left)
    assert isinstance(judgement, Accepted) == (
        kept or timedelta(minutes=len(left) - covered) <= policy.tolerated
    )


def test_a_quarantined_broadcast_that_may_be_blanked_is_blanked_in_what_partners_keep() -> None:
    """Also if its document is held, and the committed slot would overlap another broadcast of it."""
    document = orjson.loads(_content([60]))
    document["broadcasts"].append(
        {"broadcast_pid": "p0000001", "is_blanked": True, "start": None, "end": None}
    )

    judgement = _judge(_situation(_WHOLE), orjson.dumps(document))

    assert isinstance(judgement, Held)
    assert judgement.kept == _accepted(_content([30] * 48, blanked=frozenset({1})))


@pytest.mark.parametrize(("unusable", "is_held"), [(1, False), (12, False), (13, True), (48, True)])
def test_a_document_of_too_many_unusable_broadcasts_is_held(unusable: int, is_held: bool) -> None:
    """More than a quarter; below that, their last good slots stay. A day that is over is not held."""
    document = orjson.loads(_WHOLE)
    for broadcast in document["broadcasts"][:unusable]:
        broadcast["end"] = None

    judgement = _judge(_situation(_WHOLE), orjson.dumps(document))
    too_late = _judge(_situation(_WHOLE), orjson.dumps(document), now=_DAY.end)

    assert isinstance(judgement, Held) is is_held
    if isinstance(judgement, Held):
        assert judgement.hold.reason is HoldReason.QUARANTINED
    elif isinstance(judgement, Accepted):
        assert judgement.schedule.slots == _accepted(_WHOLE).slots
    assert isinstance(too_late, Accepted)
