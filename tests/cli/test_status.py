"""``status``: its sections, its faults, and services that do not answer."""

from datetime import timedelta
from itertools import pairwise

import pytest
from cli_stage import KEY, TOMORROW, Stage, schedule_put

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import InvalidRecord, ServiceError
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.publishing.ports.work import Failure, Mark
from schedules_pipeline.push.subscription import Progress, Subscription, SubscriptionKind

_NO_INSTANT = "Input should be a valid datetime, written as a text"


def _mark(stage: Stage) -> None:
    now = stage.clock()
    stage.store.work.mark([Mark(KEY, now, Cause("e", Origin.SCHEDULE, str(KEY), now))])


def test_all_is_well(published: Stage) -> None:
    """Without faults the last line says so."""
    result = published.run("status")

    assert result.exit_code == 0
    assert "all is well" in result.stdout
    assert "2 schedules of 1 service" in result.stdout


def test_status_as_json(published: Stage) -> None:
    """Every section has stable member names."""
    document = published.run_for_json("status")

    assert document["is_well"] is True
    assert document["backlog"] == {
        "pending": 0,
        "in_progress": 0,
        "waiting": 0,
        "quarantined": 0,
        "oldest_due_at": None,
    }
    assert document["published"]["services"] == {"alder": 2}
    assert document["feed"] == {"unrecorded": 4}
    assert document["parity"] == {"matches": 0, "differs": 0, "suspected": 0, "held": 0, "not_comparable": 0}
    assert document["coldstart"]["stage"] is None
    assert document["served"] == {"source": "legacy", "since": None}


def test_status_of_an_empty_keyspace(stage: Stage) -> None:
    """An empty keyspace that nothing fills is wrong, and the line says what to do."""
    result = stage.run("status")

    assert result.exit_code == 1
    assert "keyspace-empty" in result.stdout
    assert "schedules-pipeline coldstart" in result.stdout
    assert "0 schedules of 0 services" in result.stdout


def test_a_requested_publisher_is_not_at_work_yet(published: Stage) -> None:
    """Between its request and its start no publisher is reported as working."""
    published.store.presence.reserve("starting:1", 30, most=1)

    result = published.run("status")

    assert "requested" in result.stdout
    assert "at work" not in result.stdout


def test_a_quarantined_schedule_is_wrong(published: Stage) -> None:
    """The line names the command that lists it."""
    _mark(published)
    claim = published.store.work.claim(1, published.clock(), timedelta(minutes=1))
    assert claim is not None
    published.store.work.postpone(claim, {KEY: Failure("no", None)}, counts=True)

    result = published.run("status")

    assert result.exit_code == 1
    assert "error schedules-quarantined: 1 schedule failed too often" in result.stdout
    assert "`schedules-pipeline quarantine list`" in result.stdout
    assert f"    {KEY}: no " in result.stdout
    assert "none" not in result.stdout.partition("publisher")[0]
    assert result.stdout.rstrip().endswith("1 problem")


def test_quarantined_broadcasts_are_shown_until_a_sound_document_comes(published: Stage) -> None:
    """They are no fault of the pipeline, and a warning."""
    published.put_unusable(KEY)

    before = published.run_for_json("status")["quarantined_broadcasts"]
    shown = published.run("status").stdout
    published.happen(schedule_put(KEY))

    assert before == {"schedules": {str(KEY): "1 broadcast quarantined: broadcast 1: end: " + _NO_INSTANT}}
    assert "in 1 accepted document" in shown
    assert published.run_for_json("status")["quarantined_broadcasts"] == {"schedules": {}}


def test_a_late_schedule_is_wrong(published: Stage) -> None:
    """A pending schedule is a fault once it has been due for half a minute without a publisher."""
    _mark(published)

    soon = published.run("status").exit_code
    published.clock.advance(timedelta(minutes=1))
    later = published.run("status")

    assert (soon, later.exit_code) == (0, 1)
    assert "error publisher-missing for 1 min 0 s: no publisher is at work" in later.stdout


def test_dead_letters_are_wrong(published: Stage) -> None:
    """Waiting messages are not."""
    published.upstreams.schedule_queue.post("{}")
    before = published.run("status").exit_code
    published.upstreams.catalogue_dead_letters.post("{}")

    document = published.run_for_json("status", exit_code=1)

    assert before == 0
    (wrong,) = document["wrong"]
    assert wrong.startswith("error dead-letters: 1 message in catalogue_dead_letters. ")
    assert document["schedule_queue"]["waiting"] == 1


def test_a_queue_shows_its_oldest_message(published: Stage) -> None:
    """And the time of the last poll."""
    polled_at = published.clock()
    published.store.queue_polls.record_poll(QueueName.SCHEDULE_EVENTS, polled_at, None)
    published.upstreams.schedule_queue.post("{}")
    published.clock.advance(timedelta(seconds=90))

    document = published.run_for_json("status")["schedule_queue"]
    words = published.run("status").stdout

    assert (document["waiting"], document["oldest_seconds"]) == (1, 90.0)
    assert "1 waiting, for 1 min 30 s at the most; 0 being handled; last polled 1 min 30 s ago" in words


