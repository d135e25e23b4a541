"""The content of one scrape of a pipeline over fakes."""

import threading
from datetime import timedelta
from math import inf

import pytest
from scraping import KEY, Scrape, Stage
from structlog.testing import capture_logs

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.growth import MemorySample
from schedules_pipeline.health.incidents import Incident, State
from schedules_pipeline.health.metrics.collector import PipelineCollector
from schedules_pipeline.health.metrics.series import COUNTERS, DURATIONS, METRICS, Sample
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.maintenance.ports import PassName, PassReport, Request
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.partners.ports import NOBODY, UsageKind, UsageLine
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Failure
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind


@pytest.fixture
def stage() -> Stage:
    return Stage()


_USAGE = {
    UsageLine("acme", UsageKind.REQUESTS, "/v1/changes", "200"): 5,
    UsageLine("acme", UsageKind.REQUESTS, "/v1/changes", "304"): 7,
    UsageLine("acme", UsageKind.BYTES): 9_000,
    UsageLine("acme", UsageKind.DEPRECATED, "/v1/changes", "limit"): 3,
    UsageLine(NOBODY, UsageKind.REQUESTS, "none", "401"): 2,
    UsageLine(NOBODY, UsageKind.PROBLEMS, "", "no-key"): 2,
}


def test_all_counters_begin_at_zero(stage: Stage) -> None:
    """Every counter and histogram is in the first scrape, so that the first event is an increase."""
    scrape = stage.scrape()

    for metric, values in COUNTERS.values():
        labels = dict(zip(METRICS[metric].labels, values, strict=True))
        assert scrape.value(metric, **labels) == 0
    for metric, values in DURATIONS.values():
        labels = dict(zip(METRICS[metric].labels, values, strict=True))
        assert scrape.value(f"{metric}_count", **labels) == 0
    assert scrape.failed_parts() == set()


def test_a_change_is_seen_from_notification_to_version(stage: Stage) -> None:
    """A published put counts as received, handled and published, with its wait in one bucket."""
    stage.announce()
    stage.clock.advance(timedelta(seconds=7))
    stage.ingest()
    stage.pipeline.publisher.publish_all()

    scrape = stage.scrape()

    assert scrape.value("schedules_notifications_received_total", queue="schedule_events") == 1
    assert scrape.value("schedules_notifications_handled_total", queue="schedule_events", kind="put") == 1
    assert scrape.value("schedules_outcomes_total", outcome="published") == 1
    assert scrape.value("schedules_time_to_published_seconds_sum", origin="schedule") == pytest.approx(7)
    buckets = {
        s.labels["le"]: s.value
        for s in scrape.samples
        if s.name == "schedules_time_to_published_seconds_bucket" and s.labels["origin"] == "schedule"
    }
    assert (buckets["5.0"], buckets["10.0"], buckets["+Inf"]) == (0, 1, 1)
    assert scrape.value("schedules_workflow_seconds_count", workflow="publish") == 1
    assert scrape.value("schedules_workflow_seconds_count", workflow="schedule_intake") == 1
    assert scrape.value("schedules_known") == 1
    assert scrape.value("schedules_unrecorded_changes") == 1


def test_an_unchanged_build_has_no_wait(stage: Stage) -> None:
    """Only new versions count in the histogram."""
    stage.publish()
    stage.publish()

    scrape = stage.scrape()

    assert scrape.value("schedules_outcomes_total", outcome="unchanged") == 1
    assert scrape.value("schedules_time_to_published_seconds_count", origin="schedule") == 1


def test_pending_work_is_late(stage: Stage) -> None:
    """A pending schedule is in the backlog and overdue, and the age of its notification is the lag of its origin."""
    stage.announce()
    stage.ingest()
    stage.clock.advance(timedelta(minutes=3))

    scrape = stage.scrape()

    assert scrape.value("schedules_backlog", state="dirty") == 1
    assert scrape.value("schedules_lag_seconds", origin="schedule") == 180
    assert scrape.value("schedules_lag_seconds", origin="catalogue") == 0
    assert scrape.value("schedules_overdue_seconds") == 180
    assert scrape.value("schedules_publisher_present") == 0


