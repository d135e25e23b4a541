"""The documents match the code: settings, keys, scripts, commands of make, links and paths."""

import re
from datetime import date
from pathlib import Path

import pytest

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.settings import Settings
from schedules_pipeline.store.keys import Keys

_REPOSITORY = Path(__file__).parent.parent
_DOCUMENTS = sorted(
    [*_REPOSITORY.glob("*.md"), *_REPOSITORY.glob("docs/**/*.md"), *_REPOSITORY.glob("deploy/*.md")]
)
_SCRIPTS = sorted((_REPOSITORY / "schedules_pipeline/store/scripts").glob("*.lua"))

_ROW_OF_A_SETTING = re.compile(r"^\| `SCHEDULES_(\w+)` \| [^|]+ \| [^|]* \| (.+) \|$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_NAME_IN_A_DOCSTRING = re.compile(r"``(\w+)``")
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
_CALL_OF_MAKE = re.compile(r"\bmake +([a-z]+)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(
    r"`((?:schedules_pipeline|tests|benchmarks|docs|requirements)/[\w./-]*"
    r"|[\w-]+\.(?:md|toml|yaml)|Makefile)`"
)
_NUMBERED = re.compile(r"(?: {2}|^)(\d+)(?=\.{3} | )", re.MULTILINE)

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_PID = Pid("b00000001")


def _name(path: Path) -> str:
    return path.relative_to(_REPOSITORY).as_posix()


# Settings


def test_every_setting_is_documented_once() -> None:
    """The page has one row for each setting, with its default and its meaning."""
    rows = _ROW_OF_A_SETTING.findall((_REPOSITORY / "docs/reference/settings.md").read_text())

    assert [(name.lower(), meaning) for name, meaning in rows] == [
        (name, field.description) for name, field in Settings.model_fields.items()
    ]


# Redis


@pytest.mark.parametrize(
    "key", ["state", "document", "outbox", "history", "copy", "version_token", "dependants"]
)
def test_every_key_of_a_thing_is_documented(key: str) -> None:
    """The document of keys spells the key as the register does, with names for the variable parts."""
    of = _PID if key in ("copy", "version_token", "dependants") else _KEY

    spelt = getattr(Keys("<ks>"), key)(of).replace(str(_KEY), "sid/date").replace(_PID, "pid")

    assert f"| `{spelt}` |" in _keys_document()


def test_the_key_of_a_version_is_documented() -> None:
    """The key of a version ends in its number."""
    spelt = Keys("<ks>").version(_KEY, 7).replace(str(_KEY), "sid/date").replace(":7", ":<seq>")

    assert f"| `{spelt}` |" in _keys_document()


@pytest.mark.parametrize("group", ["work", "feed", "coldstart", "alarms", "journal", "delivery"])
def test_every_key_of_a_group_is_documented(group: str) -> None:
    """The document of keys has every name in the group's docstring."""
    names = _NAME_IN_A_DOCSTRING.findall(getattr(Keys, group).__doc__)

    lacking = [
        name
        for name in names
        if f"| `{getattr(Keys('<ks>'), group)(name)}` |" not in _keys_document()
        and f"the consumer group `{name}`" not in _keys_document()
    ]

    assert names
    assert not lacking


def test_the_register_has_no_other_keys() -> None:
    """The tests above cover every method of the register."""
    methods = {name for name in vars(Keys) if not name.startswith("_")} - {"keyspace"}

    assert methods == {
        *("state", "document", "outbox", "history", "version", "versions"),
        *("copy", "version_token", "dependants"),
        *("work", "feed", "coldstart", "losses", "alarms", "journal", "delivery"),
    }


def test_every_script_is_documented() -> None:
    """The document of keys names every script."""
    unnamed = [script.name for script in _SCRIPTS if f"`{script.name}`" not in _keys_document()]

    assert _SCRIPTS
    assert not unnamed


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.stem)
def test_headers_of_scripts_list_keys_and_arguments(script: Path) -> None:
    """The header numbers exactly the keys and arguments of the body, and mentions a list if the body reads one."""
    header, body = _split(script.read_text())
    keys, arguments = _sections(header)

    listed_keys, listed_arguments = (set(map(int, _NUMBERED.findall(part))) for part in (keys, arguments))

    assert listed_keys == _used("KEYS", body)
    assert listed_arguments >= _used("ARGV", body)
    assert bool(arguments) == ("ARGV" in body)
    assert _mentions_a_list(arguments) == _reads_a_list(body)


