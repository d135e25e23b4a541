"""Charts of the parity trend, as SVG. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from schedules_pipeline.migration.ports import ParityPoint, render_share

_WIDTH, _HEIGHT, _MARGIN = 640, 140, 46
_MOST_POINTS = 60
_SMALL_WIDTH, _SMALL_HEIGHT, _SMALL_POINTS = 360, 64, 30


def render_chart(points: Sequence[ParityPoint], threshold: float) -> str:
    """The matching share over past reports as SVG, with a line at the threshold.

    The scale begins just below the lowest share. A report without a comparison is a gap, marked at the bottom.
    """
    points = points[-_MOST_POINTS:]
    floor = _floor(points, threshold)
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(points) - 1)

    def height(share: float) -> float:
        return _HEIGHT - 20 - (share - floor) / (1.0001 - floor) * (_HEIGHT - 40)

    places = [(_MARGIN + number * step, point) for number, point in enumerate(points)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{_ruler(height(1.0), '100 %', '#999999')}{_ruler(height(floor), render_share(floor), '#999999')}"
        f"{_ruler(height(threshold), render_share(threshold), '#a5120b')}"
        f"{''.join(_segments(places, height))}"
        f"{''.join(_dot(place, height, floor) for place in places)}</svg>"
    )


def render_small_chart(points: Sequence[ParityPoint], threshold: float) -> str:
    """The chart of the latest reports, at least one, in under 1,000 characters, above which Dagster folds metadata.

    The threshold is dashed; reports without a comparison are at the bottom.
    """
    points = points[-_SMALL_POINTS:]
    floor = _floor(points, threshold)
    scale = (_SMALL_HEIGHT - 8) / (1.0001 - floor)
    step = (_SMALL_WIDTH - 8) / max(1, len(points) - 1)

    def height(share: float | None) -> int:
        return round(_SMALL_HEIGHT - 4 - ((floor if share is None else share) - floor) * scale)

    places = [(round(4 + number * step), height(point.share)) for number, point in enumerate(points)]
    line = " ".join(f"{x},{y}" for x, y in places)
    x, y = places[-1]
    colour = "green" if points[-1].is_ready else "red"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SMALL_WIDTH}" height="{_SMALL_HEIGHT}">'
        f'<path d="M0 {height(threshold)}H{_SMALL_WIDTH}" stroke="red" stroke-dasharray="4"/>'
        f'<polyline points="{line}" fill="none" stroke="blue"/>'
        f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/></svg>'
    )


def _floor(points: Sequence[ParityPoint], threshold: float) -> float:
    """The lowest value of the scale, just below the lowest share."""
    return max(0.0, min([*(p.share for p in points if p.share is not None), threshold]) - 0.01)


def _ruler(y: float, label: str, colour: str) -> str:
    return (
        f'<line x1="{_MARGIN}" y1="{y:.1f}" x2="{_WIDTH - _MARGIN}" y2="{y:.1f}" stroke="{colour}" '
        f'stroke-dasharray="4 3"/><text x="2" y="{y + 4:.1f}" font-size="10" fill="{colour}" '
        f'font-family="sans-serif">{label}</text>'
    )


def _segments(places: Sequence[tuple[float, ParityPoint]], height: Callable[[float], float]) -> Iterator[str]:
    for (x1, one), (x2, other) in pairwise(places):
        if one.share is not None and other.share is not None:
            ends = f'x1="{x1:.1f}" y1="{height(one.share):.1f}" x2="{x2:.1f}" y2="{height(other.share):.1f}"'
            yield f'<line {ends} stroke="#3b5bdb" stroke-width="2"/>'


def _dot(place: tuple[float, ParityPoint], height: Callable[[float], float], floor: float) -> str:
    x, point = place
    y = height(floor if point.share is None else point.share)
    colour = "#0a6b2d" if point.is_ready else "#a5120b"
    share = "nothing compared" if point.share is None else render_share(point.share)
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
        f"<title>{point.at:%Y-%m-%d %H:%M} {share}</title></circle>"
    )
