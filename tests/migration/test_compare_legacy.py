"""When a comparison with the old system counts, and its verdict."""

from datetime import UTC, date, datetime, timedelta

import pytest
from builders import a_hold
from comparison_stage import KEY as _KEY
from comparison_stage import Stage

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.migration.ports import Verdict
from schedules_pipeline.publishing.ports import losses
from schedules_pipeline.publishing.ports.work import Mark


def test_the_same_fields_match() -> None:
    """A newer legacy document with the same fields matches at once."""
    stage = Stage()
    stage.refresh_legacy()

    assert stage.compare().verdict is Verdict.MATCHES


@pytest.mark.parametrize("is_repeat", [0, 0.0, True, 10**30])
def test_values_of_another_type_differ(is_repeat: object) -> None:
    """The pipeline says false: numbers that Python takes for equal differ, and one too large for a fast comparison."""
    stage = Stage()
    stage.clock.advance(timedelta(seconds=1))
    stage.write_legacy([{**stage.published()[0], "is_repeat": is_repeat}], stage.clock())

    assert stage.compare().verdict is Verdict.SUSPECTED


@pytest.mark.parametrize("nothing", [None, " ", "\u200b"])
def test_empty_texts_match_in_any_spelling(nothing: str | None) -> None:
    """The old system publishes an invisible text as it is, and the pipeline an empty one."""
    stage = Stage()
    stage.refresh_legacy(title=nothing)

    assert stage.compare().verdict is Verdict.MATCHES


def test_a_difference_stands_only_at_the_next_refresh() -> None:
    """A difference is suspected first, and stands if a later legacy document still shows it."""
    stage = Stage()
    stage.refresh_legacy(title="Another title")
    first = stage.compare()
    stage.refresh_legacy(title="Another title")

    second = stage.compare()

    assert first.verdict is Verdict.SUSPECTED
    assert second.verdict is Verdict.DIFFERS
    assert second.differences == (("p00000001", "title", "", "Another title"),)


def test_comparing_the_same_refresh_again_confirms_nothing() -> None:
    """The same legacy document, compared twice, leaves the difference suspected."""
    stage = Stage()
    stage.refresh_legacy(title="Another title")
    stage.compare()

    assert stage.compare().verdict is Verdict.SUSPECTED


def test_a_difference_that_the_next_version_explains_never_stands() -> None:
    """A new published version begins a new suspicion."""
    stage = Stage()
    stage.refresh_legacy(start="2026-03-28T12:30:00Z", duration_seconds=1800)
    suspected = stage.compare()
    stage.publish("2026-03-28T12:30:00Z")
    stage.refresh_legacy()

    settled = stage.compare()

    assert suspected.verdict is Verdict.SUSPECTED
    assert (settled.verdict, settled.seq) == (Verdict.MATCHES, 2)


def test_an_older_legacy_document_is_not_comparable() -> None:
    """A legacy document from before the publication proves nothing."""
    stage = Stage()
    stage.write_legacy(stage.published(), stage.clock() - timedelta(seconds=1))

    comparison = stage.compare()

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "older than the version" in comparison.reason


def test_a_schedule_about_to_be_rebuilt_is_not_comparable() -> None:
    """There is no verdict while a rebuild is pending."""
    stage = Stage()
    stage.refresh_legacy(title="Another title")
    stage.store.work.mark([Mark(_KEY, stage.clock(), stage.cause())])

    assert stage.compare().verdict is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("verdict", [None, losses.Verdict.REJECTED])
def test_a_held_schedule_is_not_compared(verdict: losses.Verdict | None) -> None:
    """Neither a match nor a difference, also after an operator has rejected the loss; its reason names the hold."""
    stage = Stage()
    hold = a_hold(_KEY)
    stage.store.losses.hold({_KEY: hold})
    if verdict is not None:
        decision = losses.Decision(hold.id, hold.digest, verdict, stage.clock())
        stage.store.losses.decide({_KEY: decision})
    stage.refresh_legacy(title="Another title")
    stage.compare()
    stage.refresh_legacy(title="Another title")

    held = stage.compare()

    assert (held.verdict, held.difference_count) == (Verdict.HELD, 0)
    decided = "; an operator has rejected it" if verdict else ""
    assert held.reason == f"hold {_KEY} (shrunk): less airtime, 5.0 h of airtime to come{decided}"


def test_a_held_removal_is_not_compared() -> None:
    """The old system has removed the schedule, and partners of the pipeline keep it."""
    stage = Stage()
    stage.store.losses.hold({_KEY: a_hold(_KEY, kind=losses.LossKind.REMOVED)})
    stage.upstreams.legacy.documents.clear()

    assert stage.compare().verdict is Verdict.HELD


def test_a_difference_after_a_hold_is_suspected_anew() -> None:
    """What was held says nothing of how the schedule differs."""
    stage = Stage()
    stage.store.losses.hold({_KEY: a_hold(_KEY)})
    stage.refresh_legacy(title="Another title")
    stage.compare()
    stage.store.losses.end([_KEY])
    stage.refresh_legacy(title="Another title")

    assert stage.compare().verdict is Verdict.SUSPECTED


def test_without_a_legacy_document_it_is_not_comparable() -> None:
    """A schedule that the old system lacks is reported, and not as a match."""
    comparison = Stage().compare()

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "no such schedule" in comparison.reason


