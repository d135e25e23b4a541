"""Alarms through a topic of the emulator, to a subscribed queue."""

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from fakes import FakeClock, fake_store, fake_upstreams

from demo.provision import AwsEndpoints, Channel, provision_alarms
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.incidents import due_notices
from schedules_pipeline.health.ports import DagsterSnapshot, FailedRun
from schedules_pipeline.health.watch import Watch
from schedules_pipeline.outbound.sns import SnsNotifier

_RUNBOOK = "https://example.test/runbook.md"


@pytest.fixture
def alarms(aws_endpoints: AwsEndpoints) -> Channel:
    return provision_alarms(aws_endpoints)


def _received(endpoints: AwsEndpoints, queue_url: str) -> list[dict[str, Any]]:
    """All envelopes in the queue, in the order of their notices."""
    sqs, envelopes = endpoints.sqs(), []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages"
    ):
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            envelopes.append(json.loads(message["Body"]))
    return sorted(envelopes, key=lambda envelope: json.loads(envelope["Message"])["at"])


def test_an_alarm_and_its_all_clear_arrive_once_each(
    aws_endpoints: AwsEndpoints, alarms: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over many checks a subscriber gets one message at the beginning and one at the end."""
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    monkeypatch.setattr(store.feed, "count_schedules", lambda: 1)
    health = HealthCheck(store.as_store(), upstreams.as_upstreams(), clock)
    notifier = SnsNotifier(aws_endpoints.sns(), alarms.topic_arn, _RUNBOOK)
    watch = Watch(health, [notifier])
    for failed in [(FailedRun("reconcile", "r1", clock()),)] * 3 + [()] * 5:
        watch.check(DagsterSnapshot(clock(), failed))
        clock.advance(timedelta(seconds=30))

    raised, cleared = _received(aws_endpoints, alarms.queue_url)

    assert raised["Subject"] == "ALARM runs-failed: the latest run failed of: reconcile"
    assert cleared["Subject"] == "ALL CLEAR runs-failed: the latest run failed of: reconcile"
    document = json.loads(raised["Message"])
    assert document["runbook"] == f"{_RUNBOOK}#runs-failed"
    assert document["details"]["reconcile"].startswith("run r1, ")
    assert document["since"] == json.loads(cleared["Message"])["since"]
    assert {name: value["Value"] for name, value in raised["MessageAttributes"].items()} == {
        "name": "runs-failed",
        "phase": "raised",
        "severity": "error",
    }


def test_a_missing_topic_is_a_service_error(
    aws_endpoints: AwsEndpoints, alarms: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the topic."""
    clock = FakeClock()
    store, upstreams = fake_store(clock), fake_upstreams(clock, Random(0))
    monkeypatch.setattr(store.feed, "count_schedules", lambda: 1)
    health = HealthCheck(store.as_store(), upstreams.as_upstreams(), clock)
    notifier = SnsNotifier(aws_endpoints.sns(), f"{alarms.topic_arn}-gone", _RUNBOOK)
    watch = Watch(health, [notifier])

    report = watch.check(DagsterSnapshot(clock(), (FailedRun("reconcile", "r1", clock()),)))

    assert f"topic {alarms.topic_arn}-gone" in report.problem
    assert report.sent == 0
    (notice,) = due_notices(report.open[0], notifier.channel, clock())
    with pytest.raises(ServiceError):
        notifier.send(notice)
