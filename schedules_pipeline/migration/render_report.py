"""The parity report as files: a page of HTML, a table of CSV, and JSON. Pure.

Titles and fields come from upstreams and may hold anything: every text is escaped for where it is shown, and
what prints nothing is made visible.
"""

import csv
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import orjson

from schedules_pipeline.documents.markdown import escape_markdown
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.migration.ports.comparisons import Verdict
from schedules_pipeline.migration.ports.parity import ParityPoint, ParityReport, Tally, render_share

_MOST_CHARACTERS = 160
_WIDTH, _HEIGHT, _MARGIN = 640, 140, 46
_MOST_POINTS = 60
_BRIEFLY = 40
_SMALL_WIDTH, _SMALL_HEIGHT, _SMALL_POINTS = 360, 64, 30
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#1d2129}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}th,td{padding:.2em .8em .2em 0;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #ddd;overflow-wrap:anywhere}td.n{text-align:right}"
    ".ready{color:#0a6b2d}.not{color:#a5120b}h1{font-size:1.4em}h2{font-size:1.1em}"
)

_COUNTED = {
    Verdict.MATCHES: "match",
    Verdict.DIFFERS: "differ",
    Verdict.SUSPECTED: "perhaps differ",
    Verdict.NOT_COMPARABLE: "are not comparable yet",
}

Cell = str | int
Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]


def show(text: str) -> str:
    """A text of unknown origin as it may be shown on one line, shortened."""
    return shorten(printable(text), _MOST_CHARACTERS)


def tally_table(head: str, tallies: Iterable[Tally]) -> Table:
    """Groups of schedules, the worst share first; groups in which nothing was compared come first of all."""
    ordered = sorted(tallies, key=lambda tally: (-1.0 if tally.share is None else tally.share, tally.name))
    rows = [
        (t.name, t.schedules, t.comparable, t.matching, t.comparable - t.matching, _share(t)) for t in ordered
    ]
    return (head, "schedules", "comparable", "match", "differ", "share"), rows


def field_table(report: ParityReport) -> Table:
    """Fields by service, of the differences that the comparisons keep."""
    rows = [(show(f.field), f.sid, f.schedules, f.differences) for f in report.by_field]
    return ("field", "service", "schedules", "differences known"), rows


def reason_table(report: ParityReport) -> Table:
    return ("why it is not comparable", "schedules"), [(show(why), count) for why, count in report.reasons]


def worst_table(report: ParityReport, most: int, differences_each: int) -> Table:
    """The schedules that differ most, each with its first few differences."""
    rows: list[Sequence[Cell]] = []
    for standing in report.worst[:most]:
        shown = standing.differences[:differences_each] or (("", "", "", ""),)
        for number, (broadcast, field, ours, theirs) in enumerate(shown):
            first: tuple[Cell, ...] = (str(standing.key), standing.verdict.value, standing.difference_count)
            rows.append((*(("", "", "") if number else first), *map(show, (broadcast, field, ours, theirs))))
    return ("schedule", "verdict", "differences", "broadcast", "field", "ours", "theirs"), rows


def brief_worst_table(report: ParityReport, most: int, differences_each: int) -> Table:
    """The same, narrow enough for a column of Dagster's UI: a difference a row, values cut short."""
    rows: list[Sequence[Cell]] = []
    for standing in report.worst[:most]:
        name = f"{standing.key} {standing.verdict.value}, {standing.difference_count:,}"
        for number, (_, field, ours, theirs) in enumerate(standing.differences[:differences_each]):
            values = (shorten(printable(value), _BRIEFLY) for value in (field, ours, theirs))
            rows.append(("" if number else name, *values))
    return ("schedule", "field", "ours", "theirs"), rows


def one_sided_table(report: ParityReport, most: int) -> Table:
    """Schedules that only one side has."""
    sided = [(str(key), "ours") for key in report.only_ours]
    sided += [(str(key), "the old system's") for key in report.only_theirs]
    return ("schedule", "only"), sided[:most]


# Markdown


def render_markdown_table(table: Table) -> str:
    """Every cell escaped; "none" where there are no rows."""
    head, rows = table
    if not rows:
        return "none"
    lines = [_markdown_row(head), "|" + "---|" * len(head), *map(_markdown_row, rows)]
    return "\n".join(lines)