def test_a_lasting_difference_is_wrong(published: Stage) -> None:
    """A suspected difference is not."""
    published.store.comparisons.keep(
        {KEY: Comparison(2, Verdict.DIFFERS, "then"), TOMORROW: Comparison(2, Verdict.SUSPECTED, "then")}
    )

    document = published.run_for_json("status", exit_code=1)

    (wrong,) = document["wrong"]
    assert "1 of 2 schedules differ from the old system" in wrong


def test_a_failed_pass_is_a_warning(published: Stage) -> None:
    """It is to be checked in office hours. The line has its problem; successful passes show their counts."""
    now = published.clock()
    good = PassReport(PassName.COLLECTION, now - timedelta(seconds=75), now, {"copies": 3, "entries": 0})
    bad = PassReport(PassName.RECONCILIATION, now, now, problem="the bucket is away")
    for report in (good, bad):
        published.store.passes.record(report)

    result = published.run("status")

    assert result.exit_code == 0
    assert "in 1 min 15 s: 3 copies" in result.stdout
    assert "warning pass-failed" in result.stdout
    assert "failed 0.00 s ago: the bucket is away" in result.stdout


def test_conditions_are_listed_with_what_to_do(published: Stage) -> None:
    """The worst first, with everything that is known of each."""
    published.upstreams.catalogue_dead_letters.post("{}")

    (found,) = published.run_for_json("status", exit_code=1)["conditions"]["found"]

    assert (found["name"], found["severity"], found["subject"]) == (
        *("dead-letters", "error", "catalogue_dead_letters"),
    )
    assert found["evidence"] == {"catalogue_dead_letters": 1}
    assert "schedules-pipeline dead-letters list" in found["remedy"]


def test_what_was_silent_is_wrong(published: Stage) -> None:
    """A quarantined subscription, a silent delivery service, and a watch that has stopped."""
    now = published.clock()
    hook = Subscription("harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", now)
    aside = Progress("0", "life").quarantined("answered with status 410", now)
    published.store.subscriptions.create(hook, aside)
    published.store.heartbeats.record(DeliveryProcess.DELIVERY, now)
    published.clock.advance(timedelta(days=1))

    document = published.run_for_json("status", exit_code=1)

    assert {each["name"] for each in document["conditions"]["found"]} == {
        *("subscriptions-quarantined", "delivery-silent", "watch-silent"),
    }
    assert len(document["wrong"]) == 3


def test_a_watch_that_never_ran_is_wrong(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would be told of anything."""
    monkeypatch.setattr(published.store.dagster, "latest", lambda: None)
    monkeypatch.setattr(published.store.passes, "all", dict)

    result = published.run("status")

    assert result.exit_code == 1
    assert "watch-silent: the watch has never checked this keyspace" in result.stdout


def test_a_service_that_does_not_answer_hides_no_other(
    published: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its section says so, all others are shown, and the command ends with 3."""

    def away() -> QueueDepth:
        raise ServiceError("queue catalogue-events: Could not connect")

    monkeypatch.setattr(published.upstreams.catalogue_queue, "depth", away)

    result = published.run("status")
    document = published.run_for_json("status", exit_code=3)

    assert result.exit_code == 3
    assert "does not answer: queue catalogue-events: Could not connect" in result.stdout
    assert "2 schedules of 1 service" in result.stdout
    assert document["unreachable"] == {"catalogue_queue": "queue catalogue-events: Could not connect"}
    assert document["catalogue_queue"] is None
    assert document["published"]["schedules"] == 2


def test_an_undecodable_record_hides_no_other(published: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault, and all other sections are shown."""

    def damaged(_: int) -> None:
        raise InvalidRecord("rejection of alder: not JSON")

    monkeypatch.setattr(published.store.rejections, "summary", damaged)

    result = published.run("status")

    assert result.exit_code == 1
    assert "rejection of alder: not JSON" in result.stdout
    assert "2 schedules of 1 service" in result.stdout


def test_watch_repeats_until_interrupted(published: Stage) -> None:
    """Ctrl-C ends it with 0."""
    looks = []

    def interrupt_the_third_time() -> None:
        looks.append(published.clock())
        if len(looks) == 3:
            raise KeyboardInterrupt

    published.session.when_asleep = interrupt_the_third_time

    result = published.run("status", "--watch", "--every", 5)

    assert result.exit_code == 0
    assert [later - sooner for sooner, later in pairwise(looks)] == [timedelta(seconds=5)] * 2
    assert "all is well" in result.stdout


def test_watch_is_not_for_programs(published: Stage) -> None:
    """--watch and --json contradict each other."""
    result = published.run("status", "--watch", "--json")

    assert result.exit_code == 2
    assert "choose one of them" in result.stderr
