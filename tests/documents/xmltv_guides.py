"""Guides made by hand and by Hypothesis, for the tests of XMLTV both ways."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from builders import BLANKED, BRAND, SERIES, UNKNOWN, a_broadcast, an_episode
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.programme import Episode
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.domain.visible import visible_or_empty

DOMAIN = "alder.example"
ALDER, BIRCH = Sid("alder_one_north"), Sid("birch")
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))


def episode(number: int = 1, **fields: Any) -> Episode:
    """An episode with a short synopsis and an image, and with the given changes."""
    return an_episode(**{"pid": Pid(f"p{number:07}")} | fields)


def showing(start: datetime = NOON, minutes: int = 30, number: int = 1, **fields: Any) -> Broadcast:
    """A broadcast of an episode of a series of a brand, with the given changes."""
    return a_broadcast(number, start, minutes, **fields)


def blanked(start: datetime = NOON, number: int = 1) -> Broadcast:
    """A slot that shows no programme."""
    return a_broadcast(number, start, **BLANKED)


def unknown(start: datetime = NOON, number: int = 1) -> Broadcast:
    """A broadcast of an episode that the catalogue lacks."""
    return a_broadcast(number, start, **UNKNOWN | {"episode_pid": Pid("p0000099")})


def guide(showings: Sequence[Broadcast], sid: Sid = ALDER, name: str = "Alder One North") -> ServiceGuide:
    """All of these, published at noon."""
    return ServiceGuide(sid, name, Interval(NOON, NOON + timedelta(days=1)), tuple(showings), 1, NOON)


def day_guide(key: ScheduleKey, minutes: int = 30) -> ServiceGuide:
    """A whole broadcast day, of slots of equal length; the last straddles its end where it does not fit."""
    window = CALENDAR.window(key)
    count = -(-window.length // timedelta(minutes=minutes))
    starts = [window.start + n * timedelta(minutes=minutes) for n in range(count)]
    showings = [showing(start, minutes, number) for number, start in enumerate(starts)]
    return ServiceGuide(key.sid, "Alder", window, tuple(showings), 1, NOON)


SHORT_DAY = ScheduleKey(ALDER, date(2026, 3, 28))
"""The clocks go forward in the night: 23 hours."""
LONG_DAY = ScheduleKey(ALDER, date(2026, 10, 24))
"""The clocks go back in the night: 25 hours."""

_TEXTS = (
    st.text(max_size=40)
    | st.sampled_from(
        (
            "",
            " ",
            "Tom & <Jerry>",
            "line\nline\r\n\tline",
            "\x00\x0b\x1b",
            "\x85\x92\ufffe",
            "]]>",
            "\U0001f600",
            "\u202e",
            "To be announced",
            "Not available",
        )
    )
).map(visible_or_empty)


@st.composite
def showings(draw: st.DrawFn, number: int, titles: Sequence[tuple[str, str]]) -> Broadcast:
    """Any broadcast that a published document can hold: gaps and overlaps are not kept out. It shows one of as many
    episodes as there are titles.
    """
    start = NOON + timedelta(minutes=draw(st.integers(0, 5_000)), seconds=draw(st.integers(0, 59)))
    flags: dict[str, Any] = {
        name: draw(st.booleans()) for name in ("is_repeat", "is_signed", "is_audio_described")
    }
    kinds = (
        showing(start, draw(st.integers(1, 300)), number),
        blanked(start, number),
        unknown(start, number),
    )
    made = replace(draw(st.sampled_from(kinds)), **flags)
    if made.episode is None:
        return made
    episode_number = draw(st.integers(0, len(titles) - 1))
    pid = Pid(f"p{episode_number:07}")
    synopses = Synopses(draw(_TEXTS), draw(_TEXTS), draw(_TEXTS))
    shown = an_episode(
        pid=pid, title="", synopses=synopses, image_pid=draw(_TEXTS), warning_text=draw(st.none() | _TEXTS)
    )
    title, subtitle = titles[episode_number]
    return replace(
        made,
        episode_pid=pid,
        episode=shown,
        brand=draw(st.none() | st.just(BRAND)),
        series=draw(st.none() | st.just(SERIES)),
        title=title,
        subtitle=subtitle if title else "",
    )


@st.composite
def guides(draw: st.DrawFn) -> list[ServiceGuide]:
    """Up to three services with up to six broadcasts each, all of different pids."""
    sids = draw(
        st.lists(st.sampled_from([ALDER, BIRCH, Sid("_"), Sid("birch_radio")]), unique=True, max_size=3)
    )
    titles = draw(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=5, max_size=5))
    made = []
    for place, sid in enumerate(sids):
        numbers = range(10 * place, 10 * place + draw(st.integers(0, 6)))
        found = sorted((draw(showings(n, titles)) for n in numbers), key=lambda s: (s.start, s.broadcast_pid))
        made.append(guide(found, sid, draw(_TEXTS)))
    return made
