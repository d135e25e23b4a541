"""Exit codes, and errors that end a command with one line."""

from enum import IntEnum
from typing import IO, Any

import click

from schedules_pipeline.cli.wording import printable


class Ending(IntEnum):
    """Exit codes. ``WRONG``: a fault was found, nothing was found, or the operator declined. ``USAGE`` is click's."""

    WELL = 0
    WRONG = 1
    USAGE = 2
    NO_ANSWER = 3
    MISCONFIGURED = 4


class CommandExit(click.ClickException):
    """Ends the command with one line on standard error."""

    def __init__(self, message: str, ending: Ending = Ending.WRONG) -> None:
        super().__init__(message)
        self._ending = ending

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class variable there
        return int(self._ending)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {printable(self.message)}", file=file, err=file is None)
