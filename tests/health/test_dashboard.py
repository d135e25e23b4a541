"""The dashboard: what Grafana needs to import it, and that it shows what the collector gives."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from expressions import misnamed, read, series_labels

from schedules_pipeline.health.metrics.series import METRICS

_DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy/grafana/dashboard.json").read_text()
)
_PANELS: list[dict[str, Any]] = _DASHBOARD["panels"]
_GRAPHS = [panel for panel in _PANELS if panel["type"] != "row"]
_WIDTH = 24
_NOT_ON_THE_PAGE = {
    # Alarms are shown wherever they are sent.
    *("schedules_alarm_raised", "schedules_alarm_notices_total"),
    # What was handled says more than what was received.
    "schedules_notifications_received_total",
    # For the rules: instants that say something only against others.
    *("schedules_coldstart_alive_timestamp_seconds", "schedules_pass_last_timestamp_seconds"),
    "schedules_delivery_pulse_timestamp_seconds",
}


def test_grafana_can_import_it() -> None:
    """It has an id and a title of its own, a version of the form, a time range, and a data source to choose."""
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", _DASHBOARD["uid"])
    assert _DASHBOARD["title"]
    assert _DASHBOARD["schemaVersion"] >= 36
    assert _DASHBOARD["time"].keys() == {"from", "to"}
    assert [(v["name"], v["type"], v["query"]) for v in _DASHBOARD["templating"]["list"]] == [
        ("datasource", "datasource", "prometheus")
    ]
    assert "id" not in _DASHBOARD


def test_panels_are_told_apart() -> None:
    """No two have one id or one title."""
    ids, titles = [p["id"] for p in _PANELS], [p["title"] for p in _PANELS]

    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)


def test_panels_lie_beside_each_other() -> None:
    """Each lies within the page's columns, and no two lie on each other."""
    places = [panel["gridPos"] for panel in _PANELS]

    assert all(p["x"] >= 0 and p["w"] > 0 and p["h"] > 0 and p["x"] + p["w"] <= _WIDTH for p in places)
    assert not [(a, b) for a, b in itertools.combinations(places, 2) if _overlap(a, b)]


def test_rows_are_what_an_operator_looks_for() -> None:
    """The page goes from what matters most to what is rarely looked at."""
    assert [panel["title"] for panel in _PANELS if panel["type"] == "row"] == [
        *("At a glance", "Freshness", "Throughput", "Queues", "Backlog"),
        *("Parity with the old system", "Passes", "Coldstart", "Partners"),
    ]


@pytest.mark.parametrize("panel", _GRAPHS, ids=lambda panel: panel["title"])
def test_panels_ask_for_something(panel: dict[str, Any]) -> None:
    """Each is of a kind that Grafana brings, has a description, a unit, and targets told apart, all of the data
    source that was chosen.
    """
    targets = panel["targets"]
    references = [target["refId"] for target in targets]

    assert panel["type"] in {"stat", "timeseries", "bargauge"}
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in {"s", "short", "ops", "percentunit", "Bps"}
    assert targets
    assert len(set(references)) == len(references)
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(asking["datasource"] == chosen for asking in (panel, *targets))


@pytest.mark.parametrize("panel", _GRAPHS, ids=lambda panel: panel["title"])
def test_panels_name_what_the_collector_shows(panel: dict[str, Any]) -> None:
    """Every expression is one of Prometheus' language; its metrics, labels and legends are ours."""
    known = series_labels()
    for target in panel["targets"]:
        labels = {label for name, _ in read(target["expr"]).series for label in known.get(name, ())}

        assert misnamed(target["expr"]) == []
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_every_metric_is_somewhere_on_the_page() -> None:
    """But for those that say more elsewhere."""
    shown = {
        name for panel in _GRAPHS for target in panel["targets"] for name, _ in read(target["expr"]).series
    }

    unshown = {name for name in METRICS if not any(series.startswith(name) for series in shown)}

    assert unshown == _NOT_ON_THE_PAGE


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )
