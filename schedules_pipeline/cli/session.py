"""What every command has at hand: the settings, the pipeline, who asks, and when."""

import getpass
import time
import uuid
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import click

from schedules_pipeline.domain.causes import Cause, Origin

if TYPE_CHECKING:
    from schedules_pipeline.composition import Pipeline
    from schedules_pipeline.settings import Settings


class Session:
    """One call of the command line. Nothing is read or connected before a command asks for it."""

    @cached_property
    def settings(self) -> "Settings":
        from schedules_pipeline.settings import load_settings  # noqa: PLC0415 - pydantic costs as much as click

        return load_settings()

    @cached_property
    def pipeline(self) -> "Pipeline":
        from schedules_pipeline.connections import build_pipeline  # noqa: PLC0415 - boto3 and redis cost 0.5 s

        return build_pipeline(self.settings)

    def sleep(self, seconds: float) -> None:
        """Between two looks at something that goes on elsewhere."""
        time.sleep(seconds)

    def now(self) -> datetime:
        return self.pipeline.clock()

    def cause(self, subject: str) -> Cause:
        """The cause of what this call has built; its event id names who asked, and is shown by ``why``."""
        return Cause(f"{_operator()}-{uuid.uuid4().hex[:12]}", Origin.OPERATOR, subject, self.now())


def _operator() -> str:
    try:
        return f"operator-{getpass.getuser()}"
    except (KeyError, OSError):
        return "operator"


pass_session = click.make_pass_decorator(Session)
