"""Edits of a line-up leave neither gap nor overlap, and are impossible where there is no room."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from demo.line_ups import Impossible, LineUp, drop, insert, move, overrun
from demo.sample import Document, render_instant

_NOW = datetime(2026, 11, 6, 20, tzinfo=UTC)
_NEWCOMER: Document = {"broadcast_pid": "pnewcomer"}


def _seams(line_up: LineUp) -> list[str]:
    return [after["start"] for before, after in pairwise(line_up) if before["end"] != after["start"]]


def _line_up(*minutes: int) -> LineUp:
    """A line-up from 20:00 of programmes that last so many minutes."""
    ends = [sum(minutes[: number + 1]) for number in range(len(minutes))]
    return [
        {"broadcast_pid": f"p{number:08}", "start": _clock(end - length), "end": _clock(end)}
        for number, (length, end) in enumerate(zip(minutes, ends, strict=True))
    ]


def _clock(minutes: int) -> str:
    return render_instant(_NOW + timedelta(minutes=minutes))


def _minutes(line_up: LineUp) -> list[int]:
    spans = [(datetime.fromisoformat(b["end"]), datetime.fromisoformat(b["start"])) for b in line_up]
    return [(end - start) // timedelta(minutes=1) for end, start in spans]


@pytest.mark.parametrize(
    ("edit", "minutes"),
    [
        pytest.param(partial(move, index=1, by=timedelta(minutes=5)), [35, 60, 25, 3, 45], id="later"),
        pytest.param(partial(move, index=1, by=timedelta(minutes=-5)), [25, 60, 35, 3, 45], id="earlier"),
        pytest.param(partial(insert, index=1, newcomer=_NEWCOMER), [30, 45, 15, 30, 3, 45], id="insert"),
        pytest.param(partial(drop, index=1), [90, 30, 3, 45], id="drop"),
        pytest.param(partial(drop, index=4), [30, 60, 30, 48], id="drop the last"),
        pytest.param(partial(overrun, index=0, by=timedelta(minutes=10)), [40, 60, 30, 3, 35], id="overrun"),
        pytest.param(
            partial(overrun, index=0, by=timedelta(minutes=10), pushed_at_least=0),
            [40, 50, 30, 3, 45],
            id="overrun at the cost of the next",
        ),
        pytest.param(
            partial(overrun, index=2, by=timedelta(minutes=10), pushed_at_least=0),
            [30, 60, 40, 3, 35],
            id="overrun over a filler",
        ),
    ],
)
def test_line_up_edit_keeps_the_line_up_whole(edit: Callable[[LineUp], LineUp], minutes: list[int]) -> None:
    """An edit gives its programmes these lengths, with neither gap nor overlap."""
    line_up = _line_up(30, 60, 30, 3, 45)

    edited = edit(line_up)

    assert _minutes(edited) == minutes
    assert _seams(edited) == []


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(partial(move, index=0, by=timedelta(minutes=5)), id="move the first"),
        pytest.param(partial(move, index=4, by=timedelta(minutes=5)), id="move the last"),
        pytest.param(partial(move, index=2, by=timedelta(minutes=5)), id="move onto a filler"),
        pytest.param(partial(insert, index=3, newcomer=_NEWCOMER), id="insert into a filler"),
        pytest.param(partial(drop, index=0), id="drop the first"),
        pytest.param(partial(overrun, index=4, by=timedelta(minutes=5)), id="overrun of the last"),
        pytest.param(partial(overrun, index=1, by=timedelta(minutes=5)), id="overrun with too few to push"),
        pytest.param(partial(overrun, index=0, by=timedelta(minutes=41)), id="overrun of more than there is"),
    ],
)
def test_line_up_edit_is_rejected_where_there_is_no_room(edit: Callable[[LineUp], LineUp]) -> None:
    """An edit that would need time that no neighbour has is impossible there."""
    line_up = _line_up(30, 60, 30, 3, 45)

    with pytest.raises(Impossible):
        edit(line_up)
