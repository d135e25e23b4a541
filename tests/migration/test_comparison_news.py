"""Which outcomes of a comparison with the old system are recorded, and when they are kept and forgotten."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from comparison_stage import KEY, Stage

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.migration import compare_legacy
from schedules_pipeline.migration.ports import Comparison, Verdict


def test_what_lasts_is_news_and_ends_with_a_document() -> None:
    """It is returned once, so that it is recorded; the next comparison is a result again."""
    stage = Stage()
    news = []
    for _ in range(3):
        stage.clock.advance(timedelta(seconds=1))
        stage.upstreams.legacy.refreshed = stage.clock().isoformat()
        news.append([found.is_lasting for found in stage.find_news().values()])
    stage.refresh_legacy()

    assert news == [[False], [True], []]
    assert (stage.compare().verdict, stage.compare().is_lasting) == (Verdict.MATCHES, False)


def test_what_was_not_recorded_is_new_for_the_next_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the process dies before an outcome is in Dagster, its old colour does not stay: also that of a schedule that
    neither side has any more.
    """
    monkeypatch.setattr(compare_legacy, "_RECORDED_AT_ONCE", 1)
    stage = Stage()
    other = ScheduleKey(Sid("birch"), KEY.date)
    stage.refresh_legacy(title="Another")
    stage.upstreams.legacy.documents[other] = stage.upstreams.legacy.documents[KEY]
    expected = stage.find_news()
    stage.refresh_legacy(title="Another")
    del stage.upstreams.legacy.documents[other]

    def die(*_: object) -> None:
        raise ServiceError("killed")

    with pytest.raises(ServiceError):
        stage.pipeline.comparer.compare_all(die)
    news = stage.find_news()

    assert expected.keys() == {KEY, other}
    assert {key: found.verdict for key, found in news.items()} == {
        KEY: Verdict.DIFFERS,
        other: Verdict.MATCHES,
    }
    assert stage.find_news() == {}


def test_news_are_recorded_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand schedules that all differ need not be in memory together; the refresh comes with the last."""
    monkeypatch.setattr(compare_legacy, "_BATCH", 2)
    monkeypatch.setattr(compare_legacy, "_RECORDED_AT_ONCE", 2)
    stage = Stage()
    stage.refresh_legacy()
    for number in range(4):
        stage.upstreams.legacy.documents[ScheduleKey(Sid(f"birch{number}"), KEY.date)] = b"{}"
    calls: list[tuple[int, str]] = []

    def record(news: Mapping[ScheduleKey, Comparison], refreshed_at: str) -> None:
        calls.append((len(news), refreshed_at))

    count = stage.pipeline.comparer.compare_all(record)

    assert count == 5
    assert calls == [(2, ""), (2, ""), (1, stage.upstreams.legacy.refreshed)]


def test_the_collection_leaves_what_is_still_to_be_told() -> None:
    """A difference of a schedule that is gone ends with a comparison; what matched is forgotten."""
    stage = Stage()
    other, matching = (ScheduleKey(Sid(sid), KEY.date) for sid in ("birch", "cedar"))
    stage.store.comparisons.keep(
        {other: Comparison(0, Verdict.DIFFERS, "", "", 1), matching: Comparison(0, Verdict.MATCHES, "")}
    )

    assert stage.pipeline.comparer.forget_unknown() == 1
    assert stage.find_news()[other].verdict is Verdict.MATCHES
    assert stage.store.comparisons.all().keys() <= {KEY}
