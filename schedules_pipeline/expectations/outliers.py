"""The outliers of the last observed week, the worst first, and their charts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.publishing.measure_day import outside
from schedules_pipeline.publishing.ports.expectations import Expectation, ExpectedRange, Measure, ObservedDay

DAYS_REPORTED = 7
_WIDTH, _HEIGHT, _MARGIN = 640, 160, 40

Place = Callable[[int, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Outlier:
    """One value outside its range. ``excess``: by how many widths of the range."""

    sid: Sid
    day: date
    measure: Measure
    value: float
    expected: ExpectedRange

    @property
    def excess(self) -> float:
        distance = max(self.expected.low - self.value, self.value - self.expected.high)
        return distance / max(self.expected.high - self.expected.low, 1e-9)


@dataclass(frozen=True, slots=True)
class OutlierReport:
    """``outliers``: the worst first. ``expectations``: by service, those with outliers first. ``unlearned``: services
    with too few days.
    """

    at: datetime
    outliers: tuple[Outlier, ...]
    expectations: Mapping[Sid, Expectation]
    unlearned: tuple[Sid, ...]


def find_outliers(expectations: Mapping[Sid, Expectation], now: datetime) -> OutlierReport:
    found = [
        Outlier(sid, observed.day, name, value, expectation.ranges(observed.day)[name])
        for sid, expectation in expectations.items()
        for observed in expectation.observed[-DAYS_REPORTED:]
        for name, value in outside(observed.measured, expectation.ranges(observed.day)).items()
    ]
    found.sort(key=lambda outlier: (-outlier.excess, outlier.sid, outlier.day, outlier.measure))
    order = [*dict.fromkeys(outlier.sid for outlier in found), *sorted(expectations)]
    return OutlierReport(
        at=now,
        outliers=tuple(found),
        expectations={sid: expectations[sid] for sid in dict.fromkeys(order)},
        unlearned=tuple(sorted(sid for sid, each in expectations.items() if not each.overall)),
    )


def render_chart(sid: Sid, expectation: Expectation, measure: Measure = Measure.HOURS) -> str:
    """The observed values of one service over time, as SVG, with the range that is expected of each day as a band."""
    days = expectation.observed
    bands = [expectation.ranges(each.day).get(measure) for each in days]
    values = [each.measured.get(measure, 0.0) for each in days]
    top = max([*values, *(band.high for band in bands if band), 1.0])
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(days) - 1)

    def place(number: int, value: float) -> tuple[float, float]:
        return _MARGIN + number * step, _HEIGHT - 24 - value / top * (_HEIGHT - 48)

    title = f"{sid}: {measure}, expected range and observed days"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f"{_text(_MARGIN, 14, title)}{_text(2, _HEIGHT - 20, '0')}{_text(2, 28, f'{top:.4g}')}"
        f"{_band(bands, place)}{_line(values, place)}{_dots(days, values, bands, place)}"
        f"{_text(_MARGIN, _HEIGHT - 6, f'{days[0].day}') if days else ''}"
        f"{_text(_WIDTH - 100, _HEIGHT - 6, f'{days[-1].day}') if days else ''}</svg>"
    )


def _band(bands: Sequence[ExpectedRange | None], place: Place) -> str:
    known = [(number, band) for number, band in enumerate(bands) if band is not None]
    upper = [place(number, band.high) for number, band in known]
    lower = [place(number, band.low) for number, band in reversed(known)]
    return f'<polygon points="{_points([*upper, *lower])}" fill="#dbe4ff"/>' if known else ""


def _line(values: Sequence[float], place: Place) -> str:
    points = _points([place(number, value) for number, value in enumerate(values)])
    return f'<polyline points="{points}" fill="none" stroke="#3b5bdb" stroke-width="1.5"/>'


def _dots(
    days: Sequence[ObservedDay],
    values: Sequence[float],
    bands: Sequence[ExpectedRange | None],
    place: Place,
) -> str:
    """A red dot for each value outside its band."""
    dots = []
    for number, (each, value, band) in enumerate(zip(days, values, bands, strict=True)):
        if band is not None and not band.contains(value):
            x, y = place(number, value)
            dots.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#a5120b">'
                f"<title>{each.day}: {value:g}, expected {band.low:g} to {band.high:g}</title></circle>"
            )
    return "".join(dots)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="11" font-family="sans-serif" fill="#333333">{text}</text>'


def render_outliers(report: OutlierReport) -> str:
    """The report as one HTML file: the outliers, the worst first, then a chart of each measure of each service."""
    rows = "".join(
        f"<tr><td>{outlier.sid}</td><td>{outlier.day:%a %Y-%m-%d}</td><td>{outlier.measure}</td>"
        f"<td>{outlier.value:g}</td><td>{outlier.expected.low:g} to {outlier.expected.high:g}</td>"
        f"<td>{outlier.expected.days}</td></tr>"
        for outlier in report.outliers
    )
    charts = "".join(
        f"<h2>{sid}</h2>" + "".join(f"<p>{render_chart(sid, expectation, name)}</p>" for name in Measure)
        for sid, expectation in report.expectations.items()
    )
    unlearned = ", ".join(report.unlearned) or "none"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Outliers</title>'
        "<style>body{font-family:sans-serif;margin:2rem}td,th{padding:.2rem .8rem;text-align:left}</style></head>"
        f"<body><h1>Outliers of the week before {report.at:%Y-%m-%d}</h1>"
        f"<p>{len(report.outliers)} values were outside their expected range. Services with too little history: "
        f"{unlearned}.</p><table><tr><th>service</th><th>day</th><th>measure</th><th>value</th><th>expected</th>"
        f"<th>days learned from</th></tr>{rows}</table>{charts}</body></html>"
    )
