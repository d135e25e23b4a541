"""The process in which a publisher receives, on a real Redis and the queues of the emulator."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from redis import Redis

from demo.provision import AwsEndpoints, Channel, ProvisionedResources
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs import child_process
from schedules_pipeline.jobs.receiving import Received
from schedules_pipeline.jobs.receiving_process import ReceivingProcess
from schedules_pipeline.settings import Settings

_MESSAGES = [f'{{"sid": "alder_one", "date": "2026-03-{day}"}}' for day in range(20, 24)]
_PATIENCE_SECONDS = 60
_PUBLISHER = """
import time
from schedules_pipeline.jobs.receiving_process import ReceivingProcess
receiving = ReceivingProcess("a run", None, print)
receiving.keep_up()
time.sleep(600)
"""


class _Lines(list[str]):
    """The log of a run."""

    def info(self, msg: str) -> None:
        self.append(msg)

    def warning(self, msg: str) -> None:
        self.append(msg)


@dataclass
class _Stage:
    pipeline: Pipeline
    endpoints: AwsEndpoints
    channel: Channel
    receiving: ReceivingProcess
    log: _Lines
    shown: dict[QueueName, Received]

    def send(self, body: str) -> None:
        self.endpoints.sqs().send_message(QueueUrl=self.channel.queue_url, MessageBody=body)

    def keep_up(self, pending: int) -> None:
        """As the publisher does, until so many schedules are marked and their messages deleted."""

        def is_so() -> bool:
            self.receiving.keep_up()
            return self.pipeline.store.work.backlog().pending == pending and not self.messages()

        _wait_until(is_so)

    def messages(self) -> int:
        depth = self.pipeline.upstreams.schedule_queue.depth()
        return depth.waiting + depth.in_flight

    def receives(self, queue: QueueName = QueueName.SCHEDULE_EVENTS) -> bool:
        return self.pipeline.store.queue_polls.has_receiver(queue)

    def process(self) -> "subprocess.Popen[bytes]":
        process = self.receiving._process
        assert process is not None
        return process


@pytest.fixture
def stage(
    redis_client: Redis,
    redis_server: RedisServer,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[_Stage]:
    monkeypatch.setattr(child_process, "_RESTARTS_AFTER_SECONDS", 0.0)
    for name, value in {
        "SCHEDULES_REDIS_URL": redis_server.url,
        "SCHEDULES_AWS_ENDPOINT_URL": str(aws_endpoints.endpoint_url),
        "SCHEDULES_AWS_REGION": aws_endpoints.region,
        "SCHEDULES_SCHEDULE_BUCKET": provisioned.bucket,
        "AWS_ACCESS_KEY_ID": str(aws_endpoints.access_key_id),
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)
    log, shown = _Lines(), dict[QueueName, Received]()
    with closing(ReceivingProcess("a run", log, shown.__setitem__)) as receiving:
        channel = provisioned.schedule_events
        # What the queue gives to a poll of a process that was killed comes back soon.
        aws_endpoints.sqs().set_queue_attributes(
            QueueUrl=channel.queue_url, Attributes={"VisibilityTimeout": "2"}
        )
        yield _Stage(build_pipeline(Settings()), aws_endpoints, channel, receiving, log, shown)


def _wait_until(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_process_receives_until_its_publisher_ends_and_is_replaced_when_it_dies(stage: _Stage) -> None:
    """After it was killed the next one receives; signals to the group of the publisher do not end it. The end of its
    input does, and then the sensors receive.
    """
    stage.send(_MESSAGES[0])
    stage.keep_up(pending=1)
    stage.process().kill()
    stage.process().wait()
    stage.send(_MESSAGES[1])
    stage.keep_up(pending=2)
    replaced = stage.process()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(replaced.pid, number)
    stage.send(_MESSAGES[2])
    stage.keep_up(pending=3)
    received = stage.receives()
    stage.receiving.dismiss()

    assert replaced.wait(_PATIENCE_SECONDS) == 0
    assert (received, stage.receives()) == (True, False)
    assert stage.log == ["receiving ended with code -9 and starts again; standard error says why"]


def test_what_was_received_is_told_to_the_publisher_at_the_latest_at_the_end(stage: _Stage) -> None:
    """For Dagster, with the reasons of rejected messages."""
    stage.send(_MESSAGES[0])
    stage.send("not json")
    stage.keep_up(pending=1)
    stage.receiving.close()

    received = stage.shown[QueueName.SCHEDULE_EVENTS]
    assert (received.received, received.marked, received.rejected) == (2, 1, 1)
    assert ["not JSON" in reason for reason in received.reasons.values()] == [True]


def test_a_queue_that_is_switched_off_rests(stage: _Stage) -> None:
    """From the start of the process or later, and until it is switched on."""
    stage.receiving.leave_off([QueueName.SCHEDULE_EVENTS])
    stage.send(_MESSAGES[0])
    stage.receiving.keep_up()
    _wait_until(lambda: stage.receives(QueueName.CATALOGUE_EVENTS))
    is_left = stage.messages() == 1 and not stage.receives()
    stage.receiving.leave_off([])
    stage.keep_up(pending=1)

    assert is_left


def test_a_process_that_hangs_is_killed(stage: _Stage) -> None:
    """A publisher that hands over does not wait for it."""
    stage.receiving.keep_up()
    hanging = stage.process()
    os.kill(hanging.pid, signal.SIGSTOP)
    stage.receiving.stop(0)

    assert hanging.returncode == -signal.SIGKILL


def test_a_publisher_that_is_killed_takes_its_process_with_it(stage: _Stage) -> None:
    """Its input ends; it handles what it has received, and lets the sensors receive."""
    with subprocess.Popen([sys.executable, "-c", _PUBLISHER], stderr=subprocess.PIPE) as publisher:
        stage.send(_MESSAGES[0])
        _wait_until(lambda: stage.pipeline.store.work.backlog().pending == 1)
        publisher.kill()
        # Both processes have its standard error, which ends with the last of them.
        publisher.communicate(timeout=_PATIENCE_SECONDS)

    assert not stage.receives()
    assert not stage.messages()
