"""Renders the parity report as an HTML page, a CSV table and JSON. Pure.

Titles and fields come from upstreams and may hold any text, so every text is escaped for its output and unprintable
characters are made visible.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schedules_pipeline.documents.markdown import Cell
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.migration.parity_chart import render_chart
from schedules_pipeline.migration.ports import ParityReport, Standing, Tally, Verdict, render_share

_MOST_CHARACTERS = 160
_BRIEF_CHARACTERS = 40

_COUNTED = {
    Verdict.MATCHES: "match",
    Verdict.DIFFERS: "differ",
    Verdict.SUSPECTED: "perhaps differ",
    Verdict.HELD: "are held",
    Verdict.NOT_COMPARABLE: "are not comparable yet",
}

_SIDES = ("pipeline", "old system")
_DIFFERENCE = ("broadcast", "field", "ours", "theirs")

Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]


def show(text: str) -> str:
    """A text from upstream, made printable and shortened to one line."""
    return shorten(printable(text), _MOST_CHARACTERS)


def tally_table(head: str, tallies: Iterable[Tally]) -> Table:
    """Groups of schedules, the worst share first, after the groups without a comparison."""
    ordered = sorted(tallies, key=lambda tally: (-1.0 if tally.share is None else tally.share, tally.name))
    rows = [
        (t.name, t.schedules, t.comparable, t.matching, t.comparable - t.matching, _share(t)) for t in ordered
    ]
    return (head, "schedules", "comparable", "match", "differ", "share"), rows


def field_table(report: ParityReport) -> Table:
    rows = [(show(f.field), f.sid, f.schedules, f.differences) for f in report.by_field]
    return ("field", "service", "schedules", "differences known"), rows


def reason_table(report: ParityReport) -> Table:
    return ("why it is not comparable", "schedules"), [(show(why), count) for why, count in report.reasons]


def held_table(report: ParityReport) -> Table:
    """The schedules under a hold, with its id and what it holds."""
    return ("schedule", "held by"), [(str(s.key), show(s.reason)) for s in report.held]


def worst_table(report: ParityReport, most: int, differences_each: int) -> Table:
    """The schedules that differ most, each with its first few differences."""
    rows: list[Sequence[Cell]] = []
    for standing in report.worst[:most]:
        shown = standing.differences[:differences_each] or (("", "", "", ""),)
        for number, (broadcast, field, ours, theirs) in enumerate(shown):
            first: tuple[Cell, ...] = (str(standing.key), standing.verdict.value, standing.difference_count)
            rows.append((*(("", "", "") if number else first), *map(show, (broadcast, field, ours, theirs))))
    return ("schedule", "verdict", "differences", "broadcast", "field", *_SIDES), rows


def brief_worst_table(report: ParityReport, most: int, differences_each: int) -> Table:
    """The same in fewer and shorter columns, for Dagster's UI."""
    rows: list[Sequence[Cell]] = []
    for standing in report.worst[:most]:
        name = f"{standing.key} {standing.verdict.value}, {standing.difference_count:,}"
        for number, (_, field, ours, theirs) in enumerate(standing.differences[:differences_each]):
            values = (shorten(printable(value), _BRIEF_CHARACTERS) for value in (field, ours, theirs))
            rows.append(("" if number else name, *values))
    return ("schedule", "field", *_SIDES), rows


def one_sided_table(report: ParityReport, most: int) -> Table:
    ours, theirs = _SIDES
    sided = [(str(key), ours) for key in report.only_ours] + [
        (str(key), theirs) for key in report.only_theirs
    ]
    return ("schedule", "only in"), sided[:most]


def render_html(report: ParityReport) -> bytes:
    """A self-contained page without scripts. The template escapes every text except the chart."""
    environment = Environment(
        loader=PackageLoader("schedules_pipeline.migration"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_finalize,
    )
    page = environment.get_template("report.html").render(
        report=report,
        counts=counts_line(report),
        chart=render_chart([*report.trend, report.point], report.requirements.matching_share),
        tables={
            "By service": tally_table("service", report.by_service),
            "Differences by field and service": field_table(report),
            "By date": tally_table("date", report.by_date),
            "Not comparable": reason_table(report),
            "Held": held_table(report),
            "Worst schedules": worst_table(report, 100, 20),
            "Only one side has": one_sided_table(report, 1_000),
        },
    )
    return page.encode("utf-8", "backslashreplace")


def _finalize(value: Any) -> Any:
    """Numbers get thousands separators, and unprintable characters of a text are made visible."""
    if isinstance(value, int):
        return f"{value:,}"
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def render_csv(report: ParityReport) -> bytes:
    """One row for each schedule. Texts that a spreadsheet would read as a formula get an apostrophe in front."""
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
    """The report without the schedules that match."""
    return orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2)


def as_json(report: ParityReport, most_worst: int = 100) -> dict[str, Any]:
    return {
        "at": report.at.isoformat(),
        "ready": report.is_ready,
        "headline": report.headline,
        "objections": list(report.objections),
        "remarks": list(report.remarks),
        "requirements": asdict(report.requirements),
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
        "held": [{"schedule": str(s.key), "reason": show(s.reason)} for s in report.held],
        "worst": [_standing_json(standing) for standing in report.worst[:most_worst]],
        "only_ours": [str(key) for key in report.only_ours],
        "only_theirs": [str(key) for key in report.only_theirs],
        "trend": [
            {"at": p.at.isoformat(), "share": p.share, "comparable": p.comparable, "ready": p.is_ready}
            for p in report.trend
        ],
    }


def counts_line(report: ParityReport) -> str:
    """The number of schedules by verdict, and the share of all that match."""
    counts = ", ".join(f"{report.verdicts[verdict]:,} {_COUNTED[verdict]}" for verdict in Verdict)
    of_all = report.overall.matching / report.overall.schedules if report.overall.schedules else 0.0
    return f"{report.overall.schedules:,} schedules: {counts}; {render_share(of_all)} of all match"


def _share(tally: Tally) -> str:
    return "nothing compared" if tally.share is None else render_share(tally.share)


def _tally_json(tally: Tally) -> Mapping[str, Any]:
    return {**asdict(tally), "share": tally.share}


def _standing_json(standing: Standing) -> Mapping[str, Any]:
    return {
        "schedule": str(standing.key),
        "verdict": standing.verdict.value,
        "difference_count": standing.difference_count,
        "differences": [dict(zip(_DIFFERENCE, map(show, d), strict=True)) for d in standing.differences],
    }


def _inert(text: str) -> str:
    shown = show(text)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@"} else shown
