"""The doctor on real processes: a sensor that an operator switched off is found from its last effect, and mended."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus
from faults.stack import Stack, wait_until
from from_scratch import Contents, coldstart
from redis import Redis

from demo.provision import AwsEndpoints
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.health.probes.canary import CANARY
from schedules_pipeline.publishing.ports.upstream import Outgoing

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults")]

_SENSOR = "catalogue_events"
_MESSAGES = 57


@pytest.fixture
def installation(stack: Stack) -> Iterator[Stack]:
    """The stack with the documented visibility timeout, which other tests shorten."""
    _set_visibility(stack, 60)
    yield stack
    _set_visibility(stack, 15)


def _set_visibility(stack: Stack, seconds: int) -> None:
    account = stack.settings["AWS_ACCESS_KEY_ID"]
    sqs = AwsEndpoints(stack.emulator.endpoint_url, stack.emulator.region, account).sqs()
    for name in ("schedule-events", "catalogue-events"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})


def _states(stack: Stack) -> list[InstigatorState]:
    return [each for each in stack.instance.all_instigator_state() if each.instigator_name == _SENSOR]


def _ticks(stack: Stack) -> list[InstigatorTick]:
    """The latest tick; none before the daemon has begun one."""
    return [
        tick
        for state in _states(stack)
        for tick in stack.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    ]


def _switch_off(stack: Stack) -> None:
    """As an operator does in Dagster; a tick that has begun receives until it ends."""
    wait_until(lambda: bool(_ticks(stack)), "the sensor does not tick")
    [state] = _states(stack)
    stack.instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    wait_until(lambda: _ticks(stack)[0].status is not TickStatus.STARTED, "the last tick does not end")


def _leave_messages(stack: Stack) -> None:
    """Changes that no sensor receives; by the records of polls they have waited for ten minutes."""
    for _ in range(_MESSAGES):
        stack.world.retitle()
    depth = stack.pipeline.upstreams.catalogue_queue.depth
    wait_until(lambda: depth().waiting == _MESSAGES, "the messages do not arrive")
    ago = datetime.now(UTC) - timedelta(minutes=10)
    stack.pipeline.store.queue_polls.record_poll(QueueName.CATALOGUE_EVENTS, ago, None)
    stack.pipeline.store.queue_polls.record_poll(QueueName.CATALOGUE_EVENTS, ago, ago)


def _refresh_the_old_system(stack: Stack, expected: Contents, times: int) -> None:
    """The old system shows the current sources; a difference stands at the second refresh."""
    with Redis.from_url(stack.settings["SCHEDULES_LEGACY_REDIS_URL"]) as legacy:
        for _ in range(times):
            at = datetime.now(UTC).isoformat()
            for key, content in expected.items():
                document = {"generated_at": at, "schedule": {"broadcasts": orjson.loads(content)}}
                legacy.set(f"legacy:{key}", orjson.dumps(document))
            legacy.set("legacy:refreshed_at", at)
            stack.pipeline.comparer.compare_all(lambda *_: None)


def _wait_for_the_alarm_of_queues(stack: Stack) -> None:
    """After a coldstart messages may wait as long as the alarm's setting, which is a minute here."""
    coldstart_ = stack.pipeline.store.coldstarts.latest()
    assert coldstart_ is not None
    assert coldstart_.ended_at is not None
    over = coldstart_.ended_at + timedelta(seconds=61)
    wait_until(lambda: datetime.now(UTC) > over, "the clock stands still")


def _doctor(stack: Stack, *words: str) -> tuple[int, Any]:
    environment: Mapping[str, str] = {**os.environ, **stack.settings, "SCHEDULES_ALARM_QUEUE_MINUTES": "1"}
    command = [f"{sys.prefix}/bin/schedules-pipeline", "doctor", "--json", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _verdicts(document: Any) -> dict[str, str]:
    return {probe["name"]: probe["verdict"] for probe in document["probes"]}


def test_a_sensor_that_is_off_is_found_from_its_effects_and_mended(installation: Stack) -> None:
    """The chain is right, ``--fix`` switches it on and replays what failed, and a second doctor finds nothing."""
    stack = installation
    _switch_off(stack)
    _leave_messages(stack)
    expected = coldstart(stack.world.sources(), stack.world.keys)
    _refresh_the_old_system(stack, expected, times=2)
    stack.pipeline.upstreams.schedule_dead_letters.send([Outgoing(json.dumps({"Event": "s3:TestEvent"}))])
    _wait_for_the_alarm_of_queues(stack)

    code, found = _doctor(stack, "--fix", "--yes")

    sentences = [root["sentence"] for root in found["roots"]]
    assert code == 1
    assert any(
        re.match(
            rf"the sensor `{_SENSOR}` is off, so {_MESSAGES} messages wait in `{_SENSOR}`, "
            r"so \d+ of \d+ schedules differ from the old system: switch it on",
            sentence,
        )
        for sentence in sentences
    ), sentences
    assert len(sentences) == 2
    assert _verdicts(found)["canary-item"] == "unchecked"
    assert _verdicts(found)["canary-schedule"] == "passed"
    assert [remedy["is_done"] for remedy in found["remedies"]] == [True, True]

    stack.wait_until_caught_up(expected)
    _refresh_the_old_system(stack, expected, times=1)
    code, found = _doctor(stack)

    assert (code, found["roots"]) == (0, [])
    assert "failed" not in _verdicts(found).values()
    assert _verdicts(found)["canary-item"] == _verdicts(found)["canary-schedule"] == "passed"
    stack.assert_sound()
    stored = [key for keys in stack.pipeline.store.schedules.stored_keys() for key in keys]
    assert not any(key.sid.startswith(CANARY) for key in stored)
