"""The document of the command line has every command and every option, and no other."""

import re
from pathlib import Path

import click
import pytest
from cli_stage import all_commands

_DOCUMENT = Path(__file__).parents[2] / "docs/cli.md"
_HEADING = re.compile(r"^### ([a-z -]+)$", re.MULTILINE)
_OPTION = re.compile(r"--[a-z][a-z-]*")
_SHARED = {"--help"}
_COMMANDS = all_commands()


def _sections() -> dict[str, str]:
    """What stands under the heading of each command."""
    _, *parts = _HEADING.split(_DOCUMENT.read_text())
    bodies = [part.partition("\n## ")[0] for part in parts[1::2]]
    return dict(zip(parts[::2], bodies, strict=True))


def test_every_command_has_its_section() -> None:
    """Every command, those of groups included, has a section under its name, and no section is of another."""
    assert sorted(_sections()) == sorted(path for path, _ in _COMMANDS)


@pytest.mark.parametrize(("path", "command"), _COMMANDS, ids=[path for path, _ in _COMMANDS])
def test_every_option_is_documented(path: str, command: click.Command) -> None:
    """The section of a command names every option of it."""
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")}

    named = set(_OPTION.findall(_sections()[path]))

    assert options - _SHARED <= named


@pytest.mark.parametrize(("path", "command"), _COMMANDS, ids=[path for path, _ in _COMMANDS])
def test_no_other_option_is_documented(path: str, command: click.Command) -> None:
    """Whatever a section names as an option is one of the command's."""
    options = {o for p in command.params for o in p.opts}

    named = set(_OPTION.findall(_sections()[path]))

    assert named <= options | _SHARED


def test_examples_are_of_commands_that_there_are() -> None:
    """Every example calls a command that there is."""
    called = re.findall(r"^\$ schedules-pipeline ([a-z-]+)", _DOCUMENT.read_text(), re.MULTILINE)

    assert called
    assert set(called) <= {path for path, _ in _COMMANDS}