def test_the_states_of_the_backlog_are_told_apart(stage: Stage) -> None:
    """Each state has its series; a quarantined schedule is no longer late."""
    stage.announce()
    stage.ingest()
    claim = stage.store.work.claim(1, stage.clock(), timedelta(minutes=2))
    assert claim is not None
    stage.clock.advance(timedelta(seconds=5))

    claimed = stage.scrape()
    stage.store.work.postpone(claim, {KEY: Failure("it broke", None)}, counts=True)
    aside = stage.scrape()

    assert claimed.value("schedules_backlog", state="in_progress") == 1
    assert claimed.value("schedules_lag_seconds", origin="schedule") == 5
    assert aside.value("schedules_backlog", state="set_aside") == 1
    assert aside.value("schedules_lag_seconds", origin="schedule") == 0


def test_queues_show_depth_and_age(stage: Stage) -> None:
    """The age counts from the last empty poll, and is 0 if no message waits."""
    stage.store.queue_polls.record_poll(QueueName.SCHEDULE_EVENTS, stage.clock(), None)
    stage.clock.advance(timedelta(seconds=90))
    stage.announce()
    stage.upstreams.catalogue_dead_letters.post("{}")

    scrape = stage.scrape()

    assert scrape.value("schedules_queue_messages", queue="schedule_events", state="waiting") == 1
    assert scrape.value("schedules_queue_oldest_message_age_seconds", queue="schedule_events") == 90
    assert scrape.value("schedules_queue_oldest_message_age_seconds", queue="catalogue_events") == 0
    polled = stage.clock().timestamp() - 90
    assert scrape.value("schedules_queue_polled_timestamp_seconds", queue="schedule_events") == polled
    assert scrape.value("schedules_queue_polled_timestamp_seconds", queue="catalogue_events") is None
    assert scrape.value("schedules_dead_letters", queue="catalogue_events") == 1