def _markdown_row(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(escape_markdown(_text(cell)) for cell in cells) + " |"


# Files


def render_html(report: ParityReport) -> bytes:
    """A page that stands alone: no script, nothing loaded from anywhere."""
    head = f"<h1 class={'ready' if report.is_ready else 'not'}>{html.escape(report.headline)}</h1>"
    sections = [
        head,
        f"<p>{report.at:%Y-%m-%d %H:%M:%S} UTC. {html.escape(counts_line(report))}</p>",
        _html_list("Objections", report.objections),
        _html_list("Remarks", report.remarks),
        "<h2>Trend</h2>" + render_chart([*report.trend, report.point], report.requirements.matching_share),
        _html_table("By service", tally_table("service", report.by_service)),
        _html_table("Differences by field and service", field_table(report)),
        _html_table("By date", tally_table("date", report.by_date)),
        _html_table("Not comparable", reason_table(report)),
        _html_table("Worst schedules", worst_table(report, 100, 20)),
        _html_table("Only one side has", one_sided_table(report, 1_000)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parity report</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>"
    ).encode("utf-8", "backslashreplace")


def render_csv(report: ParityReport) -> bytes:
    """A row for each schedule. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("service", "date", "verdict", "differences", "reason", "first field"))
    for s in report.standings:
        field = s.differences[0][1] if s.differences else ""
        writer.writerow(
            (
                s.key.sid,
                s.key.date.isoformat(),
                s.verdict.value,
                s.difference_count,
                *map(_inert, (s.reason, field)),
            )
        )
    return out.getvalue().encode("utf-8", "backslashreplace")


def render_json(report: ParityReport) -> bytes:
    """Everything but the schedules that match."""
    return orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2)


def as_json(report: ParityReport, most_worst: int = 100) -> dict[str, Any]:
    """The report as plain values, for a program."""
    return {
        "at": report.at.isoformat(),
        "ready": report.is_ready,
        "headline": report.headline,
        "objections": list(report.objections),
        "remarks": list(report.remarks),
        "requirements": {
            "matching_share": report.requirements.matching_share,
            "compared_share": report.requirements.compared_share,
            "refresh_minutes": report.requirements.refresh_minutes,
        },
        "overall": _tally_json(report.overall),
        "verdicts": {verdict.value: count for verdict, count in report.verdicts.items()},
        "refreshed_at": printable(report.refreshed_at),
        "compared_refresh": printable(report.compared_refresh),
        "by_service": [_tally_json(tally) for tally in report.by_service],
        "by_date": [_tally_json(tally) for tally in report.by_date],
        "by_field": [
            {"field": show(f.field), "service": f.sid, "schedules": f.schedules, "differences": f.differences}
            for f in report.by_field
        ],
        "not_comparable": [{"reason": show(reason), "schedules": n} for reason, n in report.reasons],
        "worst": [
            {
                "schedule": str(s.key),
                "verdict": s.verdict.value,
                "difference_count": s.difference_count,
                "differences": [
                    dict(zip(("broadcast", "field", "ours", "theirs"), map(show, d), strict=True))
                    for d in s.differences
                ],
            }
            for s in report.worst[:most_worst]
        ],
        "only_ours": [str(key) for key in report.only_ours],
        "only_theirs": [str(key) for key in report.only_theirs],
        "trend": [
            {"at": p.at.isoformat(), "share": p.share, "comparable": p.comparable, "ready": p.is_ready}
            for p in report.trend
        ],
    }


def counts_line(report: ParityReport) -> str:
    """How many of each verdict, and of all."""
    counts = ", ".join(f"{report.verdicts[verdict]:,} {_COUNTED[verdict]}" for verdict in Verdict)
    of_all = report.overall.matching / report.overall.schedules if report.overall.schedules else 0.0
    return f"{report.overall.schedules:,} schedules: {counts}; {render_share(of_all)} of all match"


def render_chart(points: Sequence[ParityPoint], threshold: float) -> str:
    """The share that matches over past reports, as SVG, with a line at the threshold.

    The scale begins below the lowest share, so that what matters is not flat. A report that compared
    nothing is a gap, marked on the ground line.
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
        f"{''.join(_line(a, b, height) for a, b in pairwise(places))}"
        f"{''.join(_dot(place, height, floor) for place in places)}</svg>"
    )


def render_small_chart(points: Sequence[ParityPoint], threshold: float) -> str:
    """The same line in few enough bytes to stand among Dagster's metadata, which folds away what is longer
    than a thousand characters: the latest reports, and the threshold dashed. Reports that compared nothing
    are at the bottom. There is at least one point.
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
    """Where the scale begins: a little below the lowest share."""
    return max(0.0, min([*(p.share for p in points if p.share is not None), threshold]) - 0.01)


def _ruler(y: float, label: str, colour: str) -> str:
    return (
        f'<line x1="{_MARGIN}" y1="{y:.1f}" x2="{_WIDTH - _MARGIN}" y2="{y:.1f}" stroke="{colour}" '
        f'stroke-dasharray="4 3"/><text x="2" y="{y + 4:.1f}" font-size="10" fill="{colour}" '
        f'font-family="sans-serif">{label}</text>'
    )


def _line(
    a: tuple[float, ParityPoint], b: tuple[float, ParityPoint], height: Callable[[float], float]
) -> str:
    (x1, one), (x2, other) = a, b
    if one.share is None or other.share is None:
        return ""
    y1, y2 = height(one.share), height(other.share)
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#3b5bdb" stroke-width="2"/>'
    )


def _dot(place: tuple[float, ParityPoint], height: Callable[[float], float], floor: float) -> str:
    x, point = place
    y = height(floor if point.share is None else point.share)
    colour = "#0a6b2d" if point.is_ready else "#a5120b"
    share = "nothing compared" if point.share is None else render_share(point.share)
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
        f"<title>{point.at:%Y-%m-%d %H:%M} {share}</title></circle>"
    )


def _share(tally: Tally) -> str:
    return "nothing compared" if tally.share is None else render_share(tally.share)


def _tally_json(tally: Tally) -> Mapping[str, Any]:
    return {
        "name": tally.name,
        "schedules": tally.schedules,
        "comparable": tally.comparable,
        "matching": tally.matching,
        "share": tally.share,
    }


def _html_list(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{html.escape(printable(sentence))}</li>" for sentence in sentences)
    return f"<h2>{title}</h2><ul>{items}</ul>"


def _html_table(title: str, table: Table) -> str:
    head, rows = table
    if not rows:
        return f"<h2>{title}</h2><p>none</p>"
    columns = "".join(f"<th>{html.escape(column)}</th>" for column in head)
    body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def _html_cell(cell: Cell) -> str:
    return f"<td{' class=n' if isinstance(cell, int) else ''}>{html.escape(_text(cell))}</td>"


def _text(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


def _inert(text: str) -> str:
    shown = show(text)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@"} else shown
