"""Whether partners may be switched, and that a report never looks better than the truth."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from builders import a_change
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.judge_parity import Evidence
from schedules_pipeline.migration.ports import Comparison, ParityReport, Requirements, Verdict
from schedules_pipeline.migration.tabulate_parity import tabulate

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_REFRESHED = (_NOW - timedelta(minutes=3)).isoformat()
_REQUIREMENTS = Requirements(matching_share=0.99, compared_share=0.9, refresh_minutes=60)
_DIFFERENCE = ("p00000001", "episode.title", "ours", "theirs")


def _key(number: int, sid: str = "alder_one") -> ScheduleKey:
    return ScheduleKey(Sid(sid), date(2026, 3, 1) + timedelta(days=number))


def _change(key: ScheduleKey, seq: int = 1, etag: str = "e") -> Change:
    return a_change(key, seq, etag=etag, published_at=_NOW - timedelta(hours=1))


def _matching(seq: int = 1) -> Comparison:
    return Comparison(seq, Verdict.MATCHES, _REFRESHED)


def _differing(verdict: Verdict = Verdict.DIFFERS, count: int = 1) -> Comparison:
    return Comparison(1, verdict, _REFRESHED, "", count, (_DIFFERENCE,))


def _evidence(comparisons: Mapping[ScheduleKey, Comparison]) -> Evidence:
    """Every schedule is published as version 1, known to the old system, and compared with its latest refresh."""
    keys = frozenset(comparisons)
    return Evidence({key: _change(key) for key in keys}, keys, comparisons, _REFRESHED, _REFRESHED, ())


def test_a_held_schedule_is_neither_compared_nor_a_difference() -> None:
    """It is listed with its hold, whatever an earlier comparison said, and a remark counts it."""
    evidence = replace(_evidence(_many(matching=9, differing=1)), holds={_key(0, "beech"): "hold loss-1"})

    report = _report(evidence)

    assert report.is_ready
    assert (report.overall.comparable, report.verdicts[Verdict.HELD], report.verdicts[Verdict.DIFFERS]) == (
        9,
        1,
        0,
    )
    assert [(s.key, s.reason) for s in report.held] == [(_key(0, "beech"), "hold loss-1")]
    assert any(remark.startswith("1 of 10 schedules are held") for remark in report.remarks)
    assert not any("could not be compared" in remark for remark in report.remarks)


def test_a_comparison_of_a_held_schedule_ends_with_its_hold() -> None:
    """Until the next comparison the schedule is not comparable."""
    report = _report(_evidence({_key(0): Comparison(1, Verdict.HELD, "", "hold loss-1")}))

    assert report.reasons == (("not compared since its hold ended", 1),)
    assert report.held == ()


def _report(evidence: Evidence) -> ParityReport:
    return tabulate(evidence, _REQUIREMENTS, _NOW)


def _many(matching: int, differing: int = 0) -> dict[ScheduleKey, Comparison]:
    found = {_key(number): _matching() for number in range(matching)}
    return found | {_key(number, "beech"): _differing() for number in range(differing)}


def test_a_full_match_is_ready() -> None:
    """If every schedule matches at the latest refresh, there are no objections."""
    report = _report(_evidence(_many(matching=10)))

    assert report.is_ready
    assert report.headline == "ready to switch: 100 % of 10 comparable schedules match; threshold 99.00 %"


def test_too_many_differences_are_an_objection() -> None:
    """Below the threshold the report is not ready, and gives the number of differing schedules."""
    report = _report(_evidence(_many(matching=98, differing=2)))

    assert not report.is_ready
    assert report.headline.startswith("not ready: 98.00 % of 100 comparable schedules match")
    assert any("2 of 100 comparable schedules differ" in objection for objection in report.objections)


def test_a_share_at_the_threshold_is_enough() -> None:
    """A share equal to the threshold is enough."""
    assert _report(_evidence(_many(matching=99, differing=1))).is_ready


def test_a_suspected_difference_does_not_count_as_a_match() -> None:
    """A suspected difference lowers the share like a difference."""
    report = _report(_evidence({_key(0): _matching(), _key(1): _differing(Verdict.SUSPECTED)}))

    assert report.overall.share == 0.5


@pytest.mark.parametrize("reason", ["nothing at all", "nothing comparable"])
def test_nothing_compared_is_not_ready(reason: str) -> None:
    """An empty keyspace and one without valid comparisons are not ready and have no share."""
    comparisons = {} if reason == "nothing at all" else {_key(0): Comparison(1, Verdict.NOT_COMPARABLE, "")}

    report = _report(_evidence(comparisons))

    assert report.overall.share is None
    assert report.headline.startswith("not ready: nothing was compared")
    assert any("no schedule could be compared" in objection for objection in report.objections)


def test_few_compared_schedules_are_not_enough() -> None:
    """One matching schedule of many is not enough for a switch."""
    evidence = _evidence(_many(matching=10))
    compared_one = replace(evidence, comparisons={_key(0): _matching()})

    report = _report(compared_one)

    assert report.overall.share == 1.0
    assert any("only 10.00 % of 10 schedules could be compared" in o for o in report.objections)


def test_a_comparison_of_another_version_does_not_count() -> None:
    """A match of the previous version says nothing about the current one."""
    evidence = _evidence(_many(matching=1))
    moved = replace(evidence, heads={_key(0): _change(_key(0), seq=2)})

    (standing,) = _report(moved).standings

    assert standing.verdict is Verdict.NOT_COMPARABLE


def test_a_comparison_of_an_unknown_schedule_is_left_out() -> None:
    """The report leaves out schedules that neither side has any more."""
    evidence = _evidence(_many(matching=3))
    gone = replace(evidence, heads={_key(0): _change(_key(0))}, legacy=frozenset([_key(0)]))

    assert [s.key for s in _report(gone).standings] == [_key(0)]


def test_a_removed_schedule_is_listed_as_the_old_systems_only() -> None:
    """A removal is no published schedule, although the feed remembers it."""
    evidence = _evidence({_key(0): _differing()})
    removed = replace(evidence, heads={_key(0): _change(_key(0), etag="")})

    report = _report(removed)

    assert report.only_theirs == (_key(0),)
    assert report.only_ours == ()


def test_a_schedule_that_only_the_pipeline_has_is_listed() -> None:
    """A schedule that the old system lacks is listed and is not comparable."""
    reason = "the old system has no such schedule"
    evidence = _evidence({_key(0): Comparison(1, Verdict.NOT_COMPARABLE, "", reason)})
    ours = replace(evidence, legacy=frozenset())

    report = _report(ours)

    assert report.only_ours == (_key(0),)
    assert report.reasons == ((reason, 1),)


@pytest.mark.parametrize(
    ("refreshed", "compared", "objection"),
    [
        ("", "", "does not say when it has refreshed"),
        ("this morning", "this morning", "does not say when it has refreshed"),
        ("2026-03-28T09:00:00+00:00", "2026-03-28T09:00:00+00:00", "has not refreshed for 3 hours"),
        ("2026-03-28T13:00:00+00:00", "2026-03-28T11:59:00+00:00", "in the future"),
        ("2026-03-28T11:59:00+00:00", "", "no refresh of the old system was ever compared"),
        ("2026-03-28T11:50:00+00:00", "2026-03-28T11:30:00+00:00", "was not compared"),
        ("2026-03-28T11:59:30+00:00", "2026-03-28T10:30:00+00:00", "was not compared"),
    ],
)
def test_staleness_is_an_objection(refreshed: str, compared: str, objection: str) -> None:
    """A full match is not ready if the old system has stopped, or its latest refresh was not compared."""
    stale = replace(_evidence(_many(matching=5)), refreshed_at=refreshed, compared_refresh=compared)

    report = _report(stale)

    assert report.overall.share == 1.0
    assert any(objection in found for found in report.objections), report.objections


def test_a_refresh_of_a_moment_ago_is_only_remarked() -> None:
    """Between a refresh and its comparison, the report uses the previous one and says so."""
    just_now = (_NOW - timedelta(seconds=20)).isoformat()
    report = _report(replace(_evidence(_many(matching=5)), refreshed_at=just_now))

    assert report.is_ready
    assert any("refreshed since the comparison" in remark for remark in report.remarks)


def test_tables_count_by_service_date_and_field() -> None:
    """Each table has one row for each group, with the counts of that group."""
    report = _report(_evidence(_many(matching=3, differing=2)))

    assert [(t.name, t.schedules, t.comparable, t.matching) for t in report.by_service] == [
        ("alder_one", 3, 3, 3),
        ("beech", 2, 2, 0),
    ]
    assert [(t.name, t.schedules, t.matching) for t in report.by_date] == [
        ("2026-03-01", 2, 1),
        ("2026-03-02", 2, 1),
        ("2026-03-03", 1, 1),
    ]
    assert [(f.field, f.sid, f.schedules, f.differences) for f in report.by_field] == [
        ("episode.title", "beech", 2, 2)
    ]


def test_the_worst_come_first() -> None:
    """Standing differences come before suspected ones, and the most differences first."""
    report = _report(
        _evidence(
            {
                _key(0): _differing(count=1),
                _key(1): _differing(Verdict.SUSPECTED, count=9),
                _key(2): _differing(count=5),
                _key(3): _matching(),
            }
        )
    )

    assert [standing.key for standing in report.worst] == [_key(2), _key(0), _key(1)]


@given(
    verdicts=st.lists(st.sampled_from(Verdict), max_size=30),
    moved=st.sets(st.integers(min_value=0, max_value=29)),
)
def test_counts_add_up_for_any_evidence(verdicts: list[Verdict], moved: set[int]) -> None:
    """Every table counts each schedule once, and a match only of the current version."""
    comparisons = {_key(n): Comparison(1, verdict, _REFRESHED) for n, verdict in enumerate(verdicts)}
    evidence = _evidence(comparisons)
    heads = {key: _change(key, seq=1 + (n in moved)) for n, key in enumerate(comparisons)}

    report = _report(replace(evidence, heads=heads))

    expected = sum(v is Verdict.MATCHES and n not in moved for n, v in enumerate(verdicts))
    assert report.overall.matching == expected
    assert sum(report.verdicts.values()) == report.overall.schedules == len(verdicts)
    assert sum(tally.matching for tally in report.by_service) == expected
    assert sum(tally.schedules for tally in report.by_date) == len(verdicts)
    assert sum(count for _, count in report.reasons) == report.overall.schedules - report.overall.comparable
