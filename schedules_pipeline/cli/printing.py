"""Printing to the terminal. Texts from upstream are made safe by :func:`~schedules_pipeline.cli.wording.printable` and
are never interpreted as markup.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.wording import printable

_WIDTH_OF_A_FILE = 200

_Command = TypeVar("_Command", bound=Callable[..., Any])


def yes_option(command: _Command) -> _Command:
    """Add ``--yes``, as the argument ``yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def all_option(help_text: str) -> Callable[[_Command], _Command]:
    """Add ``--all``, as the argument ``everything``."""
    return click.option("--all", "everything", is_flag=True, help=help_text)


def print_json(value: Any) -> None:
    """One document in ASCII, so that no control character in a title reaches the terminal. Instants are ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=_jsonable))


def screen() -> Console:
    """The terminal as it is now; without colour if there is none, or if ``NO_COLOR`` is set."""
    return _console(sys.stdout)


def line(text: object, style: str = "") -> Text:
    return Text(printable(text), style=style)


def remark(text: str) -> None:
    """Print a line to standard error, beside the answer."""
    click.echo(printable(text), err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table of plain texts. Numbers, and columns whose heading ends in ``>``, are aligned to the right."""
    made = Table(box=SIMPLE_HEAD, title=line(title) if title else None, title_justify="left")
    cells = [list(row) for row in rows]
    for heading, column in zip_longest(headings, zip(*cells, strict=True)):
        is_right = heading.endswith(">") or all(type(value) is int for value in column or ("",))
        made.add_column(heading.rstrip(">"), justify="right" if is_right else "left", overflow="fold")
    for row in cells:
        made.add_row(*[line(_cell(value)) for value in row])
    return made


def members(value: object, *names: str) -> dict[str, Any]:
    """Attributes of a value as members of a JSON document."""
    return {name: getattr(value, name) for name in names}


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error if that is a terminal. Call the result with a text, the items done, and the total."""
    console = _console(sys.stderr)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda text, done, total: bar.update(
            task, description=printable(text), completed=done, total=total or None
        )


def confirm(question: str, *, yes: bool) -> None:
    """Ask on standard error. Raises :class:`CommandExit` unless the operator agrees."""
    if yes:
        return
    try:
        agrees = click.confirm(printable(question), err=True)
    except click.Abort:
        click.echo(err=True)
        raise CommandExit("nothing was done: without a terminal to ask on, use --yes") from None
    if not agrees:
        raise CommandExit("nothing was done")


def _console(file: Any) -> Console:
    is_terminal = bool(getattr(file, "isatty", bool)())
    width = None if is_terminal else _WIDTH_OF_A_FILE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: object) -> object:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(map(str, value)) if type(value) in (list, tuple) else value  # type: ignore[call-overload]


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
