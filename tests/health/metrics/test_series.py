"""The register of metrics agrees with the code that counts and with the reference documents."""

import re
from pathlib import Path

import pytest
from scraping import Stage

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.metrics.series import COUNTERS, DURATIONS, METRICS, MetricKind
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.ports import Stage as ColdstartStage
from schedules_pipeline.migration.ports import Verdict
from schedules_pipeline.publishing.ports.counters import Counter, Timer

_REPOSITORY = Path(__file__).parents[3]
_WORKFLOWS = [
    path
    for room in ("publishing", "maintenance", "migration", "health", "store")
    for path in (_REPOSITORY / "schedules_pipeline" / room).glob("*.py")
]
_ROW = re.compile(r"^\| `(schedules_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", re.MULTILINE)
_LABEL = re.compile(r"^\| `(\w+)`([^|]*)\| (.+) \|$", re.MULTILINE)
_BASE_UNITS = ("_seconds", "_seconds_total")


def test_every_counter_is_shown_and_counted() -> None:
    """The register shows every counter and timer of the store, and some workflow counts each of them."""
    code = "".join(path.read_text() for path in _WORKFLOWS)
    uncounted = [counter for counter in Counter if f"Counter.{counter.name}" not in code]
    untimed = [timer for timer in Timer if f"Timer.{timer.name}" not in code]

    assert set(COUNTERS) == set(Counter)
    assert set(DURATIONS) == set(Timer)
    assert not uncounted
    assert set(untimed) == {Timer.published_after(origin) for origin in Origin}
    assert "Timer.published_after(" in code


def test_only_workflows_count() -> None:
    """The test above looks at every module that counts."""
    elsewhere = [
        path.name
        for path in (_REPOSITORY / "schedules_pipeline").rglob("*.py")
        if path not in _WORKFLOWS and re.search(r"counters\.add\(", path.read_text())
    ]

    assert not elsewhere


def test_names_follow_prometheus() -> None:
    """Counters and only counters end in total; metrics of time end in their unit."""
    for name, metric in METRICS.items():
        assert re.fullmatch(r"schedules(_[a-z]+)+", name)
        assert name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert ("seconds" in name) == name.endswith(_BASE_UNITS)
        assert not name.endswith(("_count", "_sum", "_bucket"))
        assert metric.help.endswith(".")


def test_counters_and_durations_fit_their_metrics() -> None:
    """Each names a metric of its kind and a value for each label; no two are the same series."""
    for table, kind in ((COUNTERS, MetricKind.COUNTER), (DURATIONS, MetricKind.HISTOGRAM)):
        for metric, labels in table.values():
            assert METRICS[metric].kind is kind
            assert len(METRICS[metric].labels) == len(labels)
        assert len(set(table.values())) == len(table)


def test_every_metric_is_documented_as_it_is() -> None:
    """The reference lists names, kinds, labels and meanings in the order of the register."""
    documented = _ROW.findall(_document("metrics.md"))

    assert documented == [
        (m.name, m.kind.value, ", ".join(f"`{label}`" for label in m.labels) or "none", m.help)
        for m in METRICS.values()
    ]


def test_every_label_is_documented() -> None:
    """The reference lists values for every label of a metric."""
    text = _document("metrics.md")
    documented = {name for name, _, _ in _LABEL.findall(text[text.index("## Labels") :])}

    assert documented == {label for metric in METRICS.values() for label in metric.labels}


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("queue", {queue.value for queue in QueueName}),
        ("origin", {origin.value for origin in Origin}),
        ("verdict", {verdict.value for verdict in Verdict}),
        ("pass", {name.value for name in PassName}),
        ("stage", {stage.value for stage in ColdstartStage if not stage.is_final}),
        ("part", set(Stage().parts())),
        ("workflow", {labels[0] for name, labels in DURATIONS.values() if name.endswith("workflow_seconds")}),
        ("outcome", {labels[0] for name, labels in COUNTERS.values() if name.endswith("outcomes_total")}),
        ("reason", {labels[1] for name, labels in COUNTERS.values() if name.endswith("ignored_total")}),
    ],
)
def test_values_of_labels_are_documented(label: str, values: set[str]) -> None:
    """The reference lists the values that the code knows."""
    text = _document("metrics.md")
    rows = [row for name, _, row in _LABEL.findall(text[text.index("## Labels") :]) if name == label]

    assert len(rows) == 1
    assert set(re.findall(r"`([^`]+)`", rows[0])) == values


def test_every_counter_is_documented_with_the_keys() -> None:
    """The reference of keys names every counter and duration in the store, and no other."""
    text = _document("keys.md")
    counters = text[text.index("Names of counters:") : text.index("A redelivered message")]
    durations = text[text.index("Names of durations:") :].partition("\n\n")[0]

    assert set(re.findall(r"`([^`]+)`", counters)) == set(COUNTERS)
    assert set(re.findall(r"`([^`]+)`", durations)) == set(DURATIONS)


def _document(name: str) -> str:
    return (_REPOSITORY / "docs/reference" / name).read_text()
