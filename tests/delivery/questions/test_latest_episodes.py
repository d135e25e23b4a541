"""The latest episodes of brands: a small model of an asker, and the law that it is told the truth."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import BRAND
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, TODAY, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.questions.latest_episodes import (
    EpisodeChanges,
    KnownEpisode,
    LatestEpisode,
    changes_fields,
    compare_episodes,
    earliest_since,
    find_episodes,
    plan_schedules,
)
from schedules_pipeline.documents.broadcasts import render_json
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.errors import InvalidIdentifier

_SINCE = NOON - timedelta(days=3)
_SECOND = TitledItem(pid=Pid("b0000002"), title="Salt and Slate")
_EPISODES = [Pid(f"p000000{number}") for number in range(1, 6)]
_HOUR = timedelta(hours=1)


def _latest_episodes(
    showings: Sequence[Broadcast],
    held: Sequence[LatestEpisode] = (),
    *,
    now: datetime = NOON,
    since: datetime = _SINCE,
    count: int = 2,
) -> EpisodeChanges:
    episodes = find_episodes([schedule(key(), showings)], [BRAND.pid], since, now)
    return compare_episodes(episodes, [KnownEpisode(one.episode_pid, one.etag) for one in held], since, count)


def _aired(number: int, hours_ago: float, **changed: Any) -> Broadcast:
    """One of the episode of its number, unless said otherwise."""
    known = {"episode_pid": _EPISODES[(number - 1) % 5]} | changed
    return showing(number, NOON - hours_ago * _HOUR, **known)


def _pids(episodes: Sequence[LatestEpisode]) -> list[Pid]:
    return [episode.episode_pid for episode in episodes]


def test_first_asker_is_given_the_latest() -> None:
    """Who holds nothing is given so many of the brand's episodes, the latest first."""
    news = _latest_episodes([_aired(number, number) for number in (1, 2, 3)])

    assert (_pids(news.new), news.changed, news.withdrawn, news.unchanged) == (_EPISODES[:2], (), (), 0)


def test_so_many_are_given_of_each_brand() -> None:
    """The count is per brand: a brand with many episodes takes no place from another."""
    often = [_aired(number, number) for number in (1, 2, 3)]
    seldom = _aired(4, 40, brand=_SECOND)
    episodes = find_episodes([schedule(key(), [*often, seldom])], [BRAND.pid, _SECOND.pid], _SINCE, NOON)

    news = compare_episodes(episodes, [], _SINCE, 2)

    assert _pids(news.new) == [_EPISODES[0], _EPISODES[1], _EPISODES[3]]


def test_repeat_is_not_given_again() -> None:
    """A repeat of a listed episode adds no entry and changes none."""
    first = _aired(1, 10)
    held = _latest_episodes([first]).new

    news = _latest_episodes([first, _aired(6, 1, is_repeat=True)], held)

    assert news == EpisodeChanges((), (), (), 1)


def test_repeat_of_what_fell_behind_is_not_given_again() -> None:
    """An episode that newer ones have overtaken is not new when it is repeated."""
    shown = [_aired(number, 20 - number) for number in (1, 2, 3)]
    held = _latest_episodes(shown, count=3).new

    news = _latest_episodes([*shown, _aired(6, 1, is_repeat=True)], held, count=1)

    assert news == EpisodeChanges((), (), (), 3)


@pytest.mark.parametrize(
    "edited",
    [
        _aired(1, 10, title="The Other Lantern"),
        _aired(1, 9),
        _aired(1, 10, minutes=45),
        _aired(7, 10, episode_pid=_EPISODES[0]),
    ],
    ids=["text", "moved", "longer", "another broadcast"],
)
def test_edit_of_what_was_given_is_told(edited: Broadcast) -> None:
    """An episode whose text, times or place changed since the answer is listed as changed."""
    held = _latest_episodes([_aired(1, 10)]).new

    news = _latest_episodes([edited], held)

    assert (news.new, _pids(news.changed), news.withdrawn) == ((), [_EPISODES[0]], ())
    assert news.changed[0].etag != held[0].etag


