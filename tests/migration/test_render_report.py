"""The appearance of the parity report, and that hostile texts stay texts."""

import csv
import io
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import orjson
import pytest
from builders import a_change
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.markdown import escape_markdown, markdown_table
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.judge_parity import Evidence
from schedules_pipeline.migration.parity_chart import render_chart, render_small_chart
from schedules_pipeline.migration.ports import (
    Comparison,
    ParityPoint,
    ParityReport,
    Requirements,
    Standing,
    Tally,
    Verdict,
    render_share,
)
from schedules_pipeline.migration.render_report import (
    as_json,
    brief_worst_table,
    render_csv,
    render_html,
    render_json,
    tally_table,
)
from schedules_pipeline.migration.tabulate_parity import tabulate

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_HOSTILE = '<script>alert(1)</script>|\n[x](javascript:alert(1))\x1b[31m\u202e=1+1"'
_HELD = ScheduleKey(Sid("dogwood"), date(2026, 3, 28))
_FOLDED_BY_DAGSTER_FROM = 1_000


def _report(text: str = "a title", reason: str = "") -> ParityReport:
    """One schedule matches, one differs in a field of this name and value, and one is not comparable."""
    keys = [ScheduleKey(Sid(sid), date(2026, 3, 28)) for sid in ("alder_one", "beech", "cedar")]
    refreshed = (_NOW - timedelta(minutes=1)).isoformat()
    comparisons = {
        keys[0]: Comparison(1, Verdict.MATCHES, refreshed),
        keys[1]: Comparison(1, Verdict.DIFFERS, refreshed, "", 1, ((text, text, text, text),)),
        keys[2]: Comparison(1, Verdict.NOT_COMPARABLE, "", reason or text),
    }
    heads = {key: a_change(key, published_at=_NOW) for key in keys}
    evidence = Evidence(heads, frozenset(keys), comparisons, refreshed, refreshed, ())
    return tabulate(evidence, Requirements(0.995, 0.5, 60), _NOW)


class _Tags(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_the_verdict_first() -> None:
    """The first line of the page is the verdict, followed by the objections."""
    page = _Tags()

    page.feed(render_html(_report()).decode())

    verdict = page.text.index("not ready: 50.00 % of 2 comparable schedules match")
    assert verdict < page.text.index("Objections") < page.text.index("By service")


@given(text=st.one_of(st.just(_HOSTILE), st.text(max_size=80)))
def test_no_text_becomes_an_element_of_the_page(text: str) -> None:
    """Any texts in fields and titles leave the elements of the page unchanged."""
    page, plain = _Tags(), _Tags()

    page.feed(render_html(_report(text)).decode())
    plain.feed(render_html(_report()).decode())

    assert page.tags == plain.tags
    assert "script" not in page.tags


def test_held_schedules_are_listed_with_their_holds() -> None:
    """In the page and in the document, apart from those that are not comparable."""
    report = replace(_report(), held=(Standing(_HELD, Verdict.HELD, "hold loss-1 (budget)"),))
    page = _Tags()

    page.feed(render_html(report).decode())

    assert f"{_HELD}hold loss-1 (budget)" in page.text
    assert as_json(report)["held"] == [{"schedule": str(_HELD), "reason": "hold loss-1 (budget)"}]


@given(text=st.one_of(st.just(_HOSTILE), st.text(max_size=80)))
def test_no_text_breaks_a_table_of_markdown(text: str) -> None:
    """The table keeps its rows and cells, and no cell holds a character with a meaning in Markdown."""
    table = brief_worst_table(_report(text), 10, 3)

    lines = markdown_table(*table, 10).split("\n")

    assert len(lines) == 3
    for line in lines:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 5
    assert not re.search(r"(?<!\\)[<>`*_\[\]]", lines[2])


@pytest.mark.parametrize(
    "text", ["<b>", "[a](b)", "![a](b)", "`x`", "a|b", "*a*", "https://a.example", "&lt;"]
)
def test_markdown_is_escaped(text: str) -> None:
    """Every character with a meaning in Markdown or HTML is escaped."""
    escaped = escape_markdown(text)

    assert "<" not in escaped
    assert not re.search(r"(?<!\\)[`*_\[\]()!|:]", escaped)


def test_a_spreadsheet_sees_no_formula() -> None:
    """A cell that would begin a formula begins with an apostrophe, and every schedule has its row."""
    rows = list(csv.reader(io.StringIO(render_csv(_report("=cmd()")).decode())))

    assert [row[0] for row in rows] == ["service", "alder_one", "beech", "cedar"]
    assert rows[2][5] == "'=cmd()"
    assert rows[3][4] == "'=cmd()"


@given(text=st.text(alphabet=st.characters(), max_size=40))
def test_json_parses_with_any_texts(text: str) -> None:
    """The document parses, also with lone surrogates, and holds the verdict."""
    document = orjson.loads(render_json(_report(text)))

    assert document["ready"] is False
    assert document["overall"]["matching"] == 1


def test_json_has_as_many_of_the_worst_as_were_asked_for() -> None:
    """The number may be 0."""
    assert as_json(_report(), 0)["worst"] == []


def test_the_worst_group_comes_first() -> None:
    """Groups without a comparison come first, then the lowest share."""
    tallies = [Tally("good", 4, 4, 4), Tally("bad", 4, 4, 1), Tally("unknown", 4, 0, 0)]

    _, rows = tally_table("service", tallies)

    assert [row[0] for row in rows] == ["unknown", "bad", "good"]
    assert [row[-1] for row in rows] == ["nothing compared", "25.00 %", "100 %"]


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "100 %"), (0.99999, "99.99 %"), (0.995, "99.50 %"), (0.29, "29.00 %"), (0.0, "0.00 %")],
)
def test_shares_are_never_rounded_up(share: float, shown: str) -> None:
    """Only all is 100 %."""
    assert render_share(share) == shown


@given(
    points=st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 2_000), st.booleans()), min_size=1, max_size=80
    )
)
def test_charts_are_well_formed_and_stay_within_their_frame(points: list[tuple[int, int, bool]]) -> None:
    """For any past reports, both charts parse and draw inside their frame; the small one stays under Dagster's
    limit.
    """
    past = [
        ParityPoint(_NOW + timedelta(days=n), 2_000, max(a, b), min(a, b), is_ready=ready)
        for n, (a, b, ready) in enumerate(points)
    ]

    charts = [render_chart(past, 0.995), render_small_chart(past, 0.995)]

    for chart in charts:
        image = ET.fromstring(chart)
        width, height = float(image.get("width", "0")), float(image.get("height", "0"))
        for dot in image.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 <= float(dot.get("cx", "-1")) <= width
            assert 0 <= float(dot.get("cy", "-1")) <= height
    assert len(b64encode(charts[1].encode())) < _FOLDED_BY_DAGSTER_FROM - 100


def test_the_trend_is_drawn_with_this_report_at_its_end() -> None:
    """The chart of the page has a dot for each past report and one for this report."""
    past = tuple(ParityPoint(_NOW - timedelta(days=n), 10, 10, 9, is_ready=False) for n in (2, 1))

    page = render_html(replace(_report(), trend=past)).decode()

    assert page.count("<circle") == 3
