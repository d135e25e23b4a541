"""Edits of a line-up, the broadcasts of one schedule in order. Each edit returns a new line-up without gaps."""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from demo.sample import Document, render_instant

LineUp: TypeAlias = list[Document]

_SHORTEST: Final = timedelta(minutes=5)
"""A programme that gives up time keeps at least this much of it."""
_INSERTED: Final = timedelta(minutes=15)
_PUSHED_AT_LEAST: Final = 3
"""How many programmes an overrun pushes before one that is long enough may end it."""


class Impossible(Exception):
    """The change cannot be made at the chosen place. Another change or another place may be possible."""


def move(line_up: LineUp, index: int, by: timedelta) -> LineUp:
    """Return the line-up with one programme moved, for which its neighbours make room.

    Raises Impossible if it has no neighbours or they are too short.
    """
    if not 0 < index < len(line_up) - 1:
        raise Impossible
    before, moved, after = line_up[index - 1 : index + 2]
    if _length(before) + by < _SHORTEST or _length(after) - by < _SHORTEST:
        raise Impossible
    window = [_shift(before, end=by), _shift(moved, start=by, end=by), _shift(after, start=by)]
    return [*line_up[: index - 1], *window, *line_up[index + 2 :]]


def insert(line_up: LineUp, index: int, newcomer: Document) -> LineUp:
    """Return the line-up with a newcomer in the last minutes of a programme.

    Raises Impossible if that programme is too short.
    """
    host = line_up[index]
    if _length(host) < _INSERTED + _SHORTEST:
        raise Impossible
    shortened = _shift(host, end=-_INSERTED)
    times = {"start": shortened["end"], "end": host["end"]}
    return [*line_up[:index], shortened, newcomer | times, *line_up[index + 1 :]]


def drop(line_up: LineUp, index: int) -> LineUp:
    """Return the line-up without one programme, whose time goes to the one before it.

    Raises Impossible if it is the first.
    """
    if index == 0:
        raise Impossible
    longer = line_up[index - 1] | {"end": line_up[index]["end"]}
    return [*line_up[: index - 1], longer, *line_up[index + 1 :]]


def overrun(line_up: LineUp, index: int, by: timedelta, pushed_at_least: int = _PUSHED_AT_LEAST) -> LineUp:
    """Return the line-up with one programme longer, and those after it later by as much.

    After ``pushed_at_least`` of them, the first that can spare the time starts late and ends as planned, so
    that the rest of the day is unchanged. Raises Impossible if none can.
    """
    changed = [*line_up[:index], _shift(line_up[index], end=by)]
    for place in range(index + 1, len(line_up)):
        if place > index + pushed_at_least and _length(line_up[place]) >= by + _SHORTEST:
            return [*changed, _shift(line_up[place], start=by), *line_up[place + 1 :]]
        changed.append(_shift(line_up[place], start=by, end=by))
    raise Impossible


def _shift(broadcast: Document, start: timedelta = timedelta(), end: timedelta = timedelta()) -> Document:
    times = {
        "start": render_instant(start_of(broadcast) + start),
        "end": render_instant(_end(broadcast) + end),
    }
    return broadcast | times


def start_of(broadcast: Document) -> datetime:
    return datetime.fromisoformat(broadcast["start"])


def _end(broadcast: Document) -> datetime:
    return datetime.fromisoformat(broadcast["end"])


def _length(broadcast: Document) -> timedelta:
    return _end(broadcast) - start_of(broadcast)
