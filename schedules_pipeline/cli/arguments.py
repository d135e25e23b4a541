"""What operators type, made into values: schedules, dates, pids, versions. What cannot be meant is a usage error
that names the expected form, and for an unknown service the closest ones that there are.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.partners.partner import partner_name, service_pattern
from schedules_pipeline.push.subscription import subscription_name

_T = TypeVar("_T")


class _Identifier(click.ParamType[_T]):
    """An argument that one of the domain's parsers reads."""

    def __init__(self, name: str, parse: Callable[[str], _T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _T:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # a default, which is of the type already
        try:
            return self._parse(value)
        except InvalidIdentifier as error:
            self.fail(str(error), param, ctx)


SERVICE = _Identifier("sid", Sid)
DATE = _Identifier("date", parse_date)
PID = _Identifier("pid", Pid)
KEY = _Identifier("sid/date", ScheduleKey.parse)
PARTNER = _Identifier("name", partner_name)
PATTERN = _Identifier("pattern", service_pattern)
SUBSCRIPTION = _Identifier("name", subscription_name)


def take_key(words: Sequence[str]) -> tuple[ScheduleKey, list[str]]:
    """Read ``SID DATE`` or ``SID/DATE`` from the front; answers with the schedule and the words that are left."""
    if not words:
        raise click.UsageError("name a schedule: SID DATE, or SID/DATE, with the date as YYYY-MM-DD")
    first, *rest = words
    if "/" not in first and not rest:
        raise click.UsageError(f"{first!r} is no schedule: give a date as well, SID YYYY-MM-DD")
    text, rest = (first, rest) if "/" in first else (f"{first}/{rest[0]}", rest[1:])
    try:
        return ScheduleKey.parse(text), rest
    except InvalidIdentifier as error:
        raise click.UsageError(str(error)) from error


def take_only_key(words: Sequence[str]) -> ScheduleKey:
    """Read one schedule and nothing behind it."""
    key, rest = take_key(words)
    if rest:
        raise click.UsageError(f"one schedule, please: {' '.join(rest)!r} is too much")
    return key


def take_seqs(words: Sequence[str], most: int) -> list[int]:
    """Read up to so many sequence numbers."""
    wrong = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    if wrong is not None:
        raise click.UsageError(f"{wrong!r} is not the number of a version: see `schedules-pipeline history`")
    if len(words) > most:
        raise click.UsageError(f"at most {most} numbers of versions, please")
    return [int(word) for word in words]


def not_found(key: ScheduleKey, known: Collection[ScheduleKey]) -> CommandExit:
    """Nothing was ever published under this key: say what there is instead."""
    days = sorted(k.date for k in known if k.sid == key.sid)
    if days:
        there_is = f"of {key.sid} there are {days[0]} to {days[-1]}"
        return CommandExit(f"no schedule {key}: nothing was published for that day; {there_is}")
    return CommandExit(f"no schedule {key}: {unknown_service(key.sid, {k.sid for k in known})}")


def unknown_service(sid: Sid, known: Iterable[Sid]) -> str:
    services = sorted(known)
    if not services:
        return "nothing has been published yet"
    if close := get_close_matches(sid, services, n=3):
        return f"there is no service {sid}; did you mean {' or '.join(close)}?"
    return f"there is no service {sid}; `schedules-pipeline status` lists them"


def is_within(day: date, first: date | None, last: date | None) -> bool:
    """Whether a day is in a range that includes both of its ends; None is no end."""
    return (first is None or first <= day) and (last is None or day <= last)


def require_new(path: Path, *, overwrite: bool) -> None:
    """Raise :class:`CommandExit` where the file to be written is there, and nobody has said that it may go."""
    if path.exists() and not overwrite:
        raise CommandExit(f"{path} is there already: choose another name, or say --overwrite")
