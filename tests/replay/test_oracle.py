"""The oracle of a replay: its join, its verdicts on holds, losses and seams. It shares no code with the pipeline."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from demo.replay.oracle import airtime
from demo.replay.oracle.account import Account
from demo.replay.oracle.days import BroadcastDays, Key
from demo.replay.oracle.guide import Edit, Guide, read_edit
from demo.replay.oracle.holds import Verdict

_DAYS = BroadcastDays(ZoneInfo("Europe/London"), ("*radio*",))
_KEY = ("alder", "2026-03-10")
_NEXT = ("alder", "2026-03-11")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-03-{text}:00+00:00").timestamp())


def _item(pid: str, kind: str, parent_pid: str | None = None, **fields: Any) -> Edit:
    document = {"pid": pid, "type": kind, "title": "", "parent_pid": parent_pid, **fields}
    return read_edit(_line(kind="catalogue", action="UPDATE", pid=pid, document=document))


def _put(*slots: tuple[str, str, str], key: Key = _KEY, **fields: Any) -> Edit:
    """Each slot: pid, start and end as day and time of March 2026. Every one shows the same episode."""
    broadcasts = [
        {
            "broadcast_pid": pid,
            "episode_pid": "p0000001",
            "start": f"2026-03-{start}:00Z",
            "end": f"2026-03-{end}:00Z",
        }
        | fields
        for pid, start, end in slots
    ]
    document = {"sid": key[0], "date": key[1], "broadcasts": broadcasts}
    return read_edit(_line(kind="schedule", action="PUT", sid=key[0], date=key[1], document=document))


def _removal(**fields: str) -> Edit:
    return read_edit(_line(**fields))


def _line(**fields: Any) -> bytes:
    return json.dumps({"at": "2026-03-09T12:00:00Z", **fields}).encode()


_WHOLE = (("w0000001", "10T06:00", "10T18:00"), ("w0000002", "10T18:00", "11T06:00"))
_HALF = _WHOLE[:1]
_EPISODE = _item("p0000001", "episode", title="The Weir")


# The join


def test_titles_and_images_come_from_the_ancestry() -> None:
    """The outermost title leads, empty titles are passed over, and the nearest image is inherited."""
    guide = Guide()
    guide.apply([_item("b0000001", "brand", title="Salt and Slate", image_pid="p0image1")])
    guide.apply([_item("s0000001", "series", "b0000001", title="Series 2", position=2)])
    guide.apply([_item("s0000002", "series", "s0000001", title="")])
    guide.apply([_item("p0000001", "episode", "s0000002", title="The Weir")])
    guide.apply([_put(*_HALF)])

    [broadcast] = guide.content(_KEY) or []

    assert (broadcast["title"], broadcast["subtitle"]) == ("Salt and Slate", "Series 2: The Weir")
    assert broadcast["episode"]["image_pid"] == "p0image1"
    assert broadcast["series"] == {"pid": "s0000002", "title": ""}
    assert broadcast["brand"] == {"pid": "b0000001", "title": "Salt and Slate"}
    assert broadcast["duration_seconds"] == 12 * 3600


def test_a_blanked_broadcast_shows_no_programme() -> None:
    """It keeps its slot, and its episode is not read."""
    guide = Guide()
    guide.apply([_EPISODE, _put(*_HALF, is_blanked=True)])

    [broadcast] = guide.content(_KEY) or []

    assert (broadcast["episode_pid"], broadcast["episode"], broadcast["title"]) == ("", None, "")
    assert guide.apply([_item("p0000001", "episode", title="Another")]) == set()


def test_parents_in_a_cycle_end_the_ancestry() -> None:
    """Each item counts once."""
    guide = Guide()
    guide.apply([_item("s0000001", "series", "s0000002", title="One")])
    guide.apply([_item("s0000002", "series", "s0000001", title="Two")])
    guide.apply([_item("p0000001", "episode", "s0000001", title="The Weir"), _put(*_HALF)])

    [broadcast] = guide.content(_KEY) or []

    assert (broadcast["title"], broadcast["subtitle"]) == ("Two", "One: The Weir")


def test_only_a_visible_change_affects_schedules() -> None:
    """A field that no output shows affects none; an item that arrives late affects the schedule that shows it."""
    guide = Guide()
    guide.apply([_put(*_HALF)])
    guide.content(_KEY)

    arrived = guide.apply([_EPISODE])
    guide.content(_KEY)
    unseen = guide.apply([_item("p0000001", "episode", title="The Weir", revision=7)])

    assert (arrived, unseen) == ({_KEY}, set())


def test_a_deleted_item_stays_in_the_schedules_that_show_it() -> None:
    """Deletions are not propagated; an item that no schedule has shown is gone."""
    deletion = _removal(kind="catalogue", action="DELETE", type="episode", pid="p0000001")
    shown, unknown = Guide(), Guide()
    shown.apply([_EPISODE, _put(*_HALF)])
    before = shown.content(_KEY)

    unknown.apply([_EPISODE])
    for guide in (shown, unknown):
        guide.apply([deletion])
    unknown.apply([_put(*_HALF)])

    assert shown.content(_KEY) == before
    assert (unknown.content(_KEY) or [])[0]["episode"] is None


def test_a_document_that_cannot_be_read_is_not_judged() -> None:
    """The oracle keeps the last one that it could read, and says so."""
    guide = Guide()
    guide.apply([_EPISODE, _put(*_HALF)])
    guide.apply([_put(("w0000001", "10T06:00", "10T06:00"))])

    assert guide.unreadable == {_KEY}
    assert len(guide.content(_KEY) or []) == 1


# Times


@pytest.mark.parametrize(
    ("key", "hours"),
    [
        (("alder", "2026-03-10"), 24),
        (("alder", "2026-03-28"), 23),
        (("alder", "2026-10-24"), 25),
        (("alder_radio", "2026-03-28"), 30),
    ],
)
def test_broadcast_days_follow_local_time(key: Key, hours: int) -> None:
    """Television days have 23 or 25 hours when the clocks change; radio days have 30."""
    start, end = _DAYS.span(key)

    assert end - start == hours * 3600


def test_airtime_is_a_set_of_instants() -> None:
    """Spans merge where they touch, and a difference splits them."""
    whole = airtime.union([(5, 9), (0, 4), (4, 5), (20, 20)])

    assert whole == [(0, 9)]
    assert airtime.subtract(whole, [(2, 3), (8, 12)]) == [(0, 2), (3, 8)]
    assert airtime.length(airtime.clip(whole, 7, 30)) == 2


# The account


def _account(now: str = "09T12:00") -> Account:
    """Partners have the whole day."""
    account = Account(_DAYS)
    account.pass_time(_at(now))
    _happen(account, _EPISODE, _put(*_WHOLE))
    return account


def _happen(account: Account, *edits: Edit, shown: bool = True, keys: tuple[Key, ...] = (_KEY,)) -> None:
    """The source changes; ``shown``: partners get it."""
    account.apply(edits)
    if shown:
        account.settle(keys, _documents(account, *keys))
    else:
        account.settle(keys, _earlier(account))


def _documents(account: Account, *keys: Key) -> dict[Key, bytes]:
    contents = {key: account.guide.content(key) for key in keys}
    return {
        key: json.dumps({"broadcasts": content}).encode()
        for key, content in contents.items()
        if content is not None
    }


def _earlier(account: Account) -> dict[Key, bytes]:
    """What partners had before the last change of the source."""
    return {_KEY: json.dumps({"broadcasts": account.guide.join(account.candidates(_KEY)[0])}).encode()}


def test_documents_that_follow_are_counted_once() -> None:
    """Each change is affected, changed and shown."""
    account = _account()

    _happen(account, _put(*_HALF))

    counts = account.counts
    assert (counts.affected, counts.changed, counts.shown, counts.withheld) == (2, 2, 2, 0)
    assert account.differences == []


def test_a_document_that_nothing_explains_differs() -> None:
    """A wrong title is named with its broadcast."""
    account = _account()
    wrong = _documents(account, _KEY)[_KEY].replace(b"The Weir", b"The Wier")

    account.settle([_KEY], {_KEY: wrong})

    [difference] = account.differences
    assert difference.key == _KEY
    assert "w0000001" in difference.detail


def test_a_schedule_that_partners_lack_differs() -> None:
    """A first document loses nothing, so no hold explains its absence."""
    account = Account(_DAYS)
    account.pass_time(_at("09T12:00"))
    account.apply([_EPISODE, _put(*_WHOLE)])

    account.settle([_KEY], {})

    assert [difference.detail for difference in account.differences] == ["partners have none, not one"]


@pytest.mark.parametrize(
    ("restored_at", "verdict"), [("10T17:00", Verdict.RIGHT), ("10T19:00", Verdict.WRONG)]
)
def test_a_hold_is_wrong_if_the_source_still_said_the_same(restored_at: str, verdict: Verdict) -> None:
    """The airtime in question begins at 18:00; only a source that is back by then was wrong."""
    account = _account()
    _happen(account, _put(*_HALF), shown=False)

    account.pass_time(_at(restored_at))
    _happen(account, _put(*_WHOLE))
    account.pass_time(_at("11T00:00"))

    [hold] = account.holds.all
    assert hold.verdict is verdict
    assert hold.seconds_behind(account.now) == _at(restored_at) - _at("09T12:00")
    assert hold.seconds_on_air(account.now) == _at(restored_at) - _at("10T06:00")


def test_a_hold_of_a_document_that_lost_nothing_is_wrong() -> None:
    """The same airtime with fewer broadcasts is an ordinary edit."""
    account = _account()
    _happen(account, _put(("w0000003", "10T06:00", "11T06:00")), shown=False)

    account.pass_time(_at("12T06:00"))

    [hold] = account.holds.all
    assert (hold.verdict, hold.lost) == (Verdict.WRONG, [])
    assert hold.seconds_behind(account.now) == _at("11T06:00") - _at("09T12:00")


@pytest.mark.parametrize(("restored_at", "faults"), [("10T03:00", 1), ("10T13:00", 0)])
def test_a_loss_that_the_source_takes_back_within_a_day_was_a_fault(restored_at: str, faults: int) -> None:
    """Half a day is lost; it comes back within a day or later."""
    account = _account()
    _happen(account, _put(*_HALF))

    account.pass_time(_at(restored_at))
    _happen(account, _put(*_WHOLE))

    assert [loss.seconds for loss in account.losses.all] == [12 * 3600]
    assert len(account.losses.faults()) == faults


def test_erosion_is_measured_against_the_fullest_state() -> None:
    """Each step is a loss of its own, and a later step does not count the earlier ones again."""
    account = _account()
    for hours in (16, 12, 8):
        _happen(account, _put(("w0000001", "10T06:00", f"10T{6 + hours:02}:00")))

    assert [loss.seconds / 3600 for loss in account.losses.all] == [8, 4, 4]


def test_an_unknown_episode_covers_no_airtime() -> None:
    """A day whose episodes become unknown is lost; a blanked one is not."""
    account = _account()
    _happen(account, _put(*_WHOLE, is_blanked=True))
    _happen(account, _put(*_WHOLE, episode_pid="p0000009"))

    assert [loss.seconds for loss in account.losses.all] == [24 * 3600]


def test_seams_between_days_are_found_on_air() -> None:
    """A gap and an overlap count as far as they were on air; a broadcast in two days counts once."""
    account = _account()
    late = ("w0000004", "11T07:00", "11T09:00")
    _happen(account, _put(late, ("w0000005", "11T08:00", "11T12:00"), key=_NEXT), keys=(_NEXT,))
    _happen(account, _put(*_WHOLE, late))

    found = account.pass_time(_at("11T08:30"))
    again = account.pass_time(_at("11T20:00"))

    assert [(seam.is_gap, seam.is_between_days) for seam in found] == [(True, True), (False, False)]
    assert again == []
    assert [seam.seconds for seam in found] == [3600, 3600]


def test_a_seam_that_is_mended_in_time_was_never_on_air() -> None:
    """The source closes a gap before it begins."""
    account = _account()
    _happen(account, _put(_WHOLE[0], ("w0000002", "10T19:00", "11T06:00")))
    account.pass_time(_at("10T17:00"))
    _happen(account, _put(*_WHOLE))

    account.pass_time(_at("11T06:00"))

    assert account.on_air.seams == {}