@pytest.mark.parametrize(
    "edited",
    [
        [],
        [_aired(1, 10, episode_pid=None)],
        [_aired(1, 10, episode_pid=_EPISODES[1], brand=_SECOND)],
        [_aired(1, 10, brand=_SECOND)],
        [_aired(1, -1)],
        [_aired(1, 10, is_known=False)],
    ],
    ids=["removed", "blanked", "replaced", "of another brand", "moved into the future", "not known"],
)
def test_what_is_not_shown_any_more_is_withdrawn(edited: list[Broadcast]) -> None:
    """A listed episode that the brand does not show after all is withdrawn."""
    held = _latest_episodes([_aired(1, 10)]).new

    news = _latest_episodes(edited, held)

    assert news == EpisodeChanges((), (), (_EPISODES[0],), 0)


def test_older_one_takes_the_place_of_what_is_withdrawn() -> None:
    """Where one of the latest is withdrawn, the next is among the latest, and is given."""
    shown = [_aired(number, number) for number in (1, 2, 3)]
    held = _latest_episodes(shown).new

    news = _latest_episodes(shown[1:], held)

    assert (_pids(news.new), news.withdrawn, news.unchanged) == ([_EPISODES[2]], (_EPISODES[0],), 1)


def test_what_has_not_begun_is_not_given() -> None:
    """An episode counts from the instant at which it begins, and not before."""
    coming = showing(1, NOON + timedelta(seconds=1))

    early, in_time = (_latest_episodes([coming], now=now) for now in (NOON, coming.start))

    assert (_pids(early.new), _pids(in_time.new)) == ([], [EPISODE])


def test_what_was_first_shown_before_is_settled() -> None:
    """A partner that advances ``since`` keeps its earlier episodes, and gets none of them again."""
    first = _aired(1, 30)
    held = _latest_episodes([first]).new
    moved_on = NOON - 20 * _HOUR

    gone, repeated = (
        _latest_episodes(shown, held, since=moved_on) for shown in ([], [first, _aired(6, 1, is_repeat=True)])
    )

    assert [gone, repeated] == [EpisodeChanges((), (), (), 1)] * 2


def test_answer_is_what_the_episodes_say() -> None:
    """An episode is told with its brand, its etag, and its first broadcast with service and day."""
    news = _latest_episodes([_aired(1, 10)], count=1)

    fields = changes_fields(news, _SINCE)

    assert list(fields) == ["since", "new", "changed", "withdrawn", "unchanged"]
    (told,) = fields["new"]
    assert list(told) == ["episode_pid", "brand_pid", "etag", "sid", "date", "broadcast"]
    assert (told["sid"], told["date"], told["broadcast"]["episode"]["pid"]) == (ALDER, TODAY, EPISODE)


def test_schedules_are_looked_into_that_may_have_begun_since() -> None:
    """Only the days between then and now, and those beside them, are looked into, of services that may be seen."""
    references = [Reference(key(sid, days)) for days in range(-30, 9) for sid in (ALDER, BIRCH)]

    planned = plan_schedules(references, _SINCE, NOON, lambda sid: sid == BIRCH)

    assert planned == [key(BIRCH, days) for days in range(-6, 3)]


@pytest.mark.parametrize(
    ("horizon", "days"), [(KEEPS_EVERYTHING, 29), (RetentionHorizon(30), 28), (RetentionHorizon(1), 0)]
)
def test_what_leaves_at_the_horizon_is_not_asked_about(horizon: RetentionHorizon, days: int) -> None:
    """The earliest ``since`` is one from which on everything is kept, a broadcast day's length before it included."""
    since = earliest_since(horizon, NOON)

    assert since == datetime(2026, 3, 10, tzinfo=UTC) - timedelta(days=days)


@pytest.mark.parametrize("etag", ["", "-", "x-0", f"{'f' * 30}-0"])
def test_other_texts_are_no_etags(etag: str) -> None:
    """A token that the service never issued is rejected."""
    held = KnownEpisode(EPISODE, etag)

    with pytest.raises(InvalidIdentifier, match="not an etag"):
        compare_episodes({}, [held], _SINCE, 1)


# The law.

