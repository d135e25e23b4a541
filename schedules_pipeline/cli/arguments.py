"""Parsing of arguments: schedules, dates, pids, versions, files.

A word that cannot be parsed is a usage error that names the expected form. Unknown names are answered with the closest
known ones.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from schedules_pipeline.cli.session import CommandExit, Ending
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.partners.partner import partner_name, service_pattern
from schedules_pipeline.push.subscription import subscription_name

_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Identifier(click.ParamType[_T]):
    """An argument that a parser of the domain reads."""

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


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        expected = "expected a name such as Europe/London"
        raise InvalidIdentifier(f"no such time zone: {text[:60]!r} ({expected})") from None


SERVICE = _Identifier("sid", Sid)
DATE = _Identifier("date", parse_date)
KEY = _Identifier("sid/date", ScheduleKey.parse)
PARTNER = _Identifier("name", partner_name)
PATTERN = _Identifier("pattern", service_pattern)
SUBSCRIPTION = _Identifier("name", subscription_name)
ZONE = _Identifier("zone", _zone)


class _InputFile(click.Path):
    """A regular file that can be read. A pipe is none: `import` reads twice, and a pipe without a writer hangs."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.is_file():
            self.fail(f"File {str(path)!r} is no regular file.", param, ctx)
        return path


INPUT_FILE = _InputFile(exists=True, dir_okay=False)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn :class:`InvalidIdentifier` into a usage error."""
    try:
        yield
    except InvalidIdentifier as error:
        raise click.UsageError(str(error)) from error


def take_key(words: Sequence[str]) -> tuple[ScheduleKey, list[str]]:
    """Parse ``SID DATE`` or ``SID/DATE`` at the beginning; returns the schedule and the remaining words."""
    if not words:
        raise click.UsageError("name a schedule: SID DATE, or SID/DATE, with the date as YYYY-MM-DD")
    first, *rest = words
    if "/" not in first and not rest:
        raise click.UsageError(f"{first!r} is no schedule: give a date as well, SID YYYY-MM-DD")
    text, rest = (first, rest) if "/" in first else (f"{first}/{rest[0]}", rest[1:])
    with usage_errors():
        return ScheduleKey.parse(text), rest


def take_only_key(words: Sequence[str]) -> ScheduleKey:
    key, rest = take_key(words)
    if rest:
        raise click.UsageError(f"one schedule, please: {' '.join(rest)!r} is too much")
    return key


def take_seqs(words: Sequence[str], most: int) -> list[int]:
    wrong = next((word for word in words if not (word.isascii() and word.isdigit())), None)
    if wrong is not None:
        raise click.UsageError(f"{wrong!r} is not the number of a version: see `schedules-pipeline history`")
    if len(words) > most:
        raise click.UsageError(f"at most {most} numbers of versions, please")
    return [int(word) for word in words]


def not_found(key: ScheduleKey, known: Collection[ScheduleKey]) -> CommandExit:
    """The error for a schedule that was never published; it names the published days or services."""
    days = sorted(k.date for k in known if k.sid == key.sid)
    if days:
        published = f"of {key.sid} there are {days[0]} to {days[-1]}"
        return CommandExit(f"no schedule {key}: nothing was published for that day; {published}")
    return CommandExit(f"no schedule {key}: {unknown_service(key.sid, {k.sid for k in known})}")


def unknown_service(sid: Sid, known: Iterable[Sid]) -> str:
    services = sorted(known)
    if not services:
        return "nothing has been published yet"
    return f"there is no service {sid}; {did_you_mean(sid, services, 'schedules-pipeline status')}"


def did_you_mean(name: str, known: Iterable[str], listing: str) -> str:
    """The closest known names, or the command that lists all of them."""
    close = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"`{listing}` lists them"


def yes_option(command: _Command) -> _Command:
    """Add ``--yes``, as the argument ``yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def all_option(help_text: str) -> Callable[[_Command], _Command]:
    """Add ``--all``, as the argument ``everything``."""
    return click.option("--all", "everything", is_flag=True, help=help_text)


def overwrite_option(command: _Command) -> _Command:
    """Add ``--overwrite``, as the argument ``overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")(command)


def output_options(metavar: str) -> Callable[[_Command], _Command]:
    """Add ``--output``, as the argument ``path``, and ``--overwrite``."""
    output = click.option(
        "-o", "--output", "path", type=NEW_FILE, required=True, metavar=metavar, help="The file to write."
    )
    return lambda command: output(overwrite_option(command))


def require_new(path: Path, *, overwrite: bool) -> None:
    """Raises :class:`CommandExit` if the file exists, unless it may be overwritten."""
    if path.exists() and not overwrite:
        raise CommandExit(f"{path} exists already: choose another name, or use --overwrite")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into :class:`CommandExit` with the file's name."""
    try:
        yield
    except OSError as error:
        raise CommandExit(f"{path} cannot be read: {error.strerror or error}", Ending.USAGE) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into :class:`CommandExit` with the file's name."""
    try:
        yield
    except OSError as error:
        raise CommandExit(f"{path} cannot be written: {error.strerror or error}") from error
