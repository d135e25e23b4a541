"""The runbook has a page for every alarm: its meaning, what to check, what to do, and when it clears."""

import re
from pathlib import Path

import pytest

from schedules_pipeline.cli.main import COMMANDS, PROGRAM
from schedules_pipeline.health.condition import KINDS, ConditionName

_REPOSITORY = Path(__file__).parent.parent
_RUNBOOK = _REPOSITORY / "docs/runbook.md"
_ALERT_RULES = _REPOSITORY / "deploy/prometheus/alerts.yml"

_PARTS = ["Meaning.", "Check.", "Action.", "Clears."]
_GENERAL = {
    "first-checks",
    "how-alarms-come",
    "metrics-incomplete",
    "coldstart",
    "partners-who-complain",
    "restoring-from-nothing",
    "switching-partners",
    "materialising-partitions",
    "switching-sensors-off",
    "dagsters-own-records",
}
_PAGE = re.compile(r"^## (.+)$", re.MULTILINE)
_COMMAND = re.compile(rf"{PROGRAM} ([a-z][a-z-]*)")


def _slug(heading: str) -> str:
    """As GitHub makes it: lower case, punctuation dropped, spaces as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _pages() -> dict[str, str]:
    """The text of each page by the slug of its heading."""
    _, *parts = _PAGE.split(_RUNBOOK.read_text())
    return {_slug(heading): text for heading, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("alarm", ConditionName)
def test_every_alarm_has_a_page(alarm: ConditionName) -> None:
    """The page of an alarm has all parts, in order, and none is empty."""
    assert alarm in _pages(), f"docs/runbook.md has no page `## {alarm}`"
    text = _pages()[alarm]

    headed = re.findall(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|\Z)", text, re.MULTILINE | re.DOTALL)

    assert [heading for heading, _ in headed] == _PARTS
    assert all(len(part.split()) > 5 for _, part in headed)


def test_every_page_is_of_an_alarm_or_general() -> None:
    """A page of an alarm that is no more, or of another name, is noticed."""
    assert _pages().keys() == set(ConditionName) | _GENERAL


def test_the_table_at_the_top_lists_every_alarm() -> None:
    """The overview links to each page, in the order of the pages."""
    top = _RUNBOOK.read_text().partition("\n## ")[0]

    listed = re.findall(r"^\| \[([a-z-]+)\]\(#([a-z-]+)\)", top, re.MULTILINE)

    pages = [slug for slug in _pages() if slug in set(ConditionName)]
    assert [name for name, _ in listed] == [anchor for _, anchor in listed] == pages


def test_links_within_the_runbook_lead_to_a_page() -> None:
    """Every link to a heading has one."""
    anchors = set(re.findall(r"\]\(#([^)]+)\)", _RUNBOOK.read_text()))

    assert anchors
    assert anchors <= _pages().keys()


def test_commands_of_the_runbook_exist() -> None:
    """Every command that an operator is told to give is one of those that there are."""
    named = set(_COMMAND.findall(_RUNBOOK.read_text()))

    assert {"status", "rebuild", "coldstart"} <= named
    assert named <= COMMANDS.keys()


def test_remedies_name_commands_that_exist() -> None:
    """What a condition tells an operator to do can be typed."""
    named = {name for kind in KINDS.values() for name in _COMMAND.findall(kind.remedy)}

    assert named
    assert named <= COMMANDS.keys()


def test_alert_rules_lead_to_a_page() -> None:
    """The runbook that an alert rule of Prometheus names has that page."""
    targets = set(re.findall(r"runbook: *(.+)$", _ALERT_RULES.read_text(), re.MULTILINE))

    assert targets == {"docs/runbook.md#{{ $labels.name }}", "docs/runbook.md#metrics-incomplete"}
