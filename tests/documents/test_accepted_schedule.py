"""Accepted source documents as the store keeps them are read back as written."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from builders import a_slot
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.documents.accepted_schedule import (
    accept,
    parse_accepted,
    read_source,
    render_accepted,
)
from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.schedule import Slot, SourceSchedule, in_order

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)

_pids = st.text("0123456789bcdfghjklmnpqrstvwxyz", min_size=8, max_size=32).map(Pid)
_seconds = st.integers(0, 300_000_000_000).map(lambda after: _FIRST + timedelta(seconds=after))


@st.composite
def _slots(draw: st.DrawFn) -> Slot:
    is_blanked = draw(st.booleans())
    pids = {name: None if is_blanked else draw(st.none() | _pids) for name in ("version_pid", "episode_pid")}
    flags = {name: draw(st.booleans()) for name in ("is_repeat", "is_signed", "is_audio_described")}
    minutes = draw(st.integers(1, 86_400)) / 60
    return a_slot(
        1, draw(_seconds), minutes, broadcast_pid=draw(_pids), is_blanked=is_blanked, **pids, **flags
    )


_schedules = st.builds(
    SourceSchedule,
    st.just(_KEY),
    _seconds,
    st.lists(_slots(), max_size=4, unique_by=lambda b: b.broadcast_pid).map(in_order),
)
_EMPTY = SourceSchedule(_KEY, _SIX, ())


def _slot(broadcast_pid: str, episode_pid: str | None) -> Slot:
    return a_slot(
        1,
        _SIX,
        broadcast_pid=Pid(broadcast_pid),
        version_pid=None,
        episode_pid=None if episode_pid is None else Pid(episode_pid),
        is_repeat=True,
    )


_SCHEDULE = SourceSchedule(
    _KEY,
    _SIX,
    (
        _slot("p0000001", "b0000001"),
        _slot("p0000002", None),
        _slot("p0000003", "b0000001"),
    ),
)


_SLOT = (
    b'"broadcast_pid":"p0000001","version_pid":"","start":"2026-01-15T06:00:00Z",'
    b'"end":"2026-01-15T06:30:00Z","duration_seconds":1800,"is_repeat":true,"is_blanked":false,'
    b'"is_signed":false,"is_audio_described":false,"episode_pid":"b0000001"'
)


def test_accepted_schedule_is_a_header_and_slots() -> None:
    """The bytes are a line of JSON with the pids by column, and a line for each slot."""
    lines = render_accepted(accept(_SCHEDULE)).split(b"\n")

    assert lines[0] == (
        b'{"published_at":"2026-01-15T06:00:00+00:00","slot_fields":10,'
        b'"episode_pids":["b0000001",null,"b0000001"],'
        b'"broadcast_pids":["p0000001","p0000002","p0000003"],"v":1}'
    )
    assert lines[1] == _SLOT
    assert len(lines) == 4


def test_accepted_schedule_of_release_0_1_0_is_read() -> None:
    """Release 0.1.0 wrote three lines of columns, a hyphen standing for no episode."""
    accepted = accept(_SCHEDULE)
    head = [b"2026-01-15T06:00:00+00:00", b"b0000001 - b0000001", b"p0000001 p0000002 p0000003"]

    parsed = parse_accepted(b"\n".join([*head, *accepted.slots]))

    assert parsed == replace(accepted, slot_fields=10)


def test_accepted_schedule_with_fewer_slot_fields_is_outdated() -> None:
    """An accepted source whose slots older code rendered says so; one of this or newer code does not."""
    accepted = accept(_SCHEDULE)

    outdated = [
        parse_accepted(
            render_accepted(replace(accepted, slot_fields=accepted.slot_fields + more))
        ).is_outdated
        for more in (-1, 0, 1)
    ]

    assert outdated == [True, False, False]


@given(_schedules)
@example(_EMPTY)
def test_accepted_schedule_is_read_back(schedule: SourceSchedule) -> None:
    """A written accepted schedule is read back with the same columns."""
    accepted = accept(schedule)

    parsed = parse_accepted(render_accepted(accepted))

    assert parsed == accepted


@given(_schedules)
@example(_EMPTY)
def test_source_is_read_from_its_slots(schedule: SourceSchedule) -> None:
    """The stored form gives the accepted source schedule again."""
    kept = render_accepted(accept(schedule))

    source = read_source(_KEY, parse_accepted(kept))

    assert source == schedule


@given(_schedules, _schedules)
def test_accepted_schedules_have_equal_bytes_where_they_are_equal(
    one: SourceSchedule, other: SourceSchedule
) -> None:
    """Two schedules are kept as the same bytes where they are equal, and nowhere else."""
    are_equal = render_accepted(accept(one)) == render_accepted(accept(other))

    assert are_equal == (one == other)


def test_accepted_schedule_lists_every_mention_of_an_episode() -> None:
    """Exactly the broadcasts with an episode are mentions of it."""
    accepted = accept(_SCHEDULE)

    shown, episodes = accepted.shown(), accepted.episodes()

    assert shown == [
        EpisodeMention(Pid("b0000001"), Pid("p0000001")),
        EpisodeMention(Pid("b0000001"), Pid("p0000003")),
    ]
    assert episodes == {"b0000001"}