def test_parity_is_counted_by_service(stage: Stage) -> None:
    """Each service has every verdict, zeros included."""
    keys = [ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch")]
    verdicts = (Verdict.MATCHES, Verdict.DIFFERS)
    stage.store.comparisons.keep({k: Comparison(1, v, "x") for k, v in zip(keys, verdicts, strict=True)})

    scrape = stage.scrape()

    assert scrape.value("schedules_compared", service="alder", verdict="matches") == 1
    assert scrape.value("schedules_compared", service="alder", verdict="differs") == 0
    assert scrape.value("schedules_compared", service="birch", verdict="differs") == 1
    assert scrape.value("schedules_compared", service="birch", verdict="not comparable yet") == 0


def test_passes_show_their_latest_reports(stage: Stage) -> None:
    """A failure after a success shows both times, the totals, and the counts of the failed pass."""
    began = stage.clock()
    well = PassReport(PassName.COLLECTION, began, began + timedelta(seconds=2), {"copies": 3})
    later = began + timedelta(hours=1)
    ill = PassReport(PassName.COLLECTION, later, later + timedelta(seconds=1), {"copies": 1}, "Redis: down")
    stage.store.passes.record(well)
    stage.store.passes.record(ill)

    scrape = stage.scrape()

    of = {"pass": "collection"}
    assert scrape.value("schedules_pass_runs_total", **of) == 2
    assert scrape.value("schedules_pass_failures_total", **of) == 1
    assert scrape.value("schedules_pass_seconds_total", **of) == 3
    assert scrape.value("schedules_pass_last_seconds", **of) == 1
    assert scrape.value("schedules_pass_last_timestamp_seconds", **of) == ill.ended_at.timestamp()
    assert scrape.value("schedules_pass_last_success_timestamp_seconds", **of) == well.ended_at.timestamp()
    assert scrape.value("schedules_pass_last_result", **of, count="copies") == 1
    never = {"pass": "reconciliation"}
    assert scrape.value("schedules_pass_runs_total", **never) == 0
    assert scrape.value("schedules_pass_last_timestamp_seconds", **never) is None


def test_a_coldstart_shows_its_progress(stage: Stage) -> None:
    """Its stage, progress, rate, last activity, and the paused intake are exported."""
    book = stage.store.coldstarts
    book.open("one", Request("lost", stage.clock()))
    book.lead("one", "worker", stage.clock(), timedelta(minutes=1))
    book.pause_intake(timedelta(minutes=1))
    keys = [ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch", "cedar")]
    book.list_work("one", [keys], stage.clock())
    book.record_built("one", keys[:1], {"published": 1})
    stage.clock.advance(timedelta(seconds=4))

    scrape = stage.scrape()

    assert scrape.value("schedules_coldstart_in_progress", stage="building") == 1
    assert scrape.value("schedules_coldstart_in_progress", stage="preparing") == 0
    assert scrape.value("schedules_coldstart_schedules", state="done") == 1
    assert scrape.value("schedules_coldstart_schedules", state="left") == 2
    assert scrape.value("schedules_coldstart_rate") == 0.25
    alive_at = scrape.value("schedules_coldstart_alive_timestamp_seconds")
    assert alive_at == (stage.clock() - timedelta(seconds=4)).timestamp()
    assert scrape.value("schedules_intake_paused") == 1


def test_without_a_coldstart_there_is_none_in_progress(stage: Stage) -> None:
    """Every stage is 0, and the intake is not paused."""
    scrape = stage.scrape()

    assert scrape.value("schedules_coldstart_in_progress", stage="requested") == 0
    assert scrape.value("schedules_coldstart_schedules", state="left") is None
    assert scrape.value("schedules_intake_paused") == 0


def test_alarms_that_are_raised_are_shown(stage: Stage) -> None:
    """An alarm that was never raised has no series."""
    _raise_alarm(stage)

    scrape = stage.scrape()

    assert scrape.value("schedules_alarm_raised", alarm="dead-letters") == 1
    assert scrape.value("schedules_alarm_raised", alarm="schedules-late") is None


def test_rejected_input_is_counted(stage: Stage) -> None:
    """A rejected message counts once, and is one of the stored rejections."""
    stage.upstreams.catalogue_queue.post("no notification")
    stage.ingest()
    stage.store.rejections.keep({"p0000001": Rejection("odd", stage.clock(), "d", "", "")})

    scrape = stage.scrape()

    assert scrape.value("schedules_notifications_refused_total", queue="catalogue_events") == 1
    assert scrape.value("schedules_notifications_refused_total", queue="schedule_events") == 0
    assert scrape.value("schedules_refused_inputs") == 2


def test_time_until_redis_is_full(stage: Stage) -> None:
    """Without a prediction it is infinite, so that a rule need only compare."""
    before = stage.scrape().value("schedules_redis_until_full_seconds")
    for number in range(96):
        at = stage.clock() + timedelta(minutes=15 * number)
        stage.store.memory_history.add(MemorySample(at, 500 + number, 995))

    after = stage.scrape().value("schedules_redis_until_full_seconds")

    assert before == inf
    assert after == pytest.approx(360_000)


def test_a_queue_that_does_not_answer_affects_no_other_part(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its series are missing and its part is named; the other queue and the store's parts are there."""
    stage.publish()
    monkeypatch.setattr(stage.upstreams.schedule_queue, "depth", _unreachable)

    scrape = stage.scrape()

    assert scrape.failed_parts() == {"schedule_events"}
    assert scrape.value("schedules_queue_messages", queue="schedule_events", state="waiting") is None
    assert scrape.value("schedules_queue_messages", queue="catalogue_events", state="waiting") == 0
    assert scrape.value("schedules_outcomes_total", outcome="published") == 1


def test_a_defect_of_one_part_is_logged_with_its_traceback() -> None:
    """An unexpected error fails one part."""
    parts = {"broken": _broken, "well": lambda: [Sample("schedules_known", (), 3)]}

    with capture_logs() as lines:
        scrape = Scrape(PipelineCollector(parts))

    assert scrape.failed_parts() == {"broken"}
    assert scrape.value("schedules_known") == 3
    assert [(line["part"], type(line["exc_info"])) for line in lines] == [("broken", KeyError)]


def test_usage_is_shown_by_partner(stage: Stage) -> None:
    """Totals of all days: requests by route and status, bytes, and problems, also without a key."""
    today = stage.clock().date()
    stage.store.partners.add_usage(today - timedelta(days=1), _USAGE)
    stage.store.partners.add_usage(today, _USAGE)

    scrape = stage.scrape()

    requests, route = "schedules_delivery_requests_total", "/v1/changes"
    assert scrape.value(requests, partner="acme", route=route, status="304") == 14
    assert scrape.value(requests, partner="(none)", route="none", status="401") == 4
    assert scrape.value("schedules_delivery_bytes_total", partner="acme") == 18_000
    assert scrape.value("schedules_delivery_problems_total", partner="(none)", problem="no-key") == 4
    deprecated = "schedules_delivery_deprecated_total"
    assert scrape.value(deprecated, partner="acme", route=route, parameter="limit") == 6


def test_a_part_that_hangs_is_called_once() -> None:
    """A scrape ends without it, and the next scrape waits for the same call."""
    released, asked = threading.Event(), threading.Semaphore(0)

    def hang() -> list[Sample]:
        asked.release()
        released.wait()
        return [Sample("schedules_known", (), 3)]

    collector = PipelineCollector({"well": list, "hangs": hang}, patience_seconds=0.5)

    first, second = Scrape(collector), Scrape(collector)

    released.set()
    assert first.failed_parts() == second.failed_parts() == {"hangs"}
    assert asked.acquire(blocking=False)
    assert not asked.acquire(blocking=False)


def test_every_part_returns_registered_metrics(stage: Stage) -> None:
    """Every sample belongs to a registered metric, with all its labels, and no series comes twice."""
    stage.publish()
    _fill(stage)

    samples = [sample for part in stage.parts().values() for sample in part()]

    assert all(len(s.labels) == len(METRICS[s.metric].labels) for s in samples)
    assert len({(s.metric, s.labels) for s in samples}) == len(samples)
    assert {s.metric for s in samples} | {"schedules_scrape_errors"} == set(METRICS)


def test_subscriptions_are_shown_one_by_one() -> None:
    """Each has its lag, its failures, and whether it is quarantined."""
    stage = Stage()
    stage.publish()
    for name, position in (("told", stage.store.feed.last_position()), ("behind", "0")):
        made = Subscription(name, "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", stage.clock())
        stage.store.subscriptions.create(made, Progress(position, "scraped", failures=len(name)))
    stage.clock.advance(timedelta(seconds=30))

    scrape = stage.scrape()

    assert scrape.value("schedules_push_lag_seconds", subscription="told") == 0
    assert scrape.value("schedules_push_lag_seconds", subscription="behind") == 30
    assert scrape.value("schedules_push_failures", subscription="told") == 4
    assert scrape.value("schedules_push_set_aside", subscription="told") == 0


def test_a_quarantined_subscription_is_shown_as_such() -> None:
    """The reason of the quarantine does not matter."""
    stage = Stage()
    made = Subscription("gone", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", stage.clock())
    stage.store.subscriptions.create(made, Progress("0", "scraped").quarantined("status 410", stage.clock()))

    assert stage.scrape().value("schedules_push_set_aside", subscription="gone") == 1


def test_heartbeats_are_shown_of_processes_that_have_run() -> None:
    """A kind of process that never ran has no series."""
    stage = Stage()
    stage.store.heartbeats.record(DeliveryProcess.DELIVERY, stage.clock())

    scrape = stage.scrape()

    name = "schedules_delivery_pulse_timestamp_seconds"
    assert scrape.value(name, process="delivery") == stage.clock().timestamp()
    assert scrape.value(name, process="pusher") is None


def _fill(stage: Stage) -> None:
    """Create what every metric needs for a sample."""
    now = stage.clock()
    stage.store.coldstarts.open("one", Request("lost", now))
    stage.store.coldstarts.lead("one", "worker", now, timedelta(minutes=1))
    stage.store.passes.record(PassReport(PassName.PARITY, now, now, {"schedules": 1}))
    stage.store.comparisons.keep({KEY: Comparison(1, Verdict.MATCHES, "x")})
    stage.store.queue_polls.record_poll(QueueName.SCHEDULE_EVENTS, now, now)
    stage.store.partners.add_usage(now.date(), _USAGE)
    hook = Subscription("hook", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", now)
    stage.store.subscriptions.create(hook, Progress("0", "scraped"))
    stage.store.heartbeats.record(DeliveryProcess.DELIVERY, now)
    _raise_alarm(stage)


def _raise_alarm(stage: Stage) -> None:
    incident = Incident(ConditionName.DEAD_LETTERS, State.RAISED, Severity.ERROR, "3 messages", stage.clock())
    stage.pipeline.store.incidents.save([incident])


def _unreachable() -> QueueDepth:
    raise ServiceError("queue schedule-events: unreachable")


def _broken() -> list[Sample]:
    raise KeyError("nobody foresaw this")
