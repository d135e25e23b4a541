"""The alert rules are parsed in every run, and checked and tested by Prometheus' own tools if they are installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from expressions import misnamed, read, series_labels

from schedules_pipeline.health.condition import KINDS, ConditionName, Severity

_REPOSITORY = Path(__file__).parents[2]
_DIRECTORY = _REPOSITORY / "deploy/prometheus"
_ALERTMANAGER = _REPOSITORY / "deploy/alertmanager/alertmanager.yml"
_LABEL_USED = re.compile(r"\$labels\.(\w+)")
_LABEL_ROW = re.compile(r"^\| `(\w+)`[^|]*\| (.+) \|$", re.MULTILINE)


def _read(name: str) -> Any:
    return yaml.safe_load((_DIRECTORY / name).read_text())


_RULES: list[dict[str, Any]] = [rule for group in _read("alerts.yml")["groups"] for rule in group["rules"]]


def test_there_is_a_rule_for_every_severity() -> None:
    """And none for a single condition: the name is a label."""
    selected = [
        value
        for rule in _RULES
        for name, labels in read(rule["expr"]).series
        if name == "schedules_condition"
        for label, values in labels
        for value in values
        if label == "severity"
    ]

    assert sorted(selected) == sorted(severity.value for severity in Severity)
    assert not any(f'"{name}"' in rule["expr"] for rule in _RULES for name in ConditionName)


def test_rules_wait_for_the_longest_patience() -> None:
    """A condition of error that is given two minutes is no alert before."""
    longest = max(kind.patience for kind in KINDS.values())
    (rule,) = (rule for rule in _RULES if rule["alert"] == "SchedulesError")

    assert rule["for"] == f"{longest.total_seconds() / 60:.0f}m"


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_rules_name_what_the_collector_shows(rule: dict[str, Any]) -> None:
    """The expression is valid, and every metric and label in it is registered."""
    assert misnamed(rule["expr"]) == []


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_rules_select_documented_values(rule: dict[str, Any]) -> None:
    """A label is compared with values that the reference of metrics lists."""
    text = (_REPOSITORY / "docs/reference/metrics.md").read_text()
    known: dict[str, set[str]] = {"job": {"schedules"}}
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

    assert rule["labels"]["severity"] in {severity.value for severity in Severity} | {"none"}
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert rule["annotations"]["summary"].endswith(".")
    assert page in ("docs/runbook.md#{{ $labels.name }}", "docs/runbook.md#metrics-incomplete")
    assert "name" in rule["labels"] or "by (name, severity)" in rule["expr"]


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
    """It loads the file of rules, under the job name that a rule expects, and knows an Alertmanager."""
    configuration = _read("prometheus.yml")

    assert configuration["rule_files"] == ["alerts.yml"]
    assert [job["job_name"] for job in configuration["scrape_configs"]] == ["schedules"]
    assert configuration["alerting"]["alertmanagers"]


@pytest.mark.parametrize(
    ("alert", "receiver"),
    [
        ({"alertname": "SchedulesError", "name": "dead-letters", "severity": "error"}, "operators"),
        ({"alertname": "SchedulesWarning", "name": "input-rejected", "severity": "warning"}, "operators"),
        ({"alertname": "SchedulesWatchdog", "name": "watchdog", "severity": "none"}, "watchdog"),
    ],
    ids=lambda value: value["alertname"] if isinstance(value, dict) else value,
)
def test_alertmanager_routes_alerts(alert: dict[str, str], receiver: str) -> None:
    """Conditions go to the operators, and the alert that always fires to the dead-man's switch."""
    done = _run(
        "amtool",
        *("config", "routes", "test", f"--config.file={_ALERTMANAGER}"),
        *(f"{label}={value}" for label, value in alert.items()),
    )

    assert done.stdout.strip() == receiver


@pytest.mark.parametrize(
    "command",
    [
        ("promtool", "check", "rules", "alerts.yml"),
        ("promtool", "test", "rules", "alerts_test.yml"),
        ("promtool", "check", "config", "prometheus.yml"),
        ("amtool", "check-config", "../alertmanager/alertmanager.yml"),
    ],
    ids=" ".join,
)
def test_the_own_tools_agree(command: tuple[str, ...]) -> None:
    """Promtool and amtool accept the rules, their tests, and both configurations."""
    done = _run(*command)

    assert done.returncode == 0, done.stdout + done.stderr


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on the path: Debian has it in prometheus and prometheus-alertmanager")
    return subprocess.run([found, *arguments], cwd=_DIRECTORY, capture_output=True, text=True, check=False)
