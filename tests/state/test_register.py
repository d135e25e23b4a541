"""What an export holds, against the register of keys: a new key needs a verdict."""

import inspect
import re
from pathlib import Path

from schedules_pipeline.store.keys import Keys

_DOCUMENT = Path(__file__).parents[2] / "docs/reference/keys.md"
_HEADING = "## What an export has of each key"
_VERDICTS = {"derived", "temporary", "exported", "lost"}


def _registered() -> set[str]:
    """Every key of ``store/keys.py``: methods for one schedule or item, and the names in the docstrings of others."""
    found = set()
    for name, method in inspect.getmembers(Keys, inspect.isfunction):
        text = inspect.getdoc(method) or ""
        if name.startswith("_"):
            continue
        if list(inspect.signature(method).parameters) != ["self", "name"]:
            made = method(Keys("ks"), "x", *([1] if "seq" in inspect.signature(method).parameters else []))
            found.add(made.split(":")[1])
            continue
        tag = re.search(r"{\w+}", method(Keys("ks"), "x"))
        assert tag is not None
        names = re.findall(r"``([^`]+)``", re.sub(r"\([^)]*\)|group ``\w+``|``sid/date[^`]*``", "", text))
        found |= {f"{tag[0]}:{each}" for each in names}
    return found


def _verdicts() -> dict[str, str]:
    section = _DOCUMENT.read_text().partition(_HEADING)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \| (\w+)", section, re.MULTILINE)
    return {key: verdict for keys, verdict in rows for key in re.findall(r"`([^`]+)`", keys)}


def test_every_key_has_a_verdict() -> None:
    """Derived, temporary, exported or lost: whoever adds a key says what becomes of it when Redis is lost."""
    verdicts = _verdicts()

    assert verdicts.keys() == _registered()
    assert set(verdicts.values()) == _VERDICTS


def test_documented_keys_have_a_verdict() -> None:
    """Each key in a table of the document, by its name without the keyspace."""
    text = _DOCUMENT.read_text().partition(_HEADING)[0]
    documented = re.findall(r"^\| `<ks>:({\w+}:[^`]+)`", text, re.MULTILINE)

    assert documented
    assert set(documented) - {each for each in documented if each.endswith("<date>")} <= _verdicts().keys()
