"""Texts that other programs take for more than texts, as far as they can get: documents, keys, terminals, the UI.

Belongs here: what becomes of a hostile title, name or reason at each place where it comes out. Does not belong here:
whether it is accepted (``test_parsers``).
"""

import html
import re
from datetime import UTC, datetime
from random import Random

import dagster as dg
import orjson
from builders import a_change
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over
from fuzz.hostile import TEXTS, contents, texts, thoroughly
from fuzz.parsers import KEY, PARSERS, PID, SCHEDULE_MESSAGES, source_document
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from demo.narrator import describe_verdict
from schedules_pipeline.documents.markdown import escape_markdown
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.diff import Difference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.domain.visible import visible_or_empty
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.migration.check_legacy import legacy_result
from schedules_pipeline.migration.compare_legacy import judge_differences
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.publishing.check_schedules import is_built, source_accepted
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.recording import evaluation
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.version_metadata import change_metadata

_NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
_PLAIN_KEY = re.compile(r"schedules:[a-z]+:\{([0-9a-z_]+/[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9a-z]+)\}")


def _sendable(text: str) -> bool:
    """Whether JSON in UTF-8 can carry it at all; half a surrogate pair it cannot."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


# Published documents


@thoroughly
@given(title=(texts | st.text()).filter(_sendable).map(lambda text: text[:500]))
@example(title="\x1b]0;title\x07\u202e\0\U0010ffff")
def test_title_is_published_as_it_came(title: str) -> None:
    """With any title, the published document is JSON that gives the same title back in every place. A title without a
    visible character is empty.
    """
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    pipeline = pipeline_over(store.as_store(), upstreams, clock)
    synopses = {"short": title, "medium": title, "long": title}
    item = {"pid": PID, "type": "episode", "title": title, "synopses": synopses, "warning_text": title}
    upstreams.catalogue_source.documents[PID] = orjson.dumps(item)
    upstreams.schedule_source.put(KEY, source_document(broadcasts=1))
    upstreams.schedule_queue.post(SCHEDULE_MESSAGES[0].decode())

    pipeline.schedule_intake.handle(upstreams.schedule_queue.receive(0))
    pipeline.publisher.publish_all()

    (broadcast,) = orjson.loads(store.schedules.documents([KEY])[KEY])["broadcasts"]
    shown = visible_or_empty(title)
    assert broadcast["title"] == broadcast["episode"]["title"] == shown
    assert broadcast["episode"]["synopses"] == dict.fromkeys(synopses, shown)
    assert broadcast["episode"]["warning_text"] == (shown or None)


# Keys


@thoroughly
@given(text=texts | st.text(st.characters(categories=["Nd", "Ll", "Pc"]), min_size=8, max_size=32))
def test_only_plain_pids_reach_a_key(text: str) -> None:
    """A text is refused, or makes a key of plain letters and digits: no digit of another script, no brace, no space."""
    try:
        pid = Pid(text)
    except InvalidIdentifier:
        return

    keys = Keys("schedules")
    for key in (keys.copy(pid), keys.version_token(pid), keys.dependants(pid)):
        assert _PLAIN_KEY.fullmatch(key)
        assert key.isascii()


@thoroughly
@given(
    sid=texts | st.text("abcxyz_09", min_size=1, max_size=64),
    day=texts | st.dates().map(str),
)
@example(sid="alder", day="\u0662\u0660\u0662\u0666-03-28")
@example(sid="\uff11", day="2026-03-28")
def test_only_plain_schedule_keys_reach_a_key(sid: str, day: str) -> None:
    """A service and a date are refused, or make keys and partitions of plain letters, digits and dashes."""
    try:
        key = ScheduleKey.parse(f"{sid}/{day}")
    except InvalidIdentifier:
        return

    keys = Keys("schedules")
    for name in (keys.state(key), keys.document(key), keys.outbox(key)):
        assert _PLAIN_KEY.fullmatch(name)
        assert name.isascii()
    assert re.fullmatch(r"[0-9a-z_|/-]+", str(partition_key(key)))
    assert (Sid(sid), day) == (key.sid, key.date.isoformat())


# Dagster


@thoroughly
@given(text=texts | st.text())
@example(text="![x](https://example.invalid/x.png)")
@example(text="[a](javascript:alert(1)) <img src=x onerror=alert(1)> **b** `c` &lt; \\")
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    """Rendered as Markdown a text is one paragraph of that text: no link, no image, no element, nothing in bold."""
    shown = " ".join(printable(text).split())

    rendered = MarkdownIt("commonmark").render(escape_markdown(f"refused: {shown}."))

    assert html.unescape(rendered) == f"<p>refused: {shown}.</p>\n"
    assert _elements(rendered) == ["<p>", "</p>"]


def _check_results(text: str) -> list[dg.AssetCheckEvaluation]:
    rejection = Rejection(text, _NOON, "digest", "put", text)
    differences = [Difference(text, text, text, {"title": text})]
    suspected = judge_differences(1, "2026-03-28T12:00:00+00:00", differences, None)
    differs = judge_differences(1, "2026-03-28T13:00:00+00:00", differences, suspected)
    incomparable = Comparison(1, Verdict.NOT_COMPARABLE, "", text)
    results = [source_accepted(rejection), is_built(text)]
    results += [legacy_result(c, difference_is_error=True) for c in (suspected, differs, incomparable)]
    return [evaluation(KEY, result) for result in results]


@thoroughly
@given(text=texts)
def test_upstream_text_never_becomes_markdown_metadata(text: str) -> None:
    """Reasons, excerpts and differences reach Dagster as texts and JSON, and descriptions are escaped."""
    cause = Cause(text, Origin.CATALOGUE, text, _NOON)
    change = a_change(KEY, published_at=_NOON, causes=(cause,), cause_count=1)

    evaluations = _check_results(text)

    shown = [value for e in evaluations for value in e.metadata.values()] + list(
        change_metadata(change).values()
    )
    assert not [value for value in shown if isinstance(value, dg.MarkdownMetadataValue | dg.UrlMetadataValue)]
    for description in (e.description or "" for e in evaluations):
        assert _elements(MarkdownIt("commonmark").render(description)) == ["<p>", "</p>"]


def _elements(rendered: str) -> list[str]:
    return re.findall(r"<[^>]*>", rendered)


@thoroughly
@given(content=contents(PARSERS[6].samples))
def test_differences_of_any_legacy_document_are_short(content: bytes) -> None:
    """However large and deep what the old system says, a comparison keeps a few short texts of it."""
    value = content.decode(errors="replace")
    differences = [Difference(value * 50, value * 50, value * 50, [value] * 500)] * 30

    comparison = judge_differences(1, "2026-03-28T12:00:00+00:00", differences, None)

    assert comparison.difference_count == 30
    assert len(comparison.differences) == 20
    assert all(len(text) <= 540 for row in comparison.differences for text in row)


# Terminals and logs


@thoroughly
@given(text=texts | st.text())
def test_printable_text_moves_no_cursor(text: str) -> None:
    """A shown text has no control character, line end, direction mark or lone surrogate, and keeps all letters."""
    shown = printable(text)

    left = iter(shown)
    assert shown.isprintable()
    assert all(char in left for char in text if char.isprintable())
    assert shown == text or not text.isprintable()


@given(st.sampled_from(TEXTS))
def test_shortened_text_says_how_much_is_left_out(text: str) -> None:
    """A text within the limit stays as it is; of a longer one the beginning is shown and the rest counted."""
    shown = shorten(text, 100)

    if len(text) <= 100:
        assert shown == text
    else:
        assert shown == f"{text[:100]}… ({len(text) - 100:,} more characters)"


@thoroughly
@given(text=texts)
def test_narrator_prints_one_printable_line(text: str) -> None:
    """A difference in the words of the old system is told in one line without control characters."""
    comparison = Comparison(1, Verdict.DIFFERS, "", "", 1, ((text, text, text, text),))

    line = printable(describe_verdict(comparison))

    assert line.isprintable()
    assert len(line) < 1_000


def test_excerpt_of_a_terminal_attack_is_shown_escaped() -> None:
    """The escape that would colour a terminal is spelt out."""
    assert printable("\x1b[31m\u202e\ud800") == "\\x1b[31m\\u202e\\ud800"
