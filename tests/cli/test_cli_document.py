"""The reference of the command line documents exactly the existing commands and options."""

import re
from pathlib import Path

import click
import pytest
from cli_stage import all_commands

_REPOSITORY = Path(__file__).parents[2]
_DOCUMENT = _REPOSITORY / "docs/reference/cli.md"
_HEADING = re.compile(r"^### ([a-z -]+)$", re.MULTILINE)
_OPTION = re.compile(r"--[a-z][a-z-]*")
_SHARED = {"--help"}
_COMMANDS = all_commands()


def _sections() -> dict[str, str]:
    """The text under each command's heading."""
    _, *parts = _HEADING.split(_DOCUMENT.read_text())
    bodies = [part.partition("\n## ")[0] for part in parts[1::2]]
    return dict(zip(parts[::2], bodies, strict=True))


def test_every_command_has_its_section() -> None:
    """There is exactly one section for each command and subcommand."""
    paths = {path for path, _ in _COMMANDS}

    assert paths <= _sections().keys(), "docs/reference/cli.md lacks the section `### <command>` of these"
    assert _sections().keys() <= paths, "docs/reference/cli.md has sections of commands that do not exist"


@pytest.mark.parametrize(("path", "command"), _COMMANDS, ids=[path for path, _ in _COMMANDS])
def test_every_option_is_documented(path: str, command: click.Command) -> None:
    """A command's section names all its options."""
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")}

    named = set(_OPTION.findall(_sections().get(path, "")))

    assert options - _SHARED <= named, f"docs/reference/cli.md: the section `### {path}` lacks options"


@pytest.mark.parametrize(("path", "command"), _COMMANDS, ids=[path for path, _ in _COMMANDS])
def test_no_other_option_is_documented(path: str, command: click.Command) -> None:
    """A command's section names only its own options."""
    options = {o for p in command.params for o in p.opts}

    named = set(_OPTION.findall(_sections().get(path, "")))

    assert named <= options | _SHARED
