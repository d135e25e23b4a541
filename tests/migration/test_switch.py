"""Switching partners: rejections, records, and that two operators cannot overwrite each other."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from builders import a_change
from fakes import FakeClock, fake_store, fake_upstreams

from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports import PassName, Request
from schedules_pipeline.migration.ports import NEVER_SWITCHED, Comparison, Requirements, ServedSource, Verdict
from schedules_pipeline.migration.report_parity import ParityReporter
from schedules_pipeline.migration.switch import Switcher, SwitchRejected

_SCHEDULES = 100


class Stage:
    """A hundred published schedules that were compared with a refresh of a minute ago."""

    def __init__(self, differing: int = 0) -> None:
        self.clock = FakeClock()
        fakes, upstreams = fake_store(self.clock), fake_upstreams(self.clock, Random(0))
        self.feed, self.comparisons, self.coldstarts = fakes.feed, fakes.comparisons, fakes.coldstarts
        self.served, self.trend, self.passes = fakes.served, fakes.parity_trend, fakes.passes
        self.legacy = upstreams.legacy
        requirements = Requirements(matching_share=0.995, compared_share=0.9, refresh_minutes=60)
        store = fakes.as_store()
        self.reporter = ParityReporter(
            store, upstreams.as_upstreams(), self.clock, KEEPS_EVERYTHING, requirements
        )
        self.switcher = Switcher(store, self.reporter, self.clock)
        refreshed = (self.clock() - timedelta(minutes=1)).isoformat()
        keys = [ScheduleKey(Sid("alder_one"), date(2026, 1, 1) + timedelta(n)) for n in range(_SCHEDULES)]
        self.feed.append([(key, 1, render_row(_change(key))) for key in keys])
        self.legacy.documents = dict.fromkeys(keys, b"")
        self.legacy.refreshed = refreshed
        verdicts = [Verdict.DIFFERS] * differing + [Verdict.MATCHES] * (_SCHEDULES - differing)
        compared = zip(keys, verdicts, strict=True)
        self.comparisons.keep({key: Comparison(1, verdict, refreshed) for key, verdict in compared})
        self.comparisons.record_compared_refresh(refreshed)


def _change(key: ScheduleKey) -> Change:
    return a_change(key, published_at=datetime(2026, 3, 1, tzinfo=UTC))


def test_partners_are_served_by_the_old_system_at_first() -> None:
    """Before the first switch, the record names the old system."""
    assert Stage().served.current() == NEVER_SWITCHED
    assert NEVER_SWITCHED.source is ServedSource.LEGACY


def test_a_switch_is_recorded_with_who_when_why_and_the_share() -> None:
    """A switch without objections is recorded with its operator, time, reason and share."""
    stage = Stage()

    result = stage.switcher.switch(stage.switcher.plan(ServedSource.OURS), "ada", "parity reached")

    served = stage.served.current()
    assert result == served
    assert (served.source, served.by, served.reason) == (ServedSource.OURS, "ada", "parity reached")
    assert (served.since, served.parity_share, served.forced) == (stage.clock(), 1.0, False)


def test_a_switch_below_the_threshold_is_rejected() -> None:
    """With too many differences nothing is switched, and the error gives their number."""
    stage = Stage(differing=2)

    with pytest.raises(SwitchRejected, match="2 of 100 comparable schedules differ"):
        stage.switcher.switch(stage.switcher.plan(ServedSource.OURS), "ada", "")

    assert stage.served.switches() == []


def test_a_forced_switch_goes_ahead_and_says_that_it_was_forced() -> None:
    """Force overrides the objections, and the record says so."""
    stage = Stage(differing=2)

    result = stage.switcher.switch(stage.switcher.plan(ServedSource.OURS, force=True), "ada", "agreed")

    assert result.forced
    assert result.parity_share == 0.98


def test_force_that_was_not_needed_is_not_recorded_as_such() -> None:
    """Without objections, the record does not say that they were overridden."""
    stage = Stage()

    result = stage.switcher.switch(stage.switcher.plan(ServedSource.OURS, force=True), "ada", "")

    assert not result.forced


def test_a_stale_comparison_rejects() -> None:
    """A full match with a refresh of two hours ago is rejected."""
    stage = Stage()
    stage.clock.advance(timedelta(hours=2))

    plan = stage.switcher.plan(ServedSource.OURS)

    assert plan.is_rejected
    assert any("has not refreshed for 2 hours" in objection for objection in plan.objections)


def test_an_open_coldstart_rejects() -> None:
    """Partners are not switched during a coldstart."""
    stage = Stage()
    stage.coldstarts.open("c1", Request("a lost Redis", stage.clock()))

    plan = stage.switcher.plan(ServedSource.OURS)

    assert plan.is_rejected
    assert any("a coldstart is requested" in objection for objection in plan.objections)


def test_switching_back_is_never_rejected() -> None:
    """At any parity, partners go back to the old system without force."""
    stage = Stage(differing=50)
    stage.switcher.switch(stage.switcher.plan(ServedSource.OURS, force=True), "ada", "")
    stage.clock.advance(timedelta(days=2))
    stage.coldstarts.open("c1", Request("storm", stage.clock()))

    result = stage.switcher.switch(stage.switcher.plan(ServedSource.LEGACY), "grace", "titles are wrong")

    assert not result.forced
    assert [s.source for s in stage.served.switches()] == [ServedSource.LEGACY, ServedSource.OURS]


def test_switching_to_where_partners_are_changes_nothing() -> None:
    """A needless switch is not recorded."""
    stage = Stage()

    with pytest.raises(SwitchRejected, match="already"):
        stage.switcher.switch(stage.switcher.plan(ServedSource.LEGACY), "ada", "")

    assert stage.served.switches() == []


def test_two_operators_cannot_cross() -> None:
    """A plan made before another operator's switch is not carried out."""
    stage = Stage()
    plan = stage.switcher.plan(ServedSource.OURS)
    stage.switcher.switch(plan, "ada", "first")
    stage.switcher.switch(stage.switcher.plan(ServedSource.LEGACY), "ada", "back again")

    with pytest.raises(SwitchRejected, match="another operator has switched since by ada"):
        stage.switcher.switch(plan, "grace", "second")

    assert len(stage.served.switches()) == 2


