"""The explanation of a version: its causes, its differences, and other versions of the same events."""

from datetime import timedelta

import pytest
from cli_stage import BRAND, EPISODE, KEY, RADIO, TOMORROW, Stage, schedule_put
from toy_world import ItemPut, ScheduleRemoved

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing import explain_version
from schedules_pipeline.publishing.explain_version import SEARCHED_FOR, AffectedVersions, NoSuchVersion


def _stage() -> Stage:
    """A brand has a new title that two schedules show; a third schedule shows another programme."""
    stage = Stage()
    stage.happen(ItemPut(BRAND, "Harbour Lights"), ItemPut(EPISODE, "Low Tide", BRAND))
    stage.happen(schedule_put(KEY), schedule_put(TOMORROW))
    stage.happen(ItemPut(BRAND, "Salt and Slate"))
    return stage


def test_causes_and_changed_fields_are_explained() -> None:
    """The explanation has the event and the fields that it changed."""
    explanation = _stage().pipeline.explainer.explain(KEY)

    [cause] = explanation.change.causes
    assert (explanation.change.seq, cause.subject, cause.changed) == (2, BRAND, ("title",))
    assert explanation.comparison is not None
    assert {d.field for d in explanation.comparison.differences} == {"brand.title", "title"}


def test_other_versions_of_the_same_event_are_found() -> None:
    """Versions of another event are not included."""
    stage = _stage()
    stage.happen(schedule_put(RADIO))

    explanation = stage.pipeline.explainer.explain(KEY)

    assert [(change.key, change.seq) for change in explanation.touched.versions] == [(TOMORROW, 2)]
    assert explanation.touched.stopped_at is None


def test_an_event_with_one_version() -> None:
    """The document of a schedule affects only that schedule."""
    explanation = _stage().pipeline.explainer.explain(KEY, 1)

    assert explanation.touched.versions == ()


def test_much_later_versions_are_not_searched() -> None:
    """The search ends some minutes after the version."""
    stage = _stage()
    stage.clock.advance(SEARCHED_FOR)
    stage.happen(schedule_put(RADIO))

    explanation = stage.pipeline.explainer.explain(KEY)

    assert [change.key for change in explanation.touched.versions] == [TOMORROW]
    assert explanation.touched.stopped_at is None


def test_the_search_says_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """After too many rows the search stops, and returns the time of the last row."""
    monkeypatch.setattr(explain_version, "MOST_ROWS", 1)
    stage = _stage()

    explanation = stage.pipeline.explainer.explain(KEY)

    assert explanation.touched.stopped_at is not None
    assert explanation.touched.stopped_at <= explanation.change.published_at


def test_a_long_feed_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result does not depend on the size of a page."""
    monkeypatch.setattr(explain_version, "_ROWS_AT_ONCE", 1)

    explanation = _stage().pipeline.explainer.explain(KEY)

    assert [change.key for change in explanation.touched.versions] == [TOMORROW]


def test_a_removal_is_explained() -> None:
    """A removal has no broadcasts, so every broadcast is lost."""
    stage = _stage()
    stage.happen(ScheduleRemoved(KEY))

    explanation = stage.pipeline.explainer.explain(KEY)

    assert explanation.change.is_removal
    assert explanation.comparison is not None
    assert {d.ours for d in explanation.comparison.differences} == {"(absent)"}


def test_an_expired_document() -> None:
    """The causes are explained without differences, and a comparison names the expired version."""
    stage = _stage()
    documents = stage.store.versions
    kept = documents.document
    documents.document = lambda key, seq: None if seq == 1 else kept(key, seq)  # type: ignore[method-assign]

    explanation = stage.pipeline.explainer.explain(KEY)

    assert explanation.comparison is None
    assert [change.key for change in explanation.touched.versions] == [TOMORROW]
    with pytest.raises(NoSuchVersion, match="the document of version 1 has expired"):
        stage.pipeline.explainer.compare(KEY)


@pytest.mark.parametrize(
    ("key", "seq", "complaint"),
    [(RADIO, None, "nothing was ever published"), (KEY, 9, "has no version 9: listed are 1 to 2")],
)
def test_an_unknown_version(key: object, seq: int | None, complaint: str) -> None:
    """The error says which versions are listed."""
    stage = _stage()

    with pytest.raises(NoSuchVersion, match=complaint):
        stage.pipeline.explainer.explain(RADIO if key is RADIO else KEY, seq)


def test_clocks_may_differ_a_little() -> None:
    """A row that seems seconds older than the notification of its cause is found."""
    stage = _stage()
    ItemPut(BRAND, "Quiet Viaduct").write(stage.upstreams)
    cause = Cause("event", Origin.CATALOGUE, BRAND, stage.clock() + timedelta(seconds=20))
    stage.pipeline.publisher.rebuild_from_sources([KEY, TOMORROW], cause)

    explanation = stage.pipeline.explainer.explain(KEY)

    assert explanation.change.seq == 3
    assert [(change.key, change.seq) for change in explanation.touched.versions] == [(TOMORROW, 3)]


def test_a_feed_that_was_trimmed() -> None:
    """If the version's own row was trimmed, the explanation says that other versions are unknown."""
    stage = _stage()
    whole = stage.pipeline.explainer.explain(KEY).touched
    stage.store.feed.read_after = lambda position, limit: []  # type: ignore[method-assign]

    trimmed = stage.pipeline.explainer.explain(KEY).touched

    assert whole.goes_back
    assert trimmed == AffectedVersions((), None, goes_back=False)
