"""The watch as it is composed for production: on a real Redis, real queues and a real topic."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from demo.provision import AwsEndpoints, Channel, ProvisionedResources, announce_schedules, provision_alarms
from demo.servers import RedisServer
from schedules_pipeline import connections
from schedules_pipeline.connections import build_pipeline, thresholds_from, utc_now
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.facts import Thresholds
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.settings import Settings
from schedules_pipeline.upstream.clients import watching_sqs_client

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Site:
    """A Redis for this test, and a separate account on the emulator."""

    def __init__(
        self,
        redis_url: str,
        stop_redis: Callable[[], None],
        endpoints: AwsEndpoints,
        provisioned: ProvisionedResources,
    ) -> None:
        self.stop_redis = stop_redis
        self.endpoints = endpoints
        self.provisioned = provisioned
        self.alarms: Channel = provision_alarms(endpoints)
        self.watch = build_pipeline(
            Settings(
                redis_url=SecretStr(redis_url),
                aws_endpoint_url=endpoints.endpoint_url,
                aws_region=endpoints.region,
                alarm_topic_arn=self.alarms.topic_arn,
                schedule_bucket=provisioned.bucket,
            )
        ).watch

    def heard(self) -> list[str]:
        """The subjects of the messages in the queue that subscribes to alarms."""
        sqs, subjects = self.endpoints.sqs(), []
        while messages := sqs.receive_message(
            QueueUrl=self.alarms.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            subjects += [json.loads(message["Body"])["Subject"] for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=self.alarms.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return subjects


@pytest.fixture
def site(
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
    redis_executable: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws_endpoints.access_key_id or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws_endpoints.secret_access_key or "")
    with ExitStack() as stack:
        redis = stack.enter_context(
            RedisServer(tmp_path, executable=redis_executable, extra_arguments=("--appendonly", "yes"))
        )
        yield Site(redis.url, stack.close, aws_endpoints, provisioned)


def test_default_settings_give_the_default_thresholds() -> None:
    """The numbers in ``Settings`` and in ``Thresholds`` agree."""
    assert thresholds_from(Settings()) == Thresholds()


_SETTINGS_OF_ALARMS = sorted(
    name
    for name, info in Settings.model_fields.items()
    if name.startswith("alarm_") and info.annotation is int
)


@pytest.mark.parametrize("name", _SETTINGS_OF_ALARMS)
def test_every_setting_of_an_alarm_changes_a_threshold(name: str) -> None:
    """A setting of another value gives other thresholds."""
    changed = Settings.model_validate({name: getattr(Settings(), name) + 1})

    assert thresholds_from(changed) != Thresholds(), f"connections.py: thresholds_from does not use {name}"


def test_severity_of_a_difference_is_a_setting() -> None:
    """A difference from the old system is a warning if the setting says so."""
    thresholds = thresholds_from(Settings(difference_severity="WARN"))

    assert thresholds == Thresholds(difference_is_error=False)


def test_a_publisher_does_not_wait_for_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients of AWS that the watch has for itself are made when it is first asked for."""
    made: list[str] = []

    def make(region: str, endpoint_url: str | None) -> "SQSClient":
        made.append(region)
        return watching_sqs_client(region, endpoint_url)

    monkeypatch.setattr(connections, "watching_sqs_client", make)

    pipeline = build_pipeline(Settings())
    made_before = list(made)

    assert pipeline.health is pipeline.watch.health
    assert not made_before
    assert made


def test_a_dead_letter_raises_an_alarm(site: Site) -> None:
    """A message in a real dead-letter queue causes one notice on the real topic."""
    dead = site.provisioned.catalogue_events.dead_letter_url
    site.endpoints.sqs().send_message(QueueUrl=dead, MessageBody="{}")

    reports = [site.watch.check(), site.watch.check()]

    assert [episode.name for episode in reports[-1].open] == [ConditionName.DEAD_LETTERS]
    assert site.heard() == ["ALARM dead-letters: 1 message in catalogue_dead_letters"]


def test_a_source_that_is_not_announced_is_found(site: Site) -> None:
    """From the real configuration of the bucket and the real subscriptions of the queues."""
    checked = DagsterSnapshot(utc_now())
    before = _unheard(site, checked)
    announce_schedules(site.endpoints, site.provisioned)
    announced = _unheard(site, checked)
    sns = site.endpoints.sns()
    topic = site.provisioned.catalogue_events.topic_arn
    for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])

    assert set(before) == {site.provisioned.bucket}
    assert announced == {}
    assert set(_unheard(site, checked)) == {"catalogue-events"}


def _unheard(site: Site, checked: DagsterSnapshot) -> Mapping[str, str]:
    site.watch.check(checked)
    snapshot = site.watch.health.store.dagster.latest()
    assert snapshot is not None
    return snapshot.unheard


def test_a_dead_store_raises_an_alarm(site: Site) -> None:
    """Without its Redis the watch fails at every check, and sends the alarm directly, once."""
    site.watch.check()
    site.stop_redis()

    for _ in range(2):
        with pytest.raises(ServiceError, match="Redis"):
            site.watch.check()

    (subject,) = site.heard()
    assert subject.startswith("ALARM store-unreachable: nothing can be done: Redis: ")
