"""The watch over fakes: its notices, and what happens if a watcher dies, a source is unreachable, or a channel
fails.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from fakes import Conditions, FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Notice, State, due_notices
from schedules_pipeline.health.ports import DagsterSnapshot, FailedCheck, FailedRun, Notifier
from schedules_pipeline.health.watch import Watch
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind

_LOOK = timedelta(seconds=30)
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_RUN = FailedRun("reconcile", "r1", datetime(2026, 3, 28, 11, tzinfo=UTC))


class Listener:
    """Accepts every notice, unless ``error`` is set."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.error: BaseException | None = None
        self.heard: list[Notice] = []

    def send(self, notice: Notice) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(notice)

    def told(self) -> list[str]:
        return [f"{notice.phase} {notice.name}" for notice in self.heard]


class Away(Conditions):
    """Makes chosen steps fail."""

    def __init__(self) -> None:
        self.fails: Callable[[str], bool] = lambda step: False

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        if self.fails(step):
            raise ServiceError("Redis: away")


class Killed(BaseException):
    """The death of a process at this point."""


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.away = Away()
        self.outside = Away()
        self.store: FakeStore = fake_store(self.clock, self.away)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0), self.outside)
        self.first, self.second = Listener("first"), Listener("second")
        self.watch = self.new_watch(self.first, self.second)

    def new_watch(self, *notifiers: Notifier) -> Watch:
        return Watch(HealthCheck(self.store.as_store(), self.upstreams.as_upstreams(), self.clock), notifiers)

    def snapshot(self, *failed: FailedRun) -> DagsterSnapshot:
        return DagsterSnapshot(self.clock(), failed)

    def look(self, *failed: FailedRun) -> None:
        self.watch.check(self.snapshot(*failed))
        self.clock.advance(_LOOK)

    def undelivered(self) -> list[str]:
        """The deliveries that are still to be made."""
        return [
            f"{notice.phase} {notice.name} to {channel}"
            for incident in self.store.incidents.latest()
            for channel in incident.told
            for notice in due_notices(incident, channel, self.clock())
        ]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A keyspace with a schedule, so that only what a test causes is a condition."""
    made = Stage()
    monkeypatch.setattr(made.store.feed, "count_schedules", lambda: 1)
    return made


def test_an_alarm_and_its_end_are_sent_once(stage: Stage) -> None:
    """For any number of checks, every channel gets one notice when an incident is raised and one when it is over."""
    for failed in [(_RUN,)] * 4 + [()] * 6:
        stage.look(*failed)

    assert stage.first.told() == stage.second.told() == ["raised runs-failed", "cleared runs-failed"]
    assert stage.undelivered() == []


def test_a_check_reports_the_open_incidents(stage: Stage) -> None:
    """The report names open incidents and notices; the recorded pass and the counters hold the numbers."""
    report = stage.watch.check(stage.snapshot(_RUN))

    noted = stage.store.passes.all()[PassName.WATCH].latest
    assert [incident.name for incident in report.open] == [ConditionName.RUNS_FAILED]
    assert [incident.name for incident in report.raised] == [ConditionName.RUNS_FAILED]
    assert (
        dict(noted.counts)
        == report.counts()
        == {
            "open": 1,
            "raised": 1,
            "cleared": 0,
            "notices sent": 2,
            "notices not taken": 0,
        }
    )
    assert noted.succeeded
    assert stage.store.counters.all()[Counter.ALARM_NOTICES_SENT] == 2


def test_conditions_come_from_the_store_and_the_queues(stage: Stage) -> None:
    """Each part of the store and each queue can cause its alarm."""
    now = stage.clock()
    cause = Cause("e", Origin.SCHEDULE, str(_KEY), now - timedelta(hours=1))
    stage.store.work.mark([Mark(_KEY, now - timedelta(hours=1), cause)])
    stage.store.failing_checks.record({(_KEY, "index_complete"): FailedCheck("1 missing", is_error=True)})
    stage.upstreams.catalogue_dead_letters.post("dead")
    aside = Progress("0", "life").quarantined("answered with status 410", now)
    hook = Subscription("harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", now)
    stage.store.subscriptions.create(hook, aside)
    stage.store.heartbeats.record(DeliveryProcess.PUSHER, now - timedelta(hours=1))

    for _ in range(2):
        stage.look()

    assert sorted(stage.first.told()) == [
        "raised checks-failed",
        "raised dead-letters",
        "raised delivery-silent",
        "raised publisher-missing",
        "raised schedules-late",
        "raised subscriptions-quarantined",
    ]


def test_two_watchers_send_once(stage: Stage) -> None:
    """A second watcher over the same store has the same findings and sends no notice again."""
    other = stage.new_watch(stage.first, stage.second)
    for failed in [(_RUN,)] * 2 + [()] * 4:
        stage.watch.check(stage.snapshot(*failed))
        other.check(stage.snapshot(*failed))
        stage.clock.advance(_LOOK)

    assert stage.first.told() == stage.second.told() == ["raised runs-failed", "cleared runs-failed"]


@pytest.mark.parametrize("error", [ServiceError("down"), ValueError("a defect")])
def test_a_failing_channel_does_not_delay_the_others(stage: Stage, error: Exception) -> None:
    """The other channel gets its notice at once, and the failing one when it works again."""
    stage.first.error = error
    report = stage.watch.check(stage.snapshot(_RUN))
    stage.clock.advance(_LOOK)
    in_between = (stage.first.told(), stage.second.told(), stage.undelivered())
    stage.first.error = None
    stage.look(_RUN)

    assert in_between == ([], ["raised runs-failed"], ["raised runs-failed to first"])
    assert report.failed == 1
    assert report.problem.startswith("first: ")
    assert stage.first.told() == stage.second.told() == ["raised runs-failed"]


def test_a_failed_delivery_is_reported(stage: Stage) -> None:
    """It is the problem of the pass, and it is counted."""
    stage.second.error = ServiceError("answered with status 500")

    stage.look(_RUN)

    noted = stage.store.passes.all()[PassName.WATCH].latest
    assert noted.problem == "second: answered with status 500"
    assert stage.store.counters.all()[Counter.ALARM_NOTICES_FAILED] == 1


def test_the_text_of_a_foreign_error_is_not_passed_on(stage: Stage) -> None:
    """Only errors of the pipeline are known to hold no secret; of others the type is reported."""
    stage.first.error = ValueError("https://example.test/token")

    report = stage.watch.check(stage.snapshot(_RUN))

    assert report.problem == "first: ValueError"


def test_an_all_clear_never_comes_before_its_alarm(stage: Stage) -> None:
    """If the alarm could not be sent before it was over, both notices are sent in order."""
    stage.first.error = ServiceError("down")
    for failed in [(_RUN,)] + [()] * 5:
        stage.look(*failed)
    stage.first.error = None

    stage.look()

    assert stage.first.told() == ["raised runs-failed", "cleared runs-failed"]


@pytest.mark.parametrize("step", ["save", "save answers", "release", "record"])
def test_a_watcher_that_dies_loses_no_notice(stage: Stage, step: str) -> None:
    """The next check sends what is due; a notice that was not recorded as accepted has the same id again."""

    def die(at: str) -> bool:
        if at == step:
            raise Killed
        return False

    stage.away.fails = die
    with pytest.raises(Killed):
        stage.watch.check(stage.snapshot(_RUN))
    stage.away.fails = lambda at: False
    stage.clock.advance(_LOOK)

    stage.new_watch(stage.first, stage.second).check(stage.snapshot(_RUN))

    assert {notice.id for notice in stage.first.heard} == {notice.id for notice in stage.second.heard}
    assert set(stage.first.told()) == {"raised runs-failed"}
    assert stage.undelivered() == []


def test_a_watcher_that_dies_while_sending_loses_no_notice(stage: Stage) -> None:
    """Another watcher sends it when the lease has ended."""
    stage.first.error = Killed()
    with pytest.raises(Killed):
        stage.watch.check(stage.snapshot(_RUN))
    stage.first.error = None
    stage.clock.advance(_LOOK)

    stage.new_watch(stage.first, stage.second).check(stage.snapshot(_RUN))

    assert stage.first.told() == stage.second.told() == ["raised runs-failed"]


def test_an_upstream_that_does_not_answer_is_an_alarm_of_its_own(stage: Stage) -> None:
    """Everything else is checked, and alarms about that upstream stay as they were."""
    stage.upstreams.schedule_dead_letters.post("dead")
    stage.look()
    stage.outside.fails = lambda step: True

    for _ in range(6):
        stage.look(_RUN)

    assert sorted(stage.first.told()) == [
        "raised dead-letters",
        "raised runs-failed",
        "raised upstream-unreachable",
    ]
    found = next(n for n in stage.first.heard if n.name is ConditionName.UPSTREAM_UNREACHABLE)
    assert set(found.details) == {
        "schedule_events",
        "catalogue_events",
        "schedule_dead_letters",
        "catalogue_dead_letters",
        "the legacy keyspace",
    }


def test_an_unreachable_store_is_reported_directly_and_once(stage: Stage) -> None:
    """The notice cannot be recorded, so it is sent at once; so is the all-clear."""
    stage.away.fails = lambda step: True
    for _ in range(3):
        with pytest.raises(ServiceError, match="Redis: away"):
            stage.look()
        stage.clock.advance(_LOOK)
    stage.away.fails = lambda step: False

    stage.look()
    stage.look()

    assert stage.first.told() == ["raised store-unreachable", "cleared store-unreachable"]
    assert "Redis: away" in stage.first.heard[0].summary
    assert stage.first.heard[0].since == stage.first.heard[1].since


def test_a_channel_that_missed_the_alarm_of_the_store_gets_it_later(stage: Stage) -> None:
    """A failed delivery is retried at the next check; each channel gets the alarm before its all-clear."""
    stage.away.fails = lambda step: True
    stage.first.error = stage.second.error = ServiceError("down")
    with pytest.raises(ServiceError):
        stage.look()
    stage.first.error = None
    with pytest.raises(ServiceError):
        stage.look()
    stage.away.fails = lambda step: False
    stage.second.error = None

    stage.look()

    assert stage.first.told() == ["raised store-unreachable", "cleared store-unreachable"]
    assert stage.second.told() == ["raised store-unreachable", "cleared store-unreachable"]


def test_a_store_that_fails_during_a_check_is_unreachable(stage: Stage) -> None:
    """A later check goes on, and no notice is sent twice."""
    stage.away.fails = lambda step: step == "release"
    with pytest.raises(ServiceError):
        stage.look(_RUN)
    stage.away.fails = lambda step: False
    stage.clock.advance(_LOOK)

    stage.look(_RUN)

    assert stage.first.told() == [
        "raised runs-failed",
        "raised store-unreachable",
        "cleared store-unreachable",
    ]


def test_without_channels_incidents_are_recorded(stage: Stage) -> None:
    """Open incidents can be listed, and no notices pile up."""
    report = stage.new_watch().check(stage.snapshot(_RUN))

    assert [incident.name for incident in report.open] == [ConditionName.RUNS_FAILED]
    assert stage.undelivered() == []


def test_a_second_watcher_leaves_the_incidents_to_the_first(stage: Stage) -> None:
    """While another watcher holds the lease, a check reports open incidents and sends nothing."""
    stage.look(_RUN)
    stage.first.heard.clear()
    assert stage.store.incidents.lead("another check", timedelta(minutes=5))

    report = stage.watch.check(stage.snapshot())

    assert [incident.name for incident in report.open] == [ConditionName.RUNS_FAILED]
    assert [incident.state for incident in stage.store.incidents.latest()] == [State.RAISED]
    assert stage.first.told() == []


def test_a_notice_that_is_never_accepted_keeps_no_other_back(stage: Stage) -> None:
    """Notices are tried in changing order, so a channel gets all others within some checks."""

    def choosy(notice: Notice) -> None:
        if notice.name is ConditionName.RUNS_FAILED:
            raise ServiceError("too long")
        stage.first.heard.append(notice)

    stage.first.send = choosy  # type: ignore[method-assign]
    stage.upstreams.schedule_dead_letters.post("dead")
    for _ in range(60):
        stage.look(_RUN)

    assert stage.first.told() == ["raised dead-letters"]


def test_the_watch_samples_the_memory_of_redis_every_quarter_of_an_hour(stage: Stage) -> None:
    """Not at every check, so that a day of samples is a short list."""
    for _ in range(61):
        stage.look()
        stage.clock.advance(_LOOK)

    taken = [sample.at for sample in stage.store.memory_history.all()]

    assert len(taken) >= 3
    assert {later - earlier for later, earlier in pairwise(taken)} == {timedelta(minutes=15)}
