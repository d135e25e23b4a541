"""The catalogue feeds: which episodes are available or coming, page by page, and a table that is remembered."""

import pickle
from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
import pytest
from delivery.asking import document_of, held
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, TODAY, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.delivery.questions import catalogue_feeds
from schedules_pipeline.delivery.questions.catalogue_feeds import (
    Feed,
    Page,
    RememberedTable,
    Table,
    find_mentions,
    find_page,
    render_page,
    tabulate,
    window_of,
)
from schedules_pipeline.documents.broadcasts import broadcast_fields, render_instant, render_json
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.airing import Airing, find_airings
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule

_ALWAYS = Interval(NOON - timedelta(days=100), NOON + timedelta(days=100))
_HOUR = timedelta(hours=1)
_EPISODES = [Pid(f"p000000{number}") for number in range(1, 5)]


def _table(*schedules: PublishedSchedule) -> Table:
    oldest_first = sorted(schedules, key=lambda listed: (listed.published_at, listed.key.date))
    return tabulate(find_mentions(listed.key, document_of(listed)) for listed in oldest_first)


def _everything(sid: Sid) -> bool:
    return True


def _pages(table: Table, window: Interval, limit: int) -> list[Page]:
    pages = [find_page(table, window, _everything, None, limit)]
    while (after := pages[-1].following) is not None:
        assert len(pages) < 200, "the pages lead nowhere"
        pages.append(find_page(table, window, _everything, after, limit))
    return pages


def _text_of(airing: Airing) -> tuple[str, str, str]:
    start, sid, pid = airing.place
    return render_instant(start), sid, pid


def _episodes(pages: Iterable[Page]) -> list[str]:
    return [entry.episode_pid for page in pages for entry in page.entries]


def test_item_is_spelt_as_in_its_documents() -> None:
    """An item is the episode once, as a broadcast has it, with its broadcasts and an etag."""
    shown = showing(1, NOON)
    table = _table(schedule(key(), [shown]))

    page = orjson.loads(render_page(find_page(table, _ALWAYS, _everything, None, 10)))

    (item,) = page["items"]
    broadcast = orjson.loads(render_json(broadcast_fields(shown)))
    of_programme = ["episode", "series", "brand", "title", "subtitle"]
    assert list(item) == ["episode_pid", "etag", *of_programme, "broadcasts"]
    assert {name: item[name] for name in of_programme} == {name: broadcast[name] for name in of_programme}
    of_slot = {name: value for name, value in broadcast.items() if name not in of_programme}
    assert item["broadcasts"] == [{"sid": ALDER, "date": TODAY.isoformat(), **of_slot}]
    assert page["next"] is None


def test_etag_changes_with_the_item_alone() -> None:
    """An item's etag is another where its texts or its broadcasts are, and the same where other items change."""
    before, other, retitled, moved = (
        [showing(1, NOON), showing(2, NOON, episode_pid=_EPISODES[1])],
        [showing(1, NOON), showing(2, NOON + _HOUR, episode_pid=_EPISODES[1])],
        [showing(1, NOON, title="The Other Lantern")],
        [showing(1, NOON + _HOUR)],
    )

    first, same, *others = (
        orjson.loads(render_page(find_page(_table(schedule(key(), shown)), _ALWAYS, _everything, None, 1)))[
            "items"
        ][0]["etag"]
        for shown in (before, other, retitled, moved)
    )

    assert first == same
    assert len({first, *others}) == 3


def test_text_is_of_the_schedule_that_was_published_last() -> None:
    """While schedules disagree on a programme, the one that was published last is believed."""
    old = schedule(key(ALDER), [showing(1, NOON, title="Old")], seq=1)
    new = schedule(key(BIRCH), [showing(2, NOON - _HOUR, title="New")], seq=2)

    page = orjson.loads(render_page(find_page(_table(new, old), _ALWAYS, _everything, None, 10)))

    assert [item["episode"]["title"] for item in page["items"]] == ["New"]
    assert [shown["sid"] for shown in page["items"][0]["broadcasts"]] == [BIRCH, ALDER]


def test_services_that_may_not_be_seen_give_nothing() -> None:
    """Episodes and broadcasts of services that the partner may not see are not listed."""
    seen = schedule(key(ALDER), [showing(1, NOON)])
    hidden = schedule(key(BIRCH), [showing(1, NOON), showing(2, NOON, episode_pid=_EPISODES[1])])

    page = find_page(_table(seen, hidden), _ALWAYS, lambda sid: sid == ALDER, None, 10)

    assert [[mention.key for mention in entry.mentions] for entry in page.entries] == [[seen.key]]


