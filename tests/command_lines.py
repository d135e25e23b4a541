"""Finds command lines in documents, templates and messages, and has the programs' own parsers read them."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from schedules_client.cli import _parser as client_parser

from schedules_pipeline.cli.arguments import INPUT_FILE, take_key
from schedules_pipeline.cli.main import COMMANDS, PROGRAM, main

CLIENT = "schedules-client"
_REPOSITORY = Path(__file__).parents[1]
_FOLDERS = ("docs", "deploy", "clients", "schedules_pipeline", "demo", "tests/schemas")
_ENDINGS = (".md", ".yaml", ".yml", ".json", ".sh", ".env.example", ".py", ".html", ".conf", ".acl")
_HISTORIC = {"CHANGELOG.md"}

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_WORD = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s`|;&\"')]+)+"
_CALL = re.compile(rf"(?:^|[\s`\"'(/])({PROGRAM}|{CLIENT})((?:[ \t]+{_WORD})*)", re.MULTILINE)
_IN_CONTAINER = re.compile(rf"run --rm cli((?:[ \t]+{_WORD})*)")
_LIST = re.compile(rf"\[{PROGRAM}, ([^\]]*)\]")
_EXAMPLES = {
    "SID/DATE": "alder_one_north/2026-03-28",
    "<sid>/<date>": "alder_one_north/2026-03-28",
    "SID": "alder_one_north",
    "<sid>": "alder_one_north",
    "DATE": "2026-03-28",
    "<date>": "2026-03-28",
    "$today": "2026-03-28",
    "YES|NO": "yes",
    "NAME": "willow-guides",
}
_PLACEHOLDER = re.compile(r"<[a-z ]+>|\$\w+|\{[^{}]*\}|…")
_FILLER = "x1"
_NO_COMMANDS = {"rejected messages evicted", "rejected items evicted"}
"""Names of counters, which begin as commands do."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """``words``: without the program. ``is_name``: in running text, where a command may be named without arguments."""

    program: str
    words: tuple[str, ...]
    is_name: bool

    def __str__(self) -> str:
        return " ".join((self.program, *self.words))


def documents() -> list[Path]:
    """Everything that tells somebody to type a command, also the messages in the program's own text."""
    found = [*_REPOSITORY.glob("*.md"), _REPOSITORY / "Makefile"]
    for folder in _FOLDERS:
        found += [path for path in (_REPOSITORY / folder).rglob("*") if path.name.endswith(_ENDINGS)]
    return sorted(path for path in found if path.name not in _HISTORIC)


def name_of(path: Path) -> str:
    return str(path.relative_to(_REPOSITORY))


def command_lines(text: str, *, is_program: bool = False) -> Iterator[CommandLine]:
    """In fences, in running text, and as ``partners list`` without the program's name, which running text leaves out.

    In the text of a program a message may break off in the middle of a command, and continue in the next string.
    """
    if is_program:
        text = re.sub(r"\"\s*\n\s*f?\"", "", text)
    fences = _FENCE.findall(text)
    prose = _FENCE.sub("", text)
    for fence in fences:
        yield from _calls(fence, is_name=False)
    yield from _calls(prose, is_name=True)
    for code in () if is_program else sorted({*_CODE.findall(prose)} - _NO_COMMANDS):
        first, _, rest = code.partition(" ")
        if first in COMMANDS and rest and _is_call(first, rest):
            yield CommandLine(PROGRAM, _words(code), is_name=True)


def _is_call(first: str, rest: str) -> bool:
    """Rather than another language's words, such as ``import json``."""
    return rest.startswith("-") or isinstance(main.get_command(click.Context(main), first), click.Group)


def _calls(text: str, *, is_name: bool) -> Iterator[CommandLine]:
    for program, rest in _CALL.findall(text):
        yield CommandLine(program, _words(rest), is_name)
    for rest in [*_IN_CONTAINER.findall(text), *_LIST.findall(text)]:
        yield CommandLine(PROGRAM, _words(rest.replace(",", " ")), is_name=False)


def _words(text: str) -> tuple[str, ...]:
    text = text.partition(" #")[0]
    for placeholder, example in _EXAMPLES.items():
        text = re.sub(rf"(?<!\w){re.escape(placeholder)}(?!\w)", example, text)
    words = shlex.split(re.sub(r"[\[\]]|\.\.\.", "", _PLACEHOLDER.sub(_FILLER, text)))
    return tuple(word.rstrip(",.:") for word in words if word.rstrip(",.:"))


def complaint(line: CommandLine) -> str:
    """What the program's parser says about the line; "" if it accepts it."""
    if line.words[:1] in ((), (_FILLER,)):
        return ""
    return _of_client(line) if line.program == CLIENT else _of_pipeline(line)


def _of_client(line: CommandLine) -> str:
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written), contextlib.redirect_stdout(io.StringIO()):
            client_parser().parse_args(line.words)
    except SystemExit as ended:
        return written.getvalue().splitlines()[-1] if ended.code else ""
    return ""


def _of_pipeline(line: CommandLine) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return _parse(line)
    except click.exceptions.Exit:
        return ""
    except click.exceptions.NoArgsIsHelpError:
        return "a group without a subcommand"
    except click.ClickException as error:
        return error.format_message()


def _parse(line: CommandLine) -> str:
    """Raises click's errors. Running text may name a command, or one of its options, without what belongs behind it."""
    command: click.Command = main
    context = main.make_context(PROGRAM, list(line.words))
    while isinstance(command, click.Group):
        left = [*context._protected_args, *context.args]
        if not left:
            is_complete = command.invoke_without_command or line.is_name
            return "" if is_complete else "a group without a subcommand"
        if left[0] == _FILLER:
            return ""
        name, command, left = command.resolve_command(context, left)  # type: ignore[assignment]
        options = {option for parameter in command.params for option in parameter.opts}
        if line.is_name and (not left or (len(left) == 1 and left[0] in options)):
            return ""
        context = command.make_context(name, left, parent=context)
    if "words" in context.params and not {_FILLER, "deps"} & {*line.words}:
        take_key(context.params["words"])
    return ""


@contextlib.contextmanager
def every_file_exists() -> Iterator[None]:
    """Files that an example names are not there when it is parsed."""
    kind = type(INPUT_FILE)
    convert = kind.convert
    kind.convert = lambda _self, value, *_: Path(value)  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.convert = convert  # type: ignore[method-assign]
