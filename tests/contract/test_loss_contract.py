"""Losses of airtime, on fakes and Redis alike: holds, decisions, and the budget that losses draw on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.losses import (
    BUDGET_WINDOW,
    RESTORABLE_FOR,
    Decision,
    Hold,
    HoldReason,
    Loss,
    LossKind,
    LossLimits,
    Standing,
    Verdict,
)

_NOW = datetime(2026, 3, 28, 12, 0, 0, tzinfo=UTC)
_A, _A_NEXT, _B = (
    ScheduleKey.parse(key) for key in ("alder/2026-03-28", "alder/2026-03-29", "birch/2026-03-28")
)
_LIMITS = LossLimits(whole=100, of_service={_A.sid: 60, _B.sid: 60})


def _hold(digest: str = "abc") -> Hold:
    return Hold(
        "alder/2026-03-28", HoldReason.SHRUNK, LossKind.SHRUNK, digest, "put 1", 3_600, 60, _NOW, _NOW
    )


def _loss(key: ScheduleKey, seconds: int, digest: str = "abc", at: datetime = _NOW) -> tuple[Loss, bytes]:
    return Loss(key, LossKind.REMOVED, digest, seconds, at), b"replaced"


def _overdrawn(store: Store, *losses: tuple[Loss, bytes], now: datetime = _NOW) -> set[ScheduleKey]:
    wanted = {loss.key: (loss, source) for loss, source in losses}
    return set(store.losses.reserve(wanted, _LIMITS, "loss-1", now).overdrawn)


def test_holds_and_decisions_are_kept_by_schedule(store: Store) -> None:
    """Both come back whole, and a schedule without either has no standing."""
    decision = Decision("alder/2026-03-28", "abc", Verdict.REJECTED, _NOW)
    store.losses.hold({_A: _hold("old")})
    store.losses.hold({_A: _hold(), _B: _hold()})
    store.losses.decide({_A: decision})

    assert store.losses.find([_A, _A_NEXT, _B]) == {_A: Standing(_hold(), decision), _B: Standing(_hold())}
    assert store.losses.holds() == {_A: _hold(), _B: _hold()}
    assert store.losses.decisions() == {_A: decision}


def test_an_ended_hold_takes_its_decision_along(store: Store) -> None:
    """The next hold of the schedule waits for a decision of its own."""
    store.losses.hold({_A: _hold(), _B: _hold()})
    store.losses.decide({_A: Decision("alder/2026-03-28", "abc", Verdict.CONFIRMED, _NOW)})

    store.losses.end([_A])
    store.losses.end([])

    assert store.losses.find([_A, _B]) == {_B: Standing(_hold())}
    assert store.losses.decisions() == {}


def test_losses_within_the_budget_are_let_through(store: Store) -> None:
    """They are in the ledger with their time, also at the limit exactly."""
    assert _overdrawn(store, _loss(_A, 60), _loss(_B, 40)) == set()

    assert store.losses.let_through() == {_A: _loss(_A, 60)[0], _B: _loss(_B, 40)[0]}


def test_losses_of_one_service_beyond_its_limit_are_overdrawn_together(store: Store) -> None:
    """The other service's loss passes."""
    assert _overdrawn(store, _loss(_A, 31), _loss(_A_NEXT, 30), _loss(_B, 30)) == {_A, _A_NEXT}

    assert store.losses.let_through().keys() == {_B}


def test_losses_beyond_the_limit_of_the_whole_are_all_overdrawn(store: Store) -> None:
    """Nothing of such a batch passes."""
    assert _overdrawn(store, _loss(_A, 60), _loss(_B, 41)) == {_A, _B}

    assert store.losses.let_through() == {}


def test_losses_of_the_last_hour_count(store: Store) -> None:
    """What an earlier batch has lost leaves less for this one; after an hour it no longer counts."""
    assert _overdrawn(store, _loss(_A, 60)) == set()

    assert _overdrawn(store, _loss(_A_NEXT, 1), now=_NOW + BUDGET_WINDOW - timedelta(seconds=1)) == {_A_NEXT}
    assert _overdrawn(store, _loss(_A_NEXT, 1), now=_NOW + BUDGET_WINDOW) == set()