def test_blanked_and_unknown_are_no_items() -> None:
    """A broadcast that names no episode, or one that the catalogue lacks, is in no feed."""
    table = _table(schedule(key(), [showing(1, NOON, episode_pid=None), showing(2, NOON, is_known=False)]))

    page = find_page(table, _ALWAYS, _everything, None, 10)

    assert page == Page((), None)


@pytest.mark.parametrize(
    ("feed", "starts"),
    [
        (Feed.AVAILABLE, [-7 * 24 * 3600 + 1, 0]),
        (Feed.COMING, [1, 8 * 24 * 3600]),
    ],
)
def test_windows_meet_at_the_present_second(feed: Feed, starts: list[int]) -> None:
    """What begins now has begun; available is what did within the last days, coming what will within eight."""
    now = NOON + timedelta(milliseconds=400)

    window = window_of(feed, now, 7)

    edges = [NOON + timedelta(seconds=seconds) for seconds in starts]
    assert [window.start, window.end - timedelta(seconds=1)] == edges


def test_page_ends_with_many_broadcasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends after many broadcasts, below its limit too; the broadcasts of one item stay on one page."""
    monkeypatch.setattr(catalogue_feeds, "MOST_BROADCASTS", 2)
    shown = [showing(number, NOON + number * _HOUR) for number in range(3)]
    table = _table(schedule(key(), [*shown, showing(9, NOON, episode_pid=_EPISODES[1])]))

    pages = _pages(table, _ALWAYS, 10)

    assert [[len(entry.mentions) for entry in page.entries] for page in pages] == [[3], [1]]


_showings = st.lists(
    st.builds(
        lambda number, hours, episode: showing(number, NOON + hours * _HOUR, episode_pid=episode),
        st.integers(1, 30),
        st.integers(-300, 300),
        st.sampled_from([*_EPISODES, None]),
    ),
    max_size=8,
    unique_by=lambda shown: shown.broadcast_pid,
)


@given(st.lists(_showings, min_size=3, max_size=3), st.integers(1, 3), st.sampled_from(Feed))
def test_pages_together_hold_every_broadcast_in_the_window(
    days: list[list[Broadcast]], limit: int, feed: Feed
) -> None:
    """Page by page each episode comes once, with all of its broadcasts that are in the window, and no others."""
    keys = [key(ALDER), key(ALDER, 1), key(BIRCH)]
    schedules = [schedule(of, shown, seq) for seq, (of, shown) in enumerate(zip(keys, days, strict=True))]
    window = window_of(feed, NOON, 7)

    pages = _pages(_table(*schedules), window, limit)

    listed = [
        (entry.episode_pid, mention.place)
        for page in pages
        for entry in page.entries
        for mention in entry.mentions
    ]
    assert listed == sorted(
        (airing.broadcast.episode_pid, _text_of(airing))
        for airing in find_airings(schedules)
        if airing.broadcast.episode_pid is not None and window.contains(airing.broadcast.start)
    )
    assert _episodes(pages) == sorted(set(_episodes(pages)))
    assert all(len(page.entries) == limit for page in pages[:-1])


# The remembered table.


def _held(
    of: ScheduleKey, showings: list[Broadcast], seq: int = 1, *, removed: bool = False
) -> MirroredSchedule:
    return held(schedule(of, showings, seq), removed=removed)


def _mirror(*everything: MirroredSchedule) -> Mirror:
    mirror = Mirror()
    mirror.replace(FeedCursor("1", "1-0"), everything, NOON)
    return mirror


def _made(remembered: RememberedTable, at: datetime = NOON) -> Table:
    table = remembered.plan(at)()
    assert table is not None
    return table


def test_table_is_of_what_is_published_around_today() -> None:
    """The table lists the published schedules of both windows, and no removed schedule."""
    mirror = _mirror(
        _held(key(), [showing(1, NOON)]),
        _held(key(BIRCH), [showing(2, NOON, episode_pid=_EPISODES[1])], removed=True),
        _held(key(days=30), [showing(3, NOON + timedelta(days=30), episode_pid=_EPISODES[2])]),
    )

    table = _made(RememberedTable(mirror, 7))

    assert table.pids == (EPISODE,)


def test_table_is_remembered_until_something_is_published() -> None:
    """The same table is given while nothing changes; afterwards another, and of it only what changed is read."""
    mirror = _mirror(_held(key(), [showing(1, NOON)]), _held(key(BIRCH), [showing(2, NOON)]))
    remembered = RememberedTable(mirror, 7)
    later = NOON + timedelta(minutes=1)

    first, same = _made(remembered), _made(remembered, later)
    mirror.advance("2-0", [_held(key(), [showing(1, NOON + _HOUR)], seq=2)], later)
    changed = _made(remembered, later)

    assert same is first
    was, now = (table.entries[EPISODE].mentions for table in (first, changed))
    assert [mention.halves.start for mention in now] == [render_instant(NOON), render_instant(NOON + _HOUR)]
    assert now[0] is next(mention for mention in was if mention.key.sid == BIRCH)


def test_table_is_not_made_again_at_once() -> None:
    """Within five seconds after it was made the table stays as it is, however much is published."""
    mirror = _mirror(_held(key(), [showing(1, NOON)]))
    remembered = RememberedTable(mirror, 7)
    first = _made(remembered)
    mirror.advance("2-0", [_held(key(), [], seq=2)], NOON)

    soon = _made(remembered, NOON + timedelta(seconds=4.9))
    late = _made(remembered, NOON + timedelta(seconds=5))

    assert soon is first
    assert late.pids == ()


def test_table_is_made_again_when_a_day_begins() -> None:
    """With a new day other schedules are around it, though nothing was published."""
    coming = key(days=10)
    mirror = _mirror(_held(coming, [showing(1, NOON + timedelta(days=10))]))
    remembered = RememberedTable(mirror, 7)

    today, tomorrow = _made(remembered), _made(remembered, NOON + timedelta(days=1))

    assert (today.pids, tomorrow.pids) == ((), (EPISODE,))


def test_two_who_ask_at_once_make_it_once() -> None:
    """Of two who find that the table is old, the second is given what the first has made."""
    remembered = RememberedTable(_mirror(_held(key(), [showing(1, NOON)])), 7)

    plans = [remembered.plan(NOON) for _ in range(2)]
    first, second = (plan() for plan in plans)

    assert first is second


def test_nobody_waits_for_another_to_make_it() -> None:
    """A request during a rebuild of the table gets the earlier table."""
    mirror = _mirror(_held(key(), [showing(1, NOON)]))
    remembered = RememberedTable(mirror, 7)
    first = _made(remembered)
    later = NOON + timedelta(minutes=1)
    meanwhile = []

    class Slow(MirroredSchedule):
        """A request arrives during the read."""

        __slots__ = ()

        def document(self) -> bytes | None:
            meanwhile.append(_made(remembered, later))
            return super().document()

    changed = _held(key(), [], seq=2)
    slow = Slow(changed.key, changed.seq, changed.etag, changed.published_at, changed.packed)
    mirror.advance("2-0", [slow], later)
    made = _made(remembered, later)

    assert [table is first for table in meanwhile] == [True]
    assert made.pids == ()


def test_plan_without_schedules_is_for_a_process_that_has_the_table() -> None:
    """It gives nothing until the whole plan has been carried out in that process, and the same table afterwards; a
    pickled plan finds the table of the process that it reaches.
    """
    remembered = RememberedTable(_mirror(_held(key(), [showing(1, NOON)])), 7)
    sent = pickle.dumps(remembered.plan(NOON))
    without = pickle.dumps(remembered.plan(NOON).without_schedules)

    before, made, after = (pickle.loads(plan)() for plan in (without, sent, without))

    assert before is None
    assert made.pids == (EPISODE,)
    assert after is made
    assert len(without) < 500


def test_schedule_that_was_published_last_counts() -> None:
    """If two days list a broadcast, the table has the version published last."""
    early, late = showing(1, NOON, title="Early"), showing(1, NOON, title="Late")
    orders = [(1, 2), (2, 1)]

    tables = [
        _made(
            RememberedTable(
                _mirror(
                    _held(key(), [late if first > second else early], seq=first),
                    _held(key(days=1), [late if second > first else early], seq=second),
                ),
                7,
            )
        )
        for first, second in orders
    ]

    assert all(b'"Late"' in table.entries[EPISODE].programme for table in tables)
    assert [table.entries[EPISODE].mentions[0].key.date for table in tables] == [
        key(days=1).date,
        key().date,
    ]
