"""Every command that a document, a template or a message tells somebody to type is one that the program accepts."""

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_stage import all_commands
from command_lines import CommandLine, command_lines, complaint, documents, every_file_exists, name_of

_REPOSITORY = Path(__file__).parents[2]
_DOCUMENTS = documents()
_TYPED = ("docs/runbook.md", "docs/tutorial.md", "docs/operators/", "schedules_pipeline/health/condition.py")
"""Where an operator finds each command to type, so that none is named without its arguments."""

_VARIABLES = re.compile(r"(?:`|^|\$ )make [a-z]+((?: [A-Z_]+=\S*)+)", re.MULTILINE)
_MODULE = re.compile(r"python -m ([a-z_]+(?:\.[a-z_]+)*)")
_MAKEFILE = (_REPOSITORY / "Makefile").read_text()


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    with every_file_exists():
        yield


def _lines_of(document: Path) -> list[CommandLine]:
    lines = command_lines(document.read_text(), is_program=document.suffix == ".py")
    is_typed = name_of(document).startswith(_TYPED)
    return [replace(line, is_name=False) if is_typed else line for line in lines]


@pytest.mark.parametrize("document", _DOCUMENTS, ids=name_of)
def test_the_program_accepts_every_command_of_a_document(document: Path) -> None:
    """Its own parser reads the whole line: subcommand, options, their values, arguments and their types."""
    complaints = {str(line): complaint(line) for line in _lines_of(document)}

    assert {line: text for line, text in complaints.items() if text} == {}


def test_documents_have_commands_of_every_kind() -> None:
    """The test above finds what it is to check: with and without the program, in templates and in messages."""
    found = {str(line) for document in _DOCUMENTS for line in _lines_of(document)}

    assert len(found) > 2 * len(all_commands())
    assert {
        "schedules-pipeline status",
        "schedules-pipeline partners rotate-key x1",
        "schedules-client sync",
        "schedules-pipeline coldstart --reason Redis was restored --wait",
    } <= found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`schedules-pipeline statsu`", "no such command: 'statsu'"),
        ("`schedules-pipeline partners creat x`", "No such command 'creat'"),
        ("`partners creat x`", "No such command 'creat'"),
        ("```\n$ schedules-pipeline status --wacth\n```", "No such option '--wacth'"),
        (
            "```\n. .run/environment; .venv/bin/schedules-pipeline partners create\n```",
            "Missing argument 'NAME'",
        ),
        ("```\nschedules-pipeline partners\n```", "a group without a subcommand"),
        ("`partners change <name> --preview`", "requires an argument"),
        ("`schedules-pipeline quarantine show alder`", "not a schedule key: 'alder'"),
        ("`schedules-pipeline why alder`", "give a date as well"),
        ("`schedules-client fetch`", "invalid choice: 'fetch'"),
        ("Command: [schedules-pipeline, statsu]", "no such command: 'statsu'"),
        ("docker compose run --rm cli statsu", "no such command: 'statsu'"),
    ],
)
def test_a_wrong_command_is_found(text: str, expected: str) -> None:
    """In running text, in a fence, in a template, and without the name of the program."""
    (line,) = set(command_lines(text))

    assert expected in complaint(line)


@pytest.mark.parametrize(
    "text",
    [
        "`schedules-pipeline partners create`",
        "`schedules-pipeline show --at`",
        "`partners list`",
        "```\nschedules-pipeline show SID DATE | head\n```",
        "```\n$ schedules-pipeline import history.jsonl.gz --speed 600   # ten minutes in a second\n```",
        "`schedules-pipeline …`",
        "`import json`",
    ],
)
def test_a_name_of_a_command_is_no_wrong_command(text: str) -> None:
    """Running text names a command or one of its options without arguments."""
    assert [complaint(line) for line in command_lines(text) if complaint(line)] == []


@pytest.mark.parametrize("document", [d for d in _DOCUMENTS if d.suffix == ".md"], ids=name_of)
def test_variables_of_make_and_modules_exist(document: Path) -> None:
    """What a document gives to `make` and to `python -m` is there."""
    text = document.read_text()
    variables = {word.partition("=")[0] for given in _VARIABLES.findall(text) for word in given.split()}

    assert [
        name for name in variables if f"$({name})" not in _MAKEFILE and f"{name} ?=" not in _MAKEFILE
    ] == []
    assert [name for name in _MODULE.findall(text) if importlib.util.find_spec(name) is None] == []
