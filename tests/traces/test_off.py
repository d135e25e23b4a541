"""Traces are off by default, and cost nothing then."""

import re
import sys
from pathlib import Path

import pytest

import schedules_pipeline
from schedules_pipeline import tracing
from schedules_pipeline.errors import ConfigurationError

_IMPORT = re.compile(
    r"^\s*(from|import) (opentelemetry|schedules_pipeline\.opentelemetry_spans)\b", re.MULTILINE
)


def test_opentelemetry_is_imported_in_one_place() -> None:
    """One module sends spans with it, and one function imports that module, while it switches traces on."""
    package = Path(schedules_pipeline.__file__).parent
    found = {path.name for path in package.rglob("*.py") if _IMPORT.search(path.read_text())}

    assert found == {"opentelemetry_spans.py", "tracing.py"}
    assert not re.search(
        r"^(from|import) .*opentelemetry", (package / "tracing.py").read_text(), re.MULTILINE
    )


def test_traces_are_off_unless_they_are_switched_on() -> None:
    """A process that is configured without them has no sender."""
    tracing.configure_traces("publisher", is_on=False)

    assert not tracing.is_on()


def test_without_the_extra_the_process_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched on without its packages, a process stops at its start."""
    monkeypatch.setitem(sys.modules, "schedules_pipeline.opentelemetry_spans", None)

    with pytest.raises(ConfigurationError, match="extra `traces`"):
        tracing.configure_traces("publisher", is_on=True)
