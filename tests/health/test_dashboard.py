"""The dashboard can be imported into Grafana and shows the metrics of the collector."""

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
    # Alarms are shown where they are sent.
    *("schedules_alarm_raised", "schedules_alarm_notices_total"),
    # Handled messages say more than received ones.
    "schedules_notifications_received_total",
    # For the rules: instants that say something only against others.
    *("schedules_coldstart_alive_timestamp_seconds", "schedules_pass_last_timestamp_seconds"),
    "schedules_delivery_pulse_timestamp_seconds",
}


def test_grafana_can_import_it() -> None:
    """It has its own id and title, a supported version, a time range, and a data source to choose."""
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", _DASHBOARD["uid"])
    assert _DASHBOARD["title"]
    assert _DASHBOARD["schemaVersion"] >= 36
    assert _DASHBOARD["time"].keys() == {"from", "to"}
    assert [(v["name"], v["type"], v["query"]) for v in _DASHBOARD["templating"]["list"]] == [
        ("datasource", "datasource", "prometheus")
    ]
    assert "id" not in _DASHBOARD


def test_panels_are_unique() -> None:
    """No two panels share an id or a title."""
    ids, titles = [p["id"] for p in _PANELS], [p["title"] for p in _PANELS]

    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)


def test_panels_do_not_overlap() -> None:
    """Each panel lies within the columns of the page, and no two overlap."""
    places = [panel["gridPos"] for panel in _PANELS]

    assert all(p["x"] >= 0 and p["w"] > 0 and p["h"] > 0 and p["x"] + p["w"] <= _WIDTH for p in places)
    assert not [(a, b) for a, b in itertools.combinations(places, 2) if _overlap(a, b)]


def test_rows_are_in_order_of_importance() -> None:
    """The page begins with what matters most."""
    assert [panel["title"] for panel in _PANELS if panel["type"] == "row"] == [
        *("At a glance", "Freshness", "Throughput", "Queues", "Backlog"),
        *("Parity with the old system", "Passes", "Coldstart", "Partners"),
    ]


@pytest.mark.parametrize("panel", _GRAPHS, ids=lambda panel: panel["title"])
def test_panels_are_complete(panel: dict[str, Any]) -> None:
    """Each panel is of a built-in kind and has a description, a unit, and named targets of the chosen data source."""
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
    """Every expression is valid, and its metrics, labels and legends are registered."""
    known = series_labels()
    for target in panel["targets"]:
        labels = {label for name, _ in read(target["expr"]).series for label in known.get(name, ())}

        assert misnamed(target["expr"]) == []
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_every_metric_is_somewhere_on_the_page() -> None:
    """The exceptions are listed above, each with its reason."""
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
