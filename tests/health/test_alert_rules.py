"""The alert rules are parsed in every run, and checked and tested by Prometheus' own tool if it is installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from expressions import misnamed, read, series_labels

from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.facts import DIFFERED

_REPOSITORY = Path(__file__).parents[2]
_DIRECTORY = _REPOSITORY / "deploy/prometheus"
_RUNBOOK = (_REPOSITORY / "docs/runbook.md").read_text()
_LABEL_USED = re.compile(r"\$labels\.(\w+)")
_LABEL_ROW = re.compile(r"^\| `(\w+)`[^|]*\| (.+) \|$", re.MULTILINE)

# What only a metric tells: that the metrics themselves are not there.
_PAGES = {name.value for name in ConditionName} | {"metrics-incomplete"}


def _read(name: str) -> Any:
    return yaml.safe_load((_DIRECTORY / name).read_text())


_RULES: list[dict[str, Any]] = [rule for group in _read("alerts.yml")["groups"] for rule in group["rules"]]


def test_there_is_a_rule_for_every_condition() -> None:
    """Every alarm that metrics can show has a rule."""
    pages = {rule["annotations"]["runbook"].partition("#")[2] for rule in _RULES}

    assert pages == {
        *("publisher-missing", "backlog-growing", "schedules-late", "schedules-quarantined"),
        *("dead-letters", "queue-not-drained", "input-rejected", "differs-from-the-old-system"),
        *("collection-missed", "reconciliation-missed", "reconciliation-found-differences", "pass-failed"),
        *("coldstart-stalled", "subscriptions-quarantined", "delivery-silent", "metrics-incomplete"),
    }
    assert pages <= _PAGES


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_rules_name_what_the_collector_shows(rule: dict[str, Any]) -> None:
    """The expression is valid, and every metric and label in it is registered."""
    assert misnamed(rule["expr"]) == []


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_rules_select_documented_values(rule: dict[str, Any]) -> None:
    """A label is compared with values that the reference of metrics lists."""
    text = (_REPOSITORY / "docs/reference/metrics.md").read_text()
    known: dict[str, set[str]] = {"count": {DIFFERED}, "job": {"schedules"}}
    for label, values in _LABEL_ROW.findall(text[text.index("## Labels") :]):
        known.setdefault(label, set()).update(re.findall(r"`([^`]+)`", values))

    unknown = [
        (label, value)
        for _, selected in read(rule["expr"]).series
        for label, values in selected
        for value in values
        if value not in known[label]
    ]

    assert not unknown


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_rules_say_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """Each rule has a severity, a sentence, and an existing page of the runbook."""
    page = rule["annotations"]["runbook"]

    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {severity.value for severity in Severity}
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert rule["annotations"]["summary"].endswith(".")
    assert page.startswith("docs/runbook.md#")
    assert re.search(rf"^#+ {re.escape(page.partition('#')[2])}$", _RUNBOOK, re.MULTILINE)


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_sentences_use_labels_that_the_rule_selects(rule: dict[str, Any]) -> None:
    """Every label in the sentence is a label of the series in the expression."""
    names = {name for name, _ in read(rule["expr"]).series}

    used = set(_LABEL_USED.findall(rule["annotations"]["summary"]))

    assert used <= {label for name in names for label in series_labels()[name]}


def test_names_of_rules_are_unique() -> None:
    """No two rules share a name, and every name has the prefix of the project."""
    names = [rule["alert"] for rule in _RULES]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"Schedules[A-Za-z]+", name) for name in names)


def test_every_rule_is_tested() -> None:
    """Each rule fires in the tests for Prometheus' own tool."""
    text = (_DIRECTORY / "alerts_test.yml").read_text()

    untested = [rule["alert"] for rule in _RULES if not re.search(rf"\b{rule['alert']}\b", text)]

    assert not untested


def test_the_example_of_a_scrape_reads_the_rules() -> None:
    """It loads the file of rules, under the job name that a rule expects."""
    configuration = _read("prometheus.yml")

    assert configuration["rule_files"] == ["alerts.yml"]
    assert [job["job_name"] for job in configuration["scrape_configs"]] == ["schedules"]


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_own_tool_agrees(command: tuple[str, ...]) -> None:
    """Promtool accepts the rules, their tests, and the example of a scrape."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(
            "promtool is not on the path: it comes with Prometheus, and is in no package index of Python"
        )

    done = subprocess.run([promtool, *command], cwd=_DIRECTORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
