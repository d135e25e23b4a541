"""The weekly report of outliers, and its charts."""

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.expectations.learn import learn
from schedules_pipeline.expectations.outliers import find_outliers, render_chart, render_outliers
from schedules_pipeline.publishing.ports.expectations import Expectation, Measure, ObservedDay

_NOW = datetime(2026, 3, 30, 7, tzinfo=UTC)
_ALDER, _BIRCH, _CEDAR = Sid("alder"), Sid("birch"), Sid("cedar")


def _expectation(hours: list[float]) -> Expectation:
    first = date(2026, 3, 30) - timedelta(days=len(hours))
    days = [ObservedDay(first + timedelta(days=n), {Measure.HOURS: each}) for n, each in enumerate(hours)]
    return learn(None, days, _NOW)


_EXPECTATIONS = {
    _ALDER: _expectation([24.0] * 30),
    _BIRCH: _expectation([24.0] * 29 + [20.0]),
    _CEDAR: _expectation([24.0] * 27 + [2.0, 24.0, 24.0]),
}


def test_the_worst_outlier_comes_first() -> None:
    """With its value, its range, and the days that it was learned from."""
    report = find_outliers(_EXPECTATIONS, _NOW)

    assert [(outlier.sid, outlier.value) for outlier in report.outliers] == [(_CEDAR, 2.0), (_BIRCH, 20.0)]
    assert list(report.expectations) == [_CEDAR, _BIRCH, _ALDER]
    assert all(outlier.expected.days >= 4 for outlier in report.outliers)


def test_older_days_are_not_reported_again() -> None:
    """Only the latest week is."""
    report = find_outliers({_ALDER: _expectation([2.0] + [24.0] * 8)}, _NOW)

    assert report.outliers == ()


def test_a_service_without_history_is_named() -> None:
    """It has no outliers, and the report says why."""
    report = find_outliers({_ALDER: _expectation([24.0, 2.0])}, _NOW)

    assert (report.outliers, report.unlearned) == ((), (_ALDER,))
    assert "too little history: alder." in render_outliers(report)


def test_a_chart_shows_the_band_and_a_dot_for_each_outlier() -> None:
    """It is well-formed SVG, also without any day."""
    chart = ET.fromstring(render_chart(_CEDAR, _EXPECTATIONS[_CEDAR]))
    space = "{http://www.w3.org/2000/svg}"

    assert len(chart.findall(f"{space}polygon")) == 1
    (dot,) = chart.findall(f"{space}circle")
    assert "2, expected" in (dot.findtext(f"{space}title") or "")
    ET.fromstring(render_chart(_ALDER, _expectation([])))


def test_the_report_has_a_chart_of_every_measure_of_every_service() -> None:
    """The worst service first."""
    page = render_outliers(find_outliers(_EXPECTATIONS, _NOW))

    assert page.count("<svg") == 3 * len(Measure)
    assert page.index("<h2>cedar") < page.index("<h2>birch") < page.index("<h2>alder")
