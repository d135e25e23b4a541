"""The context of one call: settings, pipeline, operator, clock; and how it ends."""

import getpass
import time
import uuid
import warnings
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import click

from schedules_pipeline.cli.wording import local, printable
from schedules_pipeline.domain.causes import Cause, Origin

if TYPE_CHECKING:
    from schedules_pipeline.composition import Pipeline
    from schedules_pipeline.health.ports import DagsterSnapshot
    from schedules_pipeline.health.probes.ports import Arrangement
    from schedules_pipeline.settings import Settings


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


class Session:
    """One call of the command line. Settings are read and services connected when a command first uses them."""

    @cached_property
    def settings(self) -> "Settings":
        """Warnings, for example of a renamed variable, are one line each on standard error."""
        from schedules_pipeline.settings import load_settings  # noqa: PLC0415 - pydantic costs as much as click

        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always", FutureWarning)
            try:
                return load_settings()
            finally:
                for warning in found:
                    click.echo(f"warning: {warning.message}", err=True)

    @cached_property
    def pipeline(self) -> "Pipeline":
        from schedules_pipeline.connections import build_pipeline  # noqa: PLC0415 - boto3 and redis cost 0.5 s

        return build_pipeline(self.settings)

    @cached_property
    def arrangement(self) -> "Arrangement":
        from schedules_pipeline.connections import build_arrangement  # noqa: PLC0415 - as above

        return build_arrangement(self.settings)

    def read_dagster(self, switch_on: Sequence[str] = ()) -> "DagsterSnapshot":
        from schedules_pipeline.cli.dagster_instance import read_dagster  # noqa: PLC0415 - used by one command

        return read_dagster(self.now(), switch_on)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> datetime:
        return self.pipeline.clock()

    def local(self, instant: datetime) -> str:
        return local(instant, self.pipeline.calendar.zone)

    def cause(self, subject: str) -> Cause:
        """The cause of what this call builds. Its event id contains the login, which ``why`` shows."""
        name = login()
        operator = f"operator-{name}" if name else "operator"
        return Cause(f"{operator}-{uuid.uuid4().hex[:12]}", Origin.OPERATOR, subject, self.now())


def login() -> str:
    """The login name; "" if it is unknown."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


pass_session = click.make_pass_decorator(Session)