def test_the_same_loss_is_counted_once(store: Store) -> None:
    """A worker that died before its commit reserves the same again; another loss of the schedule adds to it."""
    for _ in range(3):
        assert _overdrawn(store, _loss(_A, 40)) == set()

    assert _overdrawn(store, _loss(_A, 30, "def")) == {_A}
    assert _overdrawn(store, _loss(_A, 20, "def")) == set()
    assert store.losses.let_through()[_A].seconds == 60


def test_losses_of_one_event_share_the_id_of_their_hold(store: Store) -> None:
    """Until an hour has passed without another one."""

    def hold_id(minutes: int, new_id: str) -> str:
        now = _NOW + timedelta(minutes=minutes)
        return store.losses.reserve({_A: _loss(_A, 200, at=now)}, _LIMITS, new_id, now).hold_id

    assert [hold_id(0, "one"), hold_id(50, "two"), hold_id(100, "three"), hold_id(170, "four")] == [
        "one",
        "one",
        "one",
        "four",
    ]
    assert store.losses.reserve({_A: _loss(_A, 1)}, _LIMITS, "five", _NOW).hold_id == ""


def test_a_refunded_loss_no_longer_counts(store: Store) -> None:
    """A schedule that was cut short for a minute does not use up the hour."""
    _overdrawn(store, _loss(_A, 60))

    store.losses.refund([_A, _B])

    assert store.losses.let_through() == {}
    assert _overdrawn(store, _loss(_A_NEXT, 60)) == set()


def test_the_replaced_source_comes_with_a_decision_to_restore_it(store: Store) -> None:
    """It is the source before the first of several losses, and is kept for two days."""
    first, second = Loss(_A, LossKind.SHRUNK, "abc", 10, _NOW), Loss(_A, LossKind.SHRUNK, "def", 10, _NOW)
    store.losses.reserve({_A: (first, b"whole")}, _LIMITS, "loss-1", _NOW)
    store.losses.reserve({_A: (second, b"half")}, _LIMITS, "loss-1", _NOW)
    store.losses.decide({_A: Decision("loss-1", "def", Verdict.REJECTED, _NOW, restores=True)})

    assert store.losses.find([_A])[_A].replaced == b"whole"

    later = _NOW + RESTORABLE_FOR + timedelta(seconds=1)
    _overdrawn(store, _loss(_B, 1, at=later), now=later)
    assert store.losses.find([_A])[_A].replaced is None


def test_a_loss_after_the_hour_is_restored_from_its_own_source(store: Store) -> None:
    """What a schedule lost yesterday does not come back when an operator restores what it lost today."""
    later = _NOW + BUDGET_WINDOW
    first = Loss(_A, LossKind.REMOVED, "removed", 10, _NOW)
    store.losses.reserve({_A: (first, b"yesterday")}, _LIMITS, "loss-1", _NOW)

    store.losses.reserve({_A: (replace(first, at=later), b"today")}, _LIMITS, "loss-2", later)

    assert store.losses.replaced([_A]) == {_A: b"today"}


def test_blanked_airtime_is_remembered_for_an_hour(store: Store) -> None:
    """Operators hear of unusual blanking, which is never held."""
    store.losses.record_blanking({_A: timedelta(hours=3)}, _NOW)
    store.losses.record_blanking({}, _NOW)
    store.losses.record_blanking({_B: timedelta(minutes=30)}, _NOW + timedelta(minutes=30))

    assert store.losses.blanked(_NOW + timedelta(minutes=59)) == {
        _A: timedelta(hours=3),
        _B: timedelta(minutes=30),
    }
    assert store.losses.blanked(_NOW + BUDGET_WINDOW) == {_B: timedelta(minutes=30)}


@pytest.mark.parametrize("count", [0, 400])
def test_any_number_of_losses_is_reserved_at_once(store: Store, count: int) -> None:
    """A coldstart may find hundreds of schedules gone."""
    keys = [ScheduleKey.parse(f"service_{number}/2026-03-28") for number in range(count)]
    limits = LossLimits(100, {key.sid: 100 for key in keys})

    reservation = store.losses.reserve({key: _loss(key, 50) for key in keys}, limits, "loss-1", _NOW)

    assert reservation.overdrawn == set(keys)
    assert store.losses.let_through() == {}


def test_replaced_sources_are_read_by_schedule(store: Store) -> None:
    """Schedules without a loss are left out."""
    _overdrawn(store, _loss(_A, 10))

    assert store.losses.replaced([_A, _B]) == {_A: b"replaced"}
    assert store.losses.replaced([]) == {}