def test_objections_since_the_plan_count() -> None:
    """A plan without objections is rejected if there are some when it is carried out."""
    stage = Stage()
    plan = stage.switcher.plan(ServedSource.OURS)
    stage.clock.advance(timedelta(hours=2))

    with pytest.raises(SwitchRejected, match="has not refreshed"):
        stage.switcher.switch(plan, "ada", "")


def test_a_plan_says_what_changes_for_partners() -> None:
    """The plan lists what stays, what differs and what disappears, before anything happens."""
    stage = Stage(differing=3)
    stage.legacy.documents[ScheduleKey(Sid("beech"), date(2026, 3, 1))] = b""

    effects = " / ".join(stage.switcher.plan(ServedSource.OURS).effects)

    assert "97 of 100 comparable schedules stay as they are (97.00 %)" in effects
    assert "3 schedules change; 1 could not be compared" in effects
    assert "1 schedules that partners see now will be gone; 0 appear" in effects


def test_a_report_is_added_to_the_trend_and_recorded_as_a_pass() -> None:
    """Each report adds a point to the trend, and its counts are recorded."""
    stage = Stage(differing=1)

    report = stage.reporter.report()

    assert stage.trend.all() == [report.point]
    latest = stage.passes.all()[PassName.PARITY].latest
    assert latest.succeeded
    assert latest.counts["matching"] == 99
    assert stage.reporter.report().trend == (report.point,)


def test_a_failed_report_is_recorded_as_a_failed_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the legacy keyspace does not answer, the failure is recorded and the error raised."""
    stage = Stage()

    def fail() -> str:
        raise ServiceError("Redis: gone")

    monkeypatch.setattr(stage.legacy, "refreshed_at", fail)

    with pytest.raises(ServiceError):
        stage.reporter.report()

    assert stage.passes.all()[PassName.PARITY].latest.problem == "ServiceError: Redis: gone"
    assert stage.trend.all() == []


def test_a_preview_leaves_no_trace() -> None:
    """A plan or a preview adds nothing to the trend and the passes."""
    stage = Stage()

    stage.switcher.plan(ServedSource.OURS)

    assert stage.trend.all() == []
    assert stage.passes.all() == {}
