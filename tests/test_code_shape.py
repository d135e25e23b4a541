"""Functions and modules stay short enough to read, and every room says what belongs in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parent.parent
_MOST_ARGUMENTS = 7
_MOST_FUNCTION_LINES = 40
_MOST_MODULE_LINES = 400
_PRODUCT = ("schedules_pipeline", "demo", "benchmarks", "deploy", "docs", "clients")
_EVERYTHING = (*_PRODUCT, "tests")

# Exceptions, which may only become fewer.
_MANY_ARGUMENTS: set[str] = set()
_LONG_FUNCTIONS = {
    "tests/documents/test_catalogue_schedule.py:test_document_is_exactly_so",
    "tests/documents/test_xmltv.py:test_a_guide_has_these_bytes",
}
_LONG_MODULES: set[str] = set()

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _modules(folders: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((_REPOSITORY / folder).rglob("*.py")):
            yield path.relative_to(_REPOSITORY).as_posix(), path


def _functions(folders: tuple[str, ...]) -> Iterator[tuple[str, _Function]]:
    for name, path in _modules(folders):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, _Function):
                yield f"{name}:{node.name}", node


def _argument_count(function: _Function) -> int:
    """How many arguments a caller may pass, ``self`` and ``cls`` excepted."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _line_count(function: _Function) -> int:
    """From ``def`` to the last line; decorators are not counted, the docstring is."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _rooms() -> list[Path]:
    return sorted(path.parent for path in (_REPOSITORY / "schedules_pipeline").rglob("__init__.py"))


def test_functions_take_at_most_seven_arguments() -> None:
    """A function that needs more takes a value that holds them."""
    found = {name for name, node in _functions(_PRODUCT) if _argument_count(node) > _MOST_ARGUMENTS}

    assert found <= _MANY_ARGUMENTS


def test_functions_have_at_most_forty_lines() -> None:
    """A longer function does more than one thing; tests are held to the same length."""
    found = {name for name, node in _functions(_EVERYTHING) if _line_count(node) > _MOST_FUNCTION_LINES}

    assert found <= _LONG_FUNCTIONS


def test_modules_have_at_most_four_hundred_lines() -> None:
    """A longer module is split by what its parts are about."""
    found = {
        name
        for name, path in _modules(_EVERYTHING)
        if len(path.read_text().splitlines()) > _MOST_MODULE_LINES
    }

    assert found <= _LONG_MODULES


@pytest.mark.parametrize("room", _rooms(), ids=lambda room: room.name)
def test_each_room_says_what_belongs_in_it(room: Path) -> None:
    """The docstring of a package tells a newcomer where a change goes."""
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))

    assert docstring
