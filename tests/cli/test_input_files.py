"""A file that a command or the demonstration cannot use is one line, and nothing is written."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_stage import Stage

from demo.command_line import main as demo
from demo.replay.__main__ import main as replay

_WRONG_USAGE, _FAULT = 2, 1
_COMMANDS = {
    "import": ["import", "--into-sources-elsewhere"],
    "import-xmltv": ["import-xmltv", "{output}"],
    "state import": ["state", "import"],
    "partners import": ["partners", "import"],
    "cost": ["cost", "--services", "1", "--days", "1", "--prices"],
}
_UNREADABLE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
}
_UNUSABLE: dict[str, Callable[[Path], object]] = {
    "empty": Path.touch,
    "no text": lambda path: path.write_bytes(b"\xff\xfe\xff" * 20),
    "another text": lambda path: path.write_text("schedules\n"),
    "nested": lambda path: path.write_text("[" * 200_000),
    "a part of a gzip file": lambda path: path.write_bytes(gzip.compress(os.urandom(200))[:-20]),
    "a gzip file of nothing": lambda path: path.write_bytes(gzip.compress(b"")),
}


def _words(command: str, file: Path, output: Path) -> list[str]:
    words = [word for word in _COMMANDS[command] if word != "{output}"]
    return [*words, str(file), *[str(output)] * ("{output}" in _COMMANDS[command])]


def _assert_rejected(stage: Stage, command: str, path: Path, code: int) -> None:
    output = path.with_name("output")
    output.write_bytes(b"precious")
    words = [*_words(command, path, output), *["--overwrite"] * (command == "import-xmltv")]

    result = stage.run(*words)

    assert result.exit_code == code, result.output
    (error,) = (line for line in result.stderr.splitlines() if not line.startswith("DeprecationWarning: "))
    assert error.startswith("error: ")
    assert str(path) in error
    assert output.read_bytes() == b"precious"
    assert stage.store.partners.all() == []


@pytest.mark.parametrize("what", _UNREADABLE)
@pytest.mark.parametrize("command", _COMMANDS)
def test_what_is_no_readable_file_is_wrong_usage(
    stage: Stage, tmp_path: Path, command: str, what: str
) -> None:
    """The command names it, ends with 2, and does not wait for a pipe."""
    path = tmp_path / "input"
    _UNREADABLE[what](path)

    _assert_rejected(stage, command, path, _WRONG_USAGE)


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_file_that_the_operator_may_not_read_is_wrong_usage(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The same as for a missing one."""
    path = tmp_path / "input"
    path.touch()
    monkeypatch.setattr("os.access", lambda *_: False)

    _assert_rejected(stage, command, path, _WRONG_USAGE)


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_disk_that_fails_while_it_is_read_is_wrong_usage(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The line has the system's reason."""
    path = tmp_path / "input"
    path.touch()
    real_open = open

    def fail(name: object, *args: object, **options: object) -> object:
        if str(name) == str(path):
            raise OSError(5, "Input/output error")
        return real_open(name, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", fail)
    monkeypatch.setattr("io.open", fail)

    _assert_rejected(stage, command, path, _WRONG_USAGE)


@pytest.mark.parametrize("what", _UNUSABLE)
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_file_of_another_kind_is_a_fault(stage: Stage, tmp_path: Path, command: str, what: str) -> None:
    """The command names it and ends with 1, whatever is in it."""
    path = tmp_path / "input"
    _UNUSABLE[what](path)

    _assert_rejected(stage, command, path, _FAULT)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where the demonstration's input goes. It must end before it starts a server."""
    yield tmp_path / "input"
    assert [each.name for each in tmp_path.iterdir()] in ([], ["input"])


def _demonstration(words: list[str]) -> int:
    return demo([*words, "--directory", os.devnull])


_PROGRAMS = [(replay, []), (_demonstration, ["--replay"]), (_demonstration, ["--xmltv"])]


@pytest.mark.parametrize("what", _UNREADABLE)
@pytest.mark.parametrize(("program", "option"), _PROGRAMS)
def test_the_demonstration_rejects_what_is_no_readable_file(
    path: Path, capsys: pytest.CaptureFixture[str], program: Callable[..., int], option: list[str], what: str
) -> None:
    """As an argument that is wrong."""
    _UNREADABLE[what](path)

    with pytest.raises(SystemExit) as ended:
        program([*option, str(path)])

    assert ended.value.code == _WRONG_USAGE
    assert str(path) in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("what", _UNUSABLE)
@pytest.mark.parametrize(("program", "option"), _PROGRAMS)
def test_the_demonstration_rejects_a_file_of_another_kind(
    path: Path, capsys: pytest.CaptureFixture[str], program: Callable[..., int], option: list[str], what: str
) -> None:
    """One line names it, before any server starts."""
    _UNUSABLE[what](path)

    code = program([*option, str(path)])

    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (_FAULT, 1)
    assert str(path) in error
