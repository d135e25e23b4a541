"""``doctor``: root causes in sentences, probes with their results, and remedies that are shown and asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from cli_stage import KEY, TOMORROW, Stage

from demo.provision import SOURCE_EVENTS
from demo.servers import find_free_port
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.ports import DagsterSnapshot, QueueName
from schedules_pipeline.health.probes.ports import Announcement, Subscription
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.publishing.ports.upstream import QueueAttributes
from schedules_pipeline.publishing.ports.work import Failure, Mark

_TOPICS = {name: f"arn:aws:sns:eu-west-1:1:{name}" for name in ("schedule-events", "catalogue-events")}


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:eu-west-1:1:{queue}"


def _attributes(name: str) -> QueueAttributes:
    statement = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": _TOPICS.get(name, "")}},
    }
    policy = json.dumps({"Statement": [statement]})
    dead = "" if name.endswith("-dead") else f"{_arn(name)}-dead"
    days = 14 if name.endswith("-dead") else 4
    return QueueAttributes(_arn(name), timedelta(seconds=60), timedelta(days=days), dead, 5, policy)


@dataclass
class _Arrangement:
    """As documented, with changes by the test."""

    denied: bool = False
    pending: set[str] = field(default_factory=set)
    confirmed: list[tuple[str, str]] = field(default_factory=list)

    def queue(self, name: str) -> QueueAttributes | None:
        return _attributes(name)

    def subscriptions(self, topic_arn: str) -> list[Subscription]:
        if self.denied:
            raise NotPermitted(f"topic {topic_arn}: AccessDenied")
        name = topic_arn.rpartition(":")[2]
        return [Subscription(_arn(name), is_confirmed=topic_arn not in self.pending)]

    def announcements(self) -> list[Announcement]:
        return [Announcement(_TOPICS["schedule-events"], SOURCE_EVENTS, "schedules/")]

    def confirm(self, topic_arn: str, token: str) -> None:
        self.confirmed.append((topic_arn, token))
        self.pending.discard(topic_arn)


@dataclass
class _Dagster:
    stage: Stage
    off: set[str] = field(default_factory=set)

    def read(self, switch_on: Sequence[str] = ()) -> DagsterSnapshot:
        self.off -= set(switch_on)
        now = self.stage.clock()
        return DagsterSnapshot(now, sensors_off=tuple(sorted(self.off)), daemons={"SENSOR": now})


@dataclass
class Clinic:
    stage: Stage
    arrangement: _Arrangement
    dagster: _Dagster

    def run(self, *words: object, exit_code: int = 0, answer: str = "") -> str:
        result = self.stage.run("doctor", "--passive", *words, answer=answer)
        assert result.exit_code == exit_code, result.output
        return result.stdout

    def examine(self, *words: object, exit_code: int = 1) -> Any:
        return self.stage.run_for_json("doctor", "--passive", *words, exit_code=exit_code)


@pytest.fixture
def clinic(published: Stage) -> Clinic:
    """A healthy installation: two published schedules, everything documented is there, the watch has just checked."""
    now = published.clock()
    made = Clinic(published, _Arrangement(), _Dagster(published))
    published.session.__dict__["arrangement"] = made.arrangement
    published.session.__dict__["read_dagster"] = made.dagster.read
    published.store.passes.record(PassReport(PassName.WATCH, now, now))
    return made


def _differ(stage: Stage, keys: Sequence[ScheduleKey]) -> None:
    comparison = Comparison(2, Verdict.DIFFERS, "2026-03-28T12:00:00Z", difference_count=3)
    stage.store.comparisons.keep(dict.fromkeys(keys, comparison))


def _leave_messages(stage: Stage, amount: int) -> None:
    """They wait for ten minutes without a poll."""
    now = stage.clock()
    stage.store.queue_polls.record_poll(QueueName.CATALOGUE_EVENTS, now - timedelta(minutes=10), None)
    for number in range(amount):
        stage.upstreams.catalogue_queue.post(json.dumps({"action": "UPDATE", "pid": f"b000000{number:02}"}))


def test_a_healthy_installation_ends_with_0(clinic: Clinic) -> None:
    """Every probe has its line; what could not be checked is no fault."""
    output = clinic.run()
    document = clinic.examine(exit_code=0)

    assert "all is well" in output
    assert (document["is_well"], document["roots"], document["remedies"]) == (True, [], [])
    verdicts = {probe["name"]: probe["verdict"] for probe in document["probes"]}
    assert verdicts.pop("delivery-answers") == verdicts.pop("legacy-answers") == "unchecked"
    assert set(verdicts.values()) == {"passed"}
    assert all(probe["proves"] and probe["limit_seconds"] for probe in document["probes"])


def test_the_delivery_service_is_asked_at_its_address_for_people(clinic: Clinic) -> None:
    """SCHEDULES_DELIVERY_URL names it, also when its port is set as well; a service that is down is a fault."""
    session = clinic.stage.session
    address = f"http://127.0.0.1:{find_free_port()}"
    addresses = {"delivery_url": address, "delivery_port": 1}
    session.__dict__["settings"] = session.settings.model_copy(update=addresses)

    document = clinic.examine(exit_code=1)

    (probe,) = [each for each in document["probes"] if each["name"] == "delivery-answers"]
    assert probe["verdict"] == "failed"
    assert address in json.dumps(document)


def test_a_chain_is_told_from_its_root(clinic: Clinic) -> None:
    """One cause, its effects, and what to do, in one sentence."""
    clinic.dagster.off = {"catalogue_events"}
    _leave_messages(clinic.stage, 57)
    _differ(clinic.stage, [KEY, TOMORROW])

    output = clinic.run(exit_code=1)

    assert (
        "error: the sensor `catalogue_events` is off, so 57 messages wait in `catalogue_events`, so 2 of 2 schedules "
        "differ from the old system: switch it on in Dagster, under Automation"
    ) in output
    assert "1 root cause" in output


def test_a_missing_permission_is_not_a_fault(clinic: Clinic) -> None:
    """The line says what could not be checked, and the exit code stays 0."""
    clinic.arrangement.denied = True

    output = clinic.run()

    assert "could not be checked: topic arn:aws:sns:eu-west-1:1:schedule-events: AccessDenied" in output


def test_without_redis_the_other_probes_run_and_it_ends_with_3(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outage is the root, and explains the failed write."""

    def away() -> None:
        raise ServiceError("Redis: no answer")

    monkeypatch.setattr(clinic.stage.store.queue_polls, "all", away)
    monkeypatch.setattr(clinic.stage.store.work, "require_writable", away)

    document = clinic.examine(exit_code=3)

    [root] = document["roots"]
    assert root["name"] == "store-unreachable"
    assert [effect["name"] for effect in root["explains"]] == ["redis-accepts-writes"]
    assert "passed" in {probe["verdict"] for probe in document["probes"]}


