"""The command ``schedules-pipeline``: its subcommands, and how errors end it.

A command's module is imported when the command runs, so that ``--help`` and completion answer at once. To add a
command, write a click command or group, named ``command`` if it is its module's only one, and add its line to
:data:`COMMANDS`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.errors import ConfigurationError, PipelineError, ServiceError

PROGRAM: Final = "schedules-pipeline"
_NO_ANSWER_HINT: Final = (
    "is it up, and are SCHEDULES_REDIS_URL, SCHEDULES_AWS_ENDPOINT_URL and the credentials right?"
)

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "status": ("status", "Show the state of the whole pipeline."),
        "doctor": ("doctor", "Find root causes of faults, and apply safe remedies."),
        "show": ("show", "Show a schedule as partners see it."),
        "deps": ("deps", "Show what a schedule depends on, or what depends on a pid."),
        "history": ("versions:history", "List the published versions of a schedule, newest first."),
        "diff": ("versions:diff", "Show the differences between two versions of a schedule."),
        "why": ("versions:why", "Show what caused a version, and what else the same change touched."),
        "rebuild": ("rebuild", "Rebuild schedules from their sources, now."),
        "quarantine": ("quarantine", "List and release schedules whose builds failed too often."),
        "rejected": ("rejected", "List input that could not be read."),
        "holds": ("holds", "List held losses of airtime, and confirm or reject them."),
        "dead-letters": ("dead_letters", "List, replay or drop messages that could not be handled."),
        "coldstart": ("coldstart", "Rebuild everything from the sources."),
        "reconcile": ("passes:reconcile", "Compare stored data with the sources, and repair differences."),
        "collect": ("passes:collect", "Collect garbage: unreferenced copies and past schedules."),
        "parity": ("parity", "Show the parity with the old system, and whether to switch."),
        "switch": ("switch", "Show or change the keyspace that partners are served from."),
        "partners": ("partners", "Manage partners, their keys and limits."),
        "state": ("state", "Export and import the state that no source has."),
        "push": ("push", "Manage webhook and file subscriptions."),
        "import": ("histories:import_", "Write a recorded history into the sources, and announce it."),
        "import-xmltv": ("histories:import_guide", "Convert an XMLTV guide into a recorded history."),
        "export": ("histories:export", "Write schedules and their catalogue items to a recorded history."),
        "cost": ("cost", "Compute what an installation of some size needs, and costs on AWS."),
        "completion": ("completion", "Print the script that completes commands in a shell."),
    }
)
"""By the command's name: its module in this package, with its name there unless that is ``command``; its help."""

RENAMED: Final[Mapping[str, str]] = MappingProxyType({"set-aside": "quarantine", "refused": "rejected"})
"""Old names, still understood with a warning. They go in version 0.3."""


class Commands(click.Group):
    """Finds commands in :data:`COMMANDS`, and ends every expected error with one line and its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = RENAMED.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        found: click.Command = getattr(import_module(f"{__package__}.{module}"), attribute or "command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in RENAMED and not ctx.resilient_parsing:
            click.echo(
                f"warning: `{name}` is now `{RENAMED[name]}`; the old name goes in version 0.3", err=True
            )
        elif name not in COMMANDS and not name.startswith("-"):
            close = get_close_matches(name, COMMANDS, n=2)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"no such command: {name!r}{meant}", ctx)
        return super().resolve_command(ctx, [RENAMED.get(name, name), *args[1:]])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _one_line_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_line_errors():
            return super().invoke(ctx)


@contextmanager
def _one_line_errors() -> Iterator[None]:
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
    except ConfigurationError as error:
        raise CommandExit(str(error), Ending.MISCONFIGURED) from error
    except PipelineError as error:
        raise CommandExit(str(error)) from error


@click.group(
    PROGRAM,
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --help, and --json for programs. Exit codes: 0 success; 1 a fault was found, nothing "
    "was found, or the operator declined; 2 wrong usage; 3 a service did not answer; 4 a setting is wrong.",
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@click.pass_context
def main(context: click.Context) -> None:
    """Inspect and repair the schedules pipeline.

    It reads the same SCHEDULES_… environment variables as the pipeline.
    """
    if context.obj is None:
        context.obj = Session()
