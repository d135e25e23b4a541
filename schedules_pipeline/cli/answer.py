"""The answer of a command: one JSON document for programs, or lines and tables for people."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from schedules_pipeline.cli.endings import CommandExit, Ending
from schedules_pipeline.cli.printing import line, print_json, screen, table
from schedules_pipeline.cli.session import Session, pass_session

Shown = str | Text | Table
"""Part of an answer for people: a line, a styled line, or a table."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``document`` is printed with ``--json``, otherwise ``shown``, which is iterated only then.

    ``problem`` is printed as an error line after either, and makes the ending at least ``WRONG``.
    """

    document: Any
    shown: str | Iterable[Shown] = ()
    ending: Ending = Ending.WELL
    problem: str = ""


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
