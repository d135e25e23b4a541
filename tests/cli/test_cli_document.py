"""The reference of the command line documents exactly the existing commands and options."""

import re
from pathlib import Path

import click
import pytest
from cli_stage import all_commands

_REPOSITORY = Path(__file__).parents[2]
_DOCUMENT = _REPOSITORY / "docs/reference/cli.md"
_DOCUMENTS = sorted([*_REPOSITORY.glob("*.md"), *_REPOSITORY.glob("docs/**/*.md")])
_HEADING = re.compile(r"^### ([a-z -]+)$", re.MULTILINE)
_OPTION = re.compile(r"--[a-z][a-z-]*")
_CALL = re.compile(r"schedules-pipeline ((?:[^`\n|;)\"]|\"[^\"\n]*\")*)")
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


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_exist(document: Path) -> None:
    """Every call in a document is of an existing command, with existing options."""
    wrong = [line for line in _CALL.findall(document.read_text()) if not _is_command(line.split())]

    assert wrong == []


def test_documents_name_commands() -> None:
    """The test above finds calls to check."""
    called = [call for document in _DOCUMENTS for call in _CALL.findall(document.read_text())]

    assert len(called) > len(_COMMANDS)


def _is_command(words: list[str]) -> bool:
    """Whether the words begin with a command or subcommand, and all options belong to it."""
    commands = dict(_COMMANDS)
    path = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0] if words else ""
    if not words or path not in commands:
        return not words or words[0].startswith(("-", "…"))
    options = {o for p in commands[path].params for o in p.opts} | _SHARED
    return all(word in options for word in words if word.startswith("-"))


def test_examples_call_existing_commands() -> None:
    """Every example starts with an existing command."""
    called = re.findall(r"^\$ schedules-pipeline ([a-z-]+)", _DOCUMENT.read_text(), re.MULTILINE)

    assert called
    assert set(called) <= {path for path, _ in _COMMANDS}
