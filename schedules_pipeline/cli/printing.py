"""Printing: one JSON document for programs, or tables and lines for people. All that is printed passes here.

Texts of others are made safe by :func:`~schedules_pipeline.cli.wording.printable` and are never markup.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
"""Where there is no terminal nothing has to fit one."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def json_option(command: _Command) -> _Command:
    """Give a command the option ``--json``, as the argument ``as_json``."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
    return option(command)


def yes_option(command: _Command) -> _Command:
    """Give a command the option ``--yes``, as the argument ``yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def print_json(value: Any) -> None:
    """One document, in ASCII: a control character in a title reaches no terminal. Instants as ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=_jsonable))


def screen() -> Console:
    """The terminal as it is now; no colour where there is none, or where ``NO_COLOR`` is set."""
    return _console(sys.stdout)


def screen_of_remarks() -> Console:
    """The same for standard error, where bars are drawn."""
    return _console(sys.stderr)


def say(text: str, style: str = "") -> None:
    """A line of ours; what it holds of others is made safe all the same."""
    screen().print(Text(printable(text), style=style), soft_wrap=True)


def remark(text: str) -> None:
    """A line that is not the answer, and must not spoil it for a program: on standard error."""
    click.echo(printable(text), err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table of plain texts; a heading that ends in ``>`` is aligned to the right."""
    made = Table(box=SIMPLE_HEAD, title=Text(printable(title)) if title else None, title_justify="left")
    for heading in headings:
        made.add_column(
            heading.rstrip(">"), justify="right" if heading.endswith(">") else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*[_cell(value) for value in row])
    return made


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    screen().print(table(headings, rows, title=title))


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; call with how many more are done."""
    console = screen_of_remarks()
    columns = (TextColumn(printable(what)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda more: bar.advance(task, more)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only where the operator agrees; asked on standard error, so that an answer stays a document."""
    if yes:
        return
    try:
        agrees = click.confirm(printable(question), err=True)
    except click.Abort:
        click.echo(err=True)
        raise CommandExit("nothing was done: say --yes where nobody is there to be asked") from None
    if not agrees:
        raise CommandExit("nothing was done")


def _console(file: Any) -> Console:
    is_terminal = bool(getattr(file, "isatty", bool)())
    width = None if is_terminal else _WIDTH_OF_A_FILE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: object) -> Text:
    return Text(printable("" if value is None else value))


def _jsonable(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