def _keys_document() -> str:
    return (_REPOSITORY / "docs/reference/keys.md").read_text()


def _split(source: str) -> tuple[str, str]:
    """The comment at the top, without its dashes, and the rest without comments."""
    lines = source.splitlines()
    length = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    header = "\n".join(line.removeprefix("--") for line in lines[:length])
    return header, "\n".join(line.partition("--")[0] for line in lines[length:])


def _sections(header: str) -> tuple[str, str]:
    """The header's parts about keys and about arguments; "" for a missing part."""
    _, _, rest = header.partition("\n KEYS")
    keys, _, arguments = rest.partition("\n ARGV")
    return keys, arguments


def _used(array: str, body: str) -> set[int]:
    """The numbers in the body, named one by one or by a loop."""
    loops = re.findall(rf"for (\w+) = (\d+), (\d+) do .*{array}\[\1\]", body)
    by_loop = {number for _, first, last in loops for number in range(int(first), int(last) + 1)}
    return by_loop | {int(number) for number in re.findall(rf"{array}\[(\d+)\]", body)}


def _mentions_a_list(arguments: str) -> bool:
    return "..." in arguments or "triples" in arguments


def _reads_a_list(body: str) -> bool:
    return bool(re.search(r"ARGV\[[a-z]|unpack\(ARGV", body))


# Paths, links, and commands


def test_there_are_documents() -> None:
    """The documents that the README promises exist."""
    names = {_name(path) for path in _DOCUMENTS}

    assert {
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/reference/keys.md",
        "docs/runbook.md",
    } <= names


@pytest.mark.parametrize("document", _DOCUMENTS, ids=_name)
def test_commands_of_make_exist(document: Path) -> None:
    """Every `make` command in a document is a target of the Makefile."""
    targets = set(_TARGET.findall((_REPOSITORY / "Makefile").read_text()))

    asked_for = {
        target for code in _CODE.findall(document.read_text()) for target in _CALL_OF_MAKE.findall(code)
    }

    assert asked_for <= targets


def test_the_readme_shows_how_to_run_and_to_test() -> None:
    """The README shows the two commands."""
    text = (_REPOSITORY / "README.md").read_text()

    shown = {target for code in _CODE.findall(text) for target in _CALL_OF_MAKE.findall(code)}

    assert {"run", "test"} <= shown


@pytest.mark.parametrize("document", _DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document leads to an existing file or folder."""
    targets = [link.partition("#")[0] for link in _LINK.findall(document.read_text()) if "://" not in link]

    dead = [target for target in targets if target and not (document.parent / target).exists()]

    assert not dead


@pytest.mark.parametrize("document", _DOCUMENTS, ids=_name)
def test_paths_exist(document: Path) -> None:
    """Every path in a document exists, beside the document or at the top."""
    paths = [path for path in _PATH.findall(document.read_text()) if path != "NNNN-title.md"]

    missing = [
        path for path in paths if not any((root / path).exists() for root in (_REPOSITORY, document.parent))
    ]

    assert not missing


def test_the_architecture_names_the_rooms_and_files_that_there_are() -> None:
    """Every room of the package is in its table, except former names, and every module that it names exists."""
    text = (_REPOSITORY / "ARCHITECTURE.md").read_text()
    package = _REPOSITORY / "schedules_pipeline"
    modules = list(package.rglob("*.py"))
    rooms = {
        path.parent.name for path in package.glob("*/__init__.py") if "former name" not in path.read_text()
    }

    named = re.findall(r"`((?:\w+/)*\w+\.py)`", text)

    assert rooms <= set(re.findall(r"`(\w+)`", text))
    assert [name for name in named if not any(path.match(name) for path in modules)] == []


@pytest.mark.parametrize("document", _DOCUMENTS, ids=_name)
def test_scripts_that_are_named_exist(document: Path) -> None:
    """Every script that a document names exists."""
    named = set(re.findall(r"`(\w+\.lua)`", document.read_text()))

    assert named <= {script.name for script in _SCRIPTS}