_State = dict[ScheduleKey, list[Broadcast]]
_Edit = Callable[[_State], None]
_KEYS = [key(ALDER, -1), key(ALDER), key(BIRCH)]
_showings = st.builds(
    lambda number, hours, episode, brand, title, is_repeat: showing(
        number, NOON + hours * _HOUR, episode_pid=episode, brand=brand, title=title, is_repeat=is_repeat
    ),
    st.integers(1, 6),
    st.integers(-90, 30),
    st.sampled_from([*_EPISODES, None]),
    st.sampled_from([BRAND, _SECOND, TitledItem(pid=Pid("b0000003"), title="Harbour Lights"), None]),
    st.sampled_from(["The Lantern", "The Other Lantern"]),
    st.booleans(),
)
_steps = st.lists(
    st.tuples(
        st.sampled_from(_KEYS),
        st.lists(_showings, max_size=5, unique_by=lambda shown: shown.broadcast_pid),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=8,
)


class _Asker:
    """A partner that applies every answer to its own list."""

    def __init__(self) -> None:
        self.held: dict[Pid, LatestEpisode] = {}

    def asks(self, episodes: dict[Pid, LatestEpisode], since: datetime, count: int) -> EpisodeChanges:
        given_before = [KnownEpisode(pid, held.etag) for pid, held in self.held.items()]
        news = compare_episodes(episodes, given_before, since, count)
        assert not {one.episode_pid for one in news.new} & self.held.keys()
        assert {*news.withdrawn, *_pids(news.changed)} <= self.held.keys()
        assert news.unchanged == len(self.held) - len(news.changed) - len(news.withdrawn)
        for pid in news.withdrawn:
            del self.held[pid]
        self.held |= {one.episode_pid: one for one in (*news.new, *news.changed)}
        return news

    def latest(self, count: int) -> list[bytes]:
        listed = sorted(self.held.values(), key=lambda one: one.place, reverse=True)
        of_brands = [
            [one for one in listed if one.brand_pid == brand][:count] for brand in (BRAND.pid, _SECOND.pid)
        ]
        return sorted(render_json(one.fields) for of_brand in of_brands for one in of_brand)


def _published(state: _State, seq: int) -> list[PublishedSchedule]:
    return [schedule(of, showings, seq) for of, showings in state.items()]


@given(_steps, st.integers(1, 3), st.lists(st.booleans(), min_size=8, max_size=8))
def test_asker_holds_what_one_who_never_asked_is_given(
    steps: list[tuple[ScheduleKey, list[Broadcast], int]], count: int, asked: list[bool]
) -> None:
    """After any edits at any times, a partner that applies the answers has the same latest episodes, with the same
    texts, as a partner that asks for the first time. No episode is out of date or listed twice.
    """
    asker, state, now = _Asker(), _State(), NOON
    for number, ((of, showings, hours), asks) in enumerate(zip(steps, asked, strict=False), start=1):
        state[of] = showings
        now += hours * _HOUR
        if not asks:
            continue
        episodes = find_episodes(_published(state, number), [BRAND.pid, _SECOND.pid], _SINCE, now)
        newcomer = _Asker()

        asker.asks(episodes, _SINCE, count)
        newcomer.asks(episodes, _SINCE, count)

        assert asker.latest(count) == newcomer.latest(count)
        assert all(episodes[pid] == held for pid, held in asker.held.items())


@given(_steps, st.integers(1, 3))
def test_asker_that_moves_on_keeps_what_is_settled(
    steps: list[tuple[ScheduleKey, list[Broadcast], int]], count: int
) -> None:
    """A partner that advances ``since`` with time gets no episode twice, keeps earlier ones unchanged, and has all of
    the latest.
    """
    asker, state, now = _Asker(), _State(), NOON
    for number, (of, showings, hours) in enumerate(steps, start=1):
        state[of] = showings
        now += hours * _HOUR
        since = now - 48 * _HOUR
        episodes = find_episodes(_published(state, number), [BRAND.pid, _SECOND.pid], since, now)
        settled = {pid: held for pid, held in asker.held.items() if held.place.start < since}
        newcomer = _Asker()

        asker.asks(episodes, since, count)
        newcomer.asks(episodes, since, count)

        assert {pid: asker.held[pid] for pid in settled} == settled
        assert newcomer.held.keys() <= asker.held.keys()
        assert all(episodes[pid] == held for pid, held in asker.held.items() if pid not in settled)
