"""The command ``schedules-pipeline``: which commands there are, and how any of them ends.

A command's module is imported when the command is asked for, so that ``--help`` and completion answer at once.
Its line of help stands here; a test compares it with the command's own. To add a command: a module with a
click command or group named ``command``, and its line in :data:`COMMANDS`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from schedules_pipeline.cli.endings import CommandExit, Ending, ending_of
from schedules_pipeline.cli.session import Session
from schedules_pipeline.errors import PipelineError, ServiceError

PROGRAM: Final = "schedules-pipeline"
_NO_ANSWER_HINT: Final = (
    "is it up, and are SCHEDULES_REDIS_URL, SCHEDULES_AWS_ENDPOINT_URL and the credentials right?"
)

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "status": ("status", "How everything stands, at a glance."),
        "show": ("show", "Show a schedule as partners see it."),
        "deps": ("deps", "Show what a schedule depends on, or what depends on a pid."),
        "history": ("history", "List the published versions of a schedule, newest first."),
        "diff": ("diff", "Show the differences between two versions of a schedule."),
        "why": ("why", "Say what caused a version, and what else the same change touched."),
        "rebuild": ("rebuild", "Rebuild schedules from their sources, now."),
        "set-aside": ("set_aside", "Schedules whose builds failed too often."),
        "refused": ("refused", "Input that was kept aside because it cannot be accepted."),
        "dead-letters": ("dead_letters", "Messages that nobody could handle."),
        "coldstart": ("coldstart", "Rebuild everything from the sources."),
        "reconcile": ("reconcile", "Compare what is stored with the sources, and repair what differs."),
        "collect": ("collect", "Collect garbage: what no schedule depends on, and what is long over."),
        "parity": ("parity", "How all schedules stand against the old system, and whether to switch."),
        "switch": ("switch", "From which keyspace partners are served, and changing it."),
        "partners": ("partners", "Who may read, with which keys, and how much."),
        "push": ("push", "Who is told of changes by webhook or files, and how that goes."),
        "import": ("import_history", "Put a recorded history into the sources, and announce it."),
        "import-xmltv": ("import_xmltv", "Make an XMLTV guide into a recorded history."),
        "export": ("export_history", "Write schedules and what they need to a recorded history."),
        "completion": ("completion", "Print the script that completes commands in a shell."),
    }
)
"""By the command's name: its module in this package, and its line of help."""


class Commands(click.Group):
    """Finds commands by :data:`COMMANDS`, and ends every failure that is meant in one line and its code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"{__package__}.{COMMANDS[cmd_name][0]}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=2)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"no such command: {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _ended_in_a_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _ended_in_a_line():
            return super().invoke(ctx)


@contextmanager
def _ended_in_a_line() -> Iterator[None]:
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else PROGRAM
        message = " ".join(error.format_message().split())
        raise CommandExit(f"{message} (see `{path} --help`)", Ending.USAGE) from error
    except ServiceError as error:
        raise CommandExit(f"{error} ({_NO_ANSWER_HINT})", Ending.NO_ANSWER) from error
    except PipelineError as error:
        raise CommandExit(str(error), ending_of(error)) from error


@click.group(
    PROGRAM,
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --help, and --json for programs. Ends with 0 where all is well, 1 where something "
    "is wrong or was not found, 2 where it was asked wrongly, 3 where a service did not answer, 4 where a setting "
    "is wrong.",
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def main(context: click.Context) -> None:
    """Look at the schedules pipeline, and mend it.

    It is configured as the pipeline is, by SCHEDULES_… variables of the environment.
    """
    if context.obj is None:
        context.obj = Session()
