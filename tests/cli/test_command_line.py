"""Rules for all commands: help, completion, exit codes, and a fast start."""

import subprocess
import sys
from typing import Any

import click
import pytest
from cli_stage import KEY, Stage, all_commands
from click.testing import CliRunner

from schedules_pipeline.cli.main import COMMANDS, PROGRAM, RENAMED, main
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.errors import (
    ConfigurationError,
    ContentError,
    InvalidIdentifier,
    PipelineError,
    ServiceError,
)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_the_names_that_they_are_listed_under(name: str) -> None:
    """The module of each listed command defines a command of that name."""
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.name == name


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_understood_with_a_warning(published: Stage, old: str, new: str) -> None:
    """The command does the same under both names; the warning names the new one and the version of the removal."""
    before, after = published.run(old, "list", "--json"), published.run(new, "list", "--json")

    assert (before.exit_code, before.stdout) == (0, after.stdout)
    assert before.stderr == f"warning: `{old}` is now `{new}`; the old name goes in version 0.3\n"
    assert after.stderr == ""


def test_an_old_name_of_a_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning names both variables and no line of source; it also precedes the error of a wrong value."""
    monkeypatch.setenv("SCHEDULES_REFUSED_KEPT_DAYS", "0")

    with pytest.raises(ConfigurationError):
        _ = Session().settings

    assert capsys.readouterr().err == (
        "warning: SCHEDULES_REFUSED_KEPT_DAYS is now SCHEDULES_REJECTIONS_KEPT_DAYS; "
        "the next release ignores the old name\n"
    )


def test_old_names_are_not_listed() -> None:
    """Neither the help nor completion offers an old name."""
    assert not RENAMED.keys() & COMMANDS.keys()
    assert not [path for path, _ in all_commands() if path.split()[0] in RENAMED]


@pytest.mark.parametrize(("path", "command"), all_commands(), ids=lambda value: str(value)[:40])
def test_every_command_has_help(path: str, command: click.Command) -> None:
    """Every command and every option has a help text."""
    result = CliRunner().invoke(main, [*path.split(), "--help"])

    assert result.exit_code == 0
    assert command.help
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    assert [option.opts for option in options if not option.help] == []


@pytest.mark.parametrize(("path", "command"), all_commands(), ids=lambda value: str(value)[:40])
def test_every_command_has_json(path: str, command: click.Command) -> None:
    """Groups that only hold subcommands are the exception."""
    is_mere_group = isinstance(command, click.Group) and not command.invoke_without_command

    assert is_mere_group or command.hidden or any("--json" in parameter.opts for parameter in command.params)


def test_help_imports_no_heavy_library() -> None:
    """The list of commands needs neither the clients nor pydantic nor rich."""
    script = (
        "import sys; from schedules_pipeline.cli.main import main; "
        "main(['--help'], standalone_mode=False); "
        "print([m for m in ('boto3', 'redis', 'pydantic', 'rich', 'pandas', 'dagster') if m in sys.modules])"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == "[]"


def test_commands_import_no_dagster() -> None:
    """No command needs Dagster, which takes seconds to import."""
    script = (
        "import sys, click; from schedules_pipeline.cli.main import COMMANDS, main; "
        "[main.get_command(click.Context(main), name) for name in COMMANDS]; print('dagster' in sys.modules)"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout == "False\n"


def test_the_console_script_is_installed() -> None:
    """The project installs the command under its name, and it knows its version."""
    result = subprocess.run(
        [f"{sys.prefix}/bin/{PROGRAM}", "--version"], capture_output=True, text=True, check=True
    )

    assert result.stdout.startswith(f"{PROGRAM}, version ")


def test_a_mistyped_command_is_answered_with_the_closest() -> None:
    """An unknown command is a one-line usage error that suggests similar names."""
    result = CliRunner().invoke(main, ["histroy"])

    assert result.exit_code == Ending.USAGE
    assert result.stderr == (
        "error: no such command: 'histroy'; did you mean history? (see `schedules-pipeline --help`)\n"
    )


def test_an_unknown_option_is_a_usage_error_of_one_line() -> None:
    """An option before any command counts too."""
    result = CliRunner().invoke(main, ["--frobnicate"])

    assert result.exit_code == Ending.USAGE
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ConfigurationError("settings: SCHEDULES_COLDSTART_SHARDS: too many"), Ending.MISCONFIGURED),
        (ContentError("not JSON"), Ending.WRONG),
        (InvalidIdentifier("not a pid"), Ending.WRONG),
        (PipelineError("anything else"), Ending.WRONG),
    ],
)
def test_errors_end_in_one_line_and_their_code(
    published: Stage, monkeypatch: pytest.MonkeyPatch, error: PipelineError, ending: Ending
) -> None:
    """Every expected error is one line on standard error, without a traceback."""

    def fail(keys: object) -> None:
        raise error

    monkeypatch.setattr(published.store.schedules, "documents", fail)

    result = published.run("show", KEY)

    assert (result.exit_code, result.stdout, result.stderr) == (ending, "", f"error: {error}\n")


def test_a_service_error_names_the_settings_to_check(
    published: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line has the error and the settings of the service."""

    def fail(keys: object) -> None:
        raise ServiceError("Redis: away")

    monkeypatch.setattr(published.store.schedules, "documents", fail)

    result = published.run("show", KEY)

    assert result.exit_code == Ending.NO_ANSWER
    assert result.stderr.startswith("error: Redis: away (")
    assert "SCHEDULES_REDIS_URL" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_long_usage_error_is_one_line(published: Stage) -> None:
    """A missing argument with choices is reported on a single line."""
    result = published.run("completion")

    assert result.exit_code == Ending.USAGE
    assert "Choose from: bash, zsh, fish (see" in result.stderr


def test_an_error_is_safe_for_a_terminal(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters in an error, which may quote upstream texts, are escaped."""

    def fail(keys: object) -> None:
        raise PipelineError("bad\x1b[31m\nreply")

    monkeypatch.setattr(published.store.schedules, "documents", fail)

    result = published.run("show", KEY)

    assert result.stderr == "error: bad\\x1b[31m\\nreply\n"


def test_a_wrong_setting_ends_as_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting and hides its value."""
    monkeypatch.setenv("SCHEDULES_COLDSTART_SHARDS", "four hundred")

    result = CliRunner().invoke(main, ["status"], obj=Session())

    assert result.exit_code == Ending.MISCONFIGURED
    assert result.stderr.startswith("error: settings: SCHEDULES_COLDSTART_SHARDS: ")
    assert "four hundred" not in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    """The script for each shell calls this program."""
    result = CliRunner().invoke(main, ["completion", shell])

    assert result.exit_code == 0
    assert "_SCHEDULES_PIPELINE_COMPLETE" in result.stdout
    assert PROGRAM in result.stdout


def test_completion_of_an_unknown_shell() -> None:
    """Other shells are a usage error."""
    result = CliRunner().invoke(main, ["completion", "csh"])

    assert result.exit_code == Ending.USAGE


@pytest.mark.parametrize(
    ("words", "expected"),
    [("schedules-pipeline hi", "history"), ("schedules-pipeline dead-letters re", "replay")],
)
def test_completion_completes(words: str, expected: str) -> None:
    """Commands and subcommands are completed."""
    asked: dict[str, Any] = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}

    result = subprocess.run(
        [f"{sys.prefix}/bin/{PROGRAM}"],
        env={"_SCHEDULES_PIPELINE_COMPLETE": "bash_complete", **asked},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.splitlines() == [f"plain,{expected}"]
