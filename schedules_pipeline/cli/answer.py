"""The answer of a command: one JSON document for programs, or lines and tables for people.

Texts from upstream are made safe by :func:`~schedules_pipeline.cli.wording.printable` and are never interpreted as
markup.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from itertools import zip_longest
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schedules_pipeline.cli.session import CommandExit, Ending, Session, pass_session
from schedules_pipeline.cli.wording import printable
from schedules_pipeline.errors import PipelineError, ServiceError

_WIDTH_OF_A_FILE = 200
_LINE_EVERY = timedelta(seconds=30)
_T = TypeVar("_T")

Shown = str | Text | Table
"""Part of an answer for people: a line, a styled line, or a table."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``document`` is printed with ``--json``, otherwise ``shown``, which is iterated only then.

    ``problem`` is printed as an error line after either, and makes the ending at least ``WRONG``. ``failure`` is raised
    after either: a service failed in the middle, and the document has what was done before.
    """

    document: Any
    shown: str | Iterable[Shown] = ()
    ending: Ending = Ending.WELL
    problem: str = ""
    failure: PipelineError | None = None


def until_failure(steps: Iterable[_T]) -> tuple[list[_T], ServiceError | None]:
    """The results of the steps until a service fails, and its error: the ``failure`` of an answer."""
    results = []
    try:
        for result in steps:
            results.append(result)  # noqa: PERF402 - what came before an error must stay
    except ServiceError as error:
        return results, error
    return results, None


def answering(function: Callable[..., Answer | None]) -> Callable[..., None]:
    """Make a click callback of a function that takes the session and returns an :class:`Answer`; adds ``--json``.

    A function that prints its result itself returns None.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
    @pass_session
    @wraps(function)
    def callback(*args: Any, as_json: bool, **options: Any) -> None:
        answer = function(*args, **options)
        if answer is None:
            return
        if as_json:
            print_json(answer.document)
        else:
            print_shown(answer.shown)
        if answer.failure:
            raise answer.failure
        if answer.problem:
            raise CommandExit(answer.problem, answer.ending or Ending.WRONG)
        click.get_current_context().exit(int(answer.ending))

    return callback


def document_table(session: Session, documents: Sequence[Mapping[str, Any]], *names: str) -> Table:
    """These members of each document as a table, with instants in the pipeline's time zone."""
    rows = [
        [session.local(value) if isinstance(value, datetime) else value for value in map(document.get, names)]
        for document in documents
    ]
    return table([name.replace("_", " ") for name in names], rows)


def is_for_programs() -> bool:
    """Whether the current command was given ``--json``, so that standard output is kept for the document."""
    return bool(click.get_current_context().params.get("as_json"))


def print_shown(shown: str | Iterable[Shown]) -> None:
    for part in [shown] if isinstance(shown, str) else shown:
        if isinstance(part, Table):
            screen().print(part)
        else:
            screen().print(line(part) if isinstance(part, str) else part, soft_wrap=True)


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
def progress(session: Session) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error if that is a terminal, else a line each half minute, for logs.

    Call the result with a text, the items done, and the total; 0 if that is unknown.
    """
    console = _console(sys.stderr)
    if not console.is_terminal:
        yield _progress_lines(session)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda text, done, total: bar.update(
            task, description=printable(text), completed=done, total=total or None
        )


def _progress_lines(session: Session) -> Callable[[str, int, int], None]:
    shown_at = session.now()

    def update(text: str, done: int, total: int) -> None:
        nonlocal shown_at
        if session.now() - shown_at >= _LINE_EVERY:
            shown_at = session.now()
            remark(f"{done:,} of {total:,}, {text}" if total else text)

    return update


def confirm(question: str, *, yes: bool) -> None:
    """Ask on standard error. Raises :class:`CommandExit` unless the operator agrees."""
    if not agrees(question, yes=yes):
        raise CommandExit("nothing was done")


def agrees(question: str, *, yes: bool) -> bool:
    """Ask on standard error whether to do it. Raises :class:`CommandExit` without a terminal."""
    if yes:
        return True
    try:
        return click.confirm(printable(question), err=True)
    except click.Abort:
        click.echo(err=True)
        raise CommandExit("nothing was done: without a terminal to ask on, use --yes") from None


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
