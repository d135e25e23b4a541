"""How a command ends: its exit code, and the one line that says what was wrong."""

from enum import IntEnum
from typing import IO, Any

import click

from schedules_pipeline.cli.wording import printable
from schedules_pipeline.errors import ConfigurationError, PipelineError, ServiceError


class Ending(IntEnum):
    """Exit codes. ``WRONG``: something is wrong as it was found, or what was asked for is not there, or was
    declined. ``USAGE`` is click's own.
    """

    WELL = 0
    WRONG = 1
    USAGE = 2
    NO_ANSWER = 3
    MISCONFIGURED = 4


class CommandExit(click.ClickException):
    """Ends the command by one line on standard error."""

    def __init__(self, message: str, ending: Ending = Ending.WRONG) -> None:
        super().__init__(message)
        self._ending = ending

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class variable there
        return int(self._ending)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {printable(self.message)}", file=file, err=file is None)


def ending_of(error: PipelineError) -> Ending:
    """By whose fault it is."""
    if isinstance(error, ServiceError):
        return Ending.NO_ANSWER
    if isinstance(error, ConfigurationError):
        return Ending.MISCONFIGURED
    return Ending.WRONG


def end_as(ending: Ending) -> None:
    """End now, without a word; everything was said."""
    click.get_current_context().exit(int(ending))
