"""The last good slots that stand in for quarantined broadcasts."""

from datetime import UTC, date, datetime, timedelta

from builders import a_slot
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.schedule import (
    QuarantinedBroadcast,
    Slot,
    SourceDocument,
    SourceSchedule,
    in_order,
    keep_last_good,
)

_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 1, 15))


def _slots(starts: dict[int, int]) -> tuple[Slot, ...]:
    """Half-hour slots by number, with the number of the half-hour at which each starts."""
    return in_order(a_slot(number, _SIX + timedelta(minutes=30 * start)) for number, start in starts.items())


def _document(starts: dict[int, int], quarantined: dict[int, bool]) -> SourceDocument:
    unusable = tuple(
        QuarantinedBroadcast(f"w{number:07}", "", blanked) for number, blanked in quarantined.items()
    )
    return SourceDocument(SourceSchedule(_KEY, _SIX, _slots(starts)), unusable)


_starts = st.dictionaries(st.integers(1, 9), st.integers(0, 12), max_size=6)


@given(_starts, _starts)
def test_without_quarantine_the_document_stands(accepted: dict[int, int], committed: dict[int, int]) -> None:
    """No slot of the committed source comes back."""
    document = _document(accepted, {})

    assert keep_last_good(document, _slots(committed)) == document.schedule


@given(_starts, _starts, st.dictionaries(st.integers(1, 9), st.booleans(), max_size=5))
def test_a_kept_slot_overlaps_no_accepted_one(
    accepted: dict[int, int], committed: dict[int, int], quarantined: dict[int, bool]
) -> None:
    """Every accepted slot stays; a kept one is a committed one of a quarantined broadcast, in a free place."""
    document = _document(accepted, quarantined)
    before = {slot.broadcast_pid: slot for slot in _slots(committed)}

    slots = keep_last_good(document, before.values()).slots

    assert set(document.schedule.slots) <= set(slots)
    assert slots == in_order(slots)
    for slot in set(slots) - set(document.schedule.slots):
        number = int(slot.broadcast_pid[1:])
        last_good = before[slot.broadcast_pid]
        assert slot == (last_good.blanked() if quarantined[number] else last_good)
        assert not any(slot.interval.overlaps(other.interval) for other in document.schedule.slots)
    assert len({slot.broadcast_pid for slot in slots}) == len(slots)


def test_a_quarantined_broadcast_keeps_its_place() -> None:
    """Its last good slot stands between the moved ones."""
    document = _document({1: 2, 3: 4}, {2: False})

    slots = keep_last_good(document, _slots({1: 0, 2: 3, 3: 5})).slots

    assert [slot.broadcast_pid for slot in slots] == ["w0000001", "w0000002", "w0000003"]


def test_a_broadcast_that_may_be_blanked_is_kept_blanked() -> None:
    """Blanking may be a matter of rights."""
    (kept,) = keep_last_good(_document({}, {2: True}), _slots({2: 3})).slots

    assert (kept.is_blanked, kept.episode_pid, kept.version_pid) == (True, None, None)