@pytest.mark.parametrize("document", [None, b"not json", "older"])
def test_what_two_refreshes_do_not_write_lasts(document: bytes | str | None) -> None:
    """The refresh that ended after the publication may have begun before it; the one that follows had all its input."""
    stage = Stage()
    legacy = stage.upstreams.legacy
    if document == "older":
        stage.write_legacy(stage.published(), stage.clock() - timedelta(seconds=1))
    elif isinstance(document, bytes):
        legacy.documents[_KEY] = document
    lasting = []
    for seconds in (-1, 1, 2):
        legacy.refreshed = (stage.clock() + timedelta(seconds=seconds)).isoformat()
        lasting.append(stage.compare().is_lasting)

    assert lasting == [False, False, True]
    assert stage.compare().is_lasting, "the same refresh, compared again, changes nothing"
    assert stage.find_news() == {}


def test_a_schedule_that_changes_does_not_last() -> None:
    """Neither a pending rebuild nor a version without a whole refresh after it is a lasting obstacle."""
    stage = Stage()
    lasting = []
    for start in ("2026-03-28T12:10:00Z", "2026-03-28T12:20:00Z"):
        stage.clock.advance(timedelta(seconds=1))
        stage.publish(start)
        stage.clock.advance(timedelta(seconds=1))
        stage.upstreams.legacy.refreshed = stage.clock().isoformat()
        lasting.append(stage.compare().is_lasting)
    stage.store.work.mark([Mark(_KEY, stage.clock(), stage.cause())])
    stage.upstreams.legacy.refreshed = (stage.clock() + timedelta(seconds=1)).isoformat()

    assert [*lasting, stage.compare().is_lasting] == [False, False, False]


def test_a_schedule_that_only_the_old_system_has_differs() -> None:
    """It becomes a difference when it has stood for two refreshes."""
    stage = Stage()
    stage.upstreams.schedule_source.remove(_KEY)
    legacy = stage.published()
    stage.pipeline.publisher.rebuild_from_sources([_KEY], stage.cause())
    verdicts = []
    for seconds in (1, 2):
        stage.write_legacy(legacy, stage.clock() + timedelta(seconds=seconds))
        verdicts.append(stage.compare().verdict)

    assert verdicts == [Verdict.SUSPECTED, Verdict.DIFFERS]


def test_a_difference_ends_when_neither_side_has_the_schedule() -> None:
    """It is returned as a match, once, and forgotten; otherwise its check would fail for ever."""
    stage = Stage()
    other = ScheduleKey(Sid("birch"), _KEY.date)
    for seconds in (1, 2):
        stage.write_legacy(stage.published(), stage.clock() + timedelta(seconds=seconds))
        stage.upstreams.legacy.documents[other] = stage.upstreams.legacy.documents[_KEY]
        stage.find_news()
    differed = stage.store.comparisons.all()[other].verdict
    del stage.upstreams.legacy.documents[other]

    news = stage.find_news()

    assert differed is Verdict.DIFFERS
    assert {key: found.verdict for key, found in news.items()} == {other: Verdict.MATCHES}
    assert other not in stage.store.comparisons.all()
    assert stage.find_news() == {}


@pytest.mark.parametrize(
    "content", [b"not json", b"{}", b'{"generated_at": "now", "schedule": {"broadcasts": []}}']
)
def test_a_legacy_document_that_does_not_parse_is_not_comparable(content: bytes) -> None:
    """An invalid legacy document is no difference."""
    stage = Stage()
    stage.upstreams.legacy.documents[_KEY] = content
    stage.upstreams.legacy.refreshed = datetime(2026, 3, 28, 13, tzinfo=UTC).isoformat()

    assert stage.compare().verdict is Verdict.NOT_COMPARABLE


def test_intended_differences_are_left_out() -> None:
    """A field that differs on purpose causes no difference."""
    stage = Stage(intended=("title", "episode.*"))
    stage.refresh_legacy(title="Another title", episode={"pid": "b00000001"})

    comparison = stage.compare()

    assert comparison.verdict is Verdict.SUSPECTED, "episode as a whole is not episode.*"
    assert {field for _, field, _, _ in comparison.differences} == {"episode"}


def test_comparing_is_due_once_after_each_refresh() -> None:
    """After a comparison, the next one is due at the next refresh."""
    stage = Stage()
    before = stage.pipeline.comparer.is_due()
    stage.refresh_legacy()
    after_refresh = stage.pipeline.comparer.is_due()
    stage.compare()

    assert (before, after_refresh, stage.pipeline.comparer.is_due()) == (False, True, False)


def test_only_new_verdicts_are_returned() -> None:
    """A verdict that was known already is not returned again."""
    stage = Stage()
    stage.refresh_legacy()
    first = stage.find_news()
    stage.refresh_legacy()

    assert set(first) == {_KEY}
    assert stage.find_news() == {}


def test_a_damaged_published_document_is_not_comparable() -> None:
    """The reason says how to repair it, and the other schedules are compared."""
    stage = Stage()
    stage.refresh_legacy()
    stage.store.schedules.kept[_KEY].document = b"damaged"

    comparison = stage.compare()

    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "reconcile it" in comparison.reason


def test_a_legacy_document_past_the_horizon_is_not_compared() -> None:
    """The pipeline has removed such schedules, so each would differ for as long as the old system keeps it."""
    stage = Stage(horizon=RetentionHorizon(1))
    old, recent = (ScheduleKey(Sid("birch"), date(2026, 3, day)) for day in (26, 27))
    stage.upstreams.legacy.documents = {old: b"old", recent: b"recent"}

    stage.find_news()

    assert stage.store.comparisons.all().keys() == {_KEY, recent}