def test_canaries_are_left_out_if_their_failure_is_explained(clinic: Clinic) -> None:
    """No message is added to a queue that nothing drains."""
    clinic.dagster.off = {"catalogue_events", "schedule_events"}

    result = clinic.stage.run("doctor", "--limit", 1)

    assert (
        "it was not sent, because the sensors `catalogue_events` and `schedule_events` are off"
        in result.stdout
    )
    assert clinic.stage.upstreams.schedule_queue.is_empty()
    assert clinic.stage.upstreams.catalogue_queue.is_empty()


def test_fix_switches_a_sensor_on(clinic: Clinic) -> None:
    """It says so before and after, and a second doctor finds nothing."""
    clinic.dagster.off = {"catalogue_events", "reconcile_timer"}

    result = clinic.stage.run("doctor", "--passive", "--fix", "--yes")

    assert result.exit_code == 1
    assert "remedy: switch on `catalogue_events` in Dagster" in result.stderr
    assert "switch on `reconcile_timer` in Dagster: it is on" in result.stdout
    clinic.run()


def test_a_remedy_that_is_declined_is_left_out(clinic: Clinic) -> None:
    """The next one is offered all the same."""
    clinic.dagster.off = {"catalogue_events", "schedule_events"}

    output = clinic.run("--fix", answer="n\ny\n", exit_code=1)

    assert "switch on `catalogue_events` in Dagster: left out" in output
    assert "switch on `schedule_events` in Dagster: it is on" in output


def test_fix_replays_dead_letters_without_a_reason(clinic: Clinic) -> None:
    """Those with a reason would come back, and stay for an operator."""
    dead = clinic.stage.upstreams.catalogue_dead_letters
    dead.post('{"action": "UPDATE", "pid": "b0000001"}')
    dead.post("what", reason="it cannot be decoded")

    document = clinic.examine("--fix", "--yes")

    [remedy] = document["remedies"]
    assert remedy["is_done"]
    assert "replay 1 dead letter" in remedy["remedy"]
    assert "1 dead letter with a reason stays" in remedy["remedy"]
    assert clinic.stage.upstreams.catalogue_queue.depth().waiting == 1
    assert dead.depth().waiting == 1


def test_fix_confirms_a_subscription_of_a_topic_that_may_send(clinic: Clinic) -> None:
    """A stranger's confirmation is left alone."""
    topic, dead = _TOPICS["schedule-events"], clinic.stage.upstreams.schedule_dead_letters
    clinic.arrangement.pending = {topic}
    for each in (topic, topic + "-of-a-stranger"):
        body = {"Type": "SubscriptionConfirmation", "TopicArn": each, "Token": "t", "Message": "-"}
        dead.post(json.dumps(body), reason="awaits confirmation")

    clinic.examine("--fix", "--yes")

    assert clinic.arrangement.confirmed == [(topic, "t")]
    assert dead.depth().waiting == 1


def test_fix_releases_quarantined_schedules(clinic: Clinic) -> None:
    """They are tried again by the next publisher."""
    store, now = clinic.stage.store, clinic.stage.clock()
    store.work.mark([Mark(KEY, now, Cause("e", Origin.SCHEDULE, str(KEY), now))])
    claim = store.work.claim(1, now, timedelta(seconds=30))
    assert claim is not None
    store.work.postpone(claim, {KEY: Failure("it failed", None)}, counts=True)

    clinic.examine("--fix", "--yes")
    clinic.stage.pipeline.publisher.publish_all()

    assert store.work.quarantined() == {}
    clinic.run()


def test_fix_reconciles_if_the_bucket_does_not_announce_everything(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that the bucket left out are repaired; its configuration stays as it is."""
    [whole] = clinic.arrangement.announcements()
    partial = [replace(whole, events=SOURCE_EVENTS[:1])]
    monkeypatch.setattr(clinic.arrangement, "announcements", lambda: partial)
    clinic.stage.upstreams.schedule_source.remove(TOMORROW)

    document = clinic.examine("--fix", "--yes")

    assert "compared 2 schedules, 1 differed" in document["remedies"][0]["result"]


def test_yes_without_fix_is_wrong_usage(clinic: Clinic) -> None:
    """Nothing is asked without ``--fix``."""
    clinic.run("--yes", exit_code=2)
