"""Metrics of several processes: each counts in the store, and any process exports the sum."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.monitoring_service import MonitoringService
from demo.provision import AwsEndpoints, ProvisionedResources
from demo.servers import RedisServer, find_free_port
from schedules_pipeline.connections import build_pipeline, redis_store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.settings import load_settings
from schedules_pipeline.store.link import RedisLink, connect

_TIMES = 100
_COUNTING = f"""
import sys
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.connections import redis_store
from schedules_pipeline.publishing.ports.counters import Counter, Timer
counters = redis_store(RedisLink(connect(sys.argv[1])), sys.argv[2]).counters
for _ in range({_TIMES}):
    counters.add(
        {{Counter.SCHEDULES_PUBLISHED: 2}},
        {{Timer.BATCH: [0.5], Timer.PUBLISHED_AFTER_CATALOGUE: [1.5, 20.0]}},
    )
"""
_OF_QUEUES = {
    *("schedule_events", "schedule_events_dead_letters"),
    *("catalogue_events", "catalogue_events_dead_letters"),
}

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def environment(
    redis_server: RedisServer, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> dict[str, str]:
    """Settings for a keyspace of this test, with existing queues."""
    return {
        **os.environ,
        "SCHEDULES_REDIS_URL": redis_server.url,
        "SCHEDULES_KEYSPACE": f"monitored{aws_endpoints.access_key_id}",
        "SCHEDULES_AWS_ENDPOINT_URL": aws_endpoints.endpoint_url or "",
        "SCHEDULES_AWS_REGION": aws_endpoints.region,
        "AWS_ACCESS_KEY_ID": aws_endpoints.access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


@pytest.fixture
def service(environment: dict[str, str], tmp_path: Path) -> Iterator[MonitoringService]:
    with MonitoringService(tmp_path, environment) as running:
        yield running


def test_prometheus_own_tool_accepts_a_scrape(
    service: MonitoringService, environment: dict[str, str]
) -> None:
    """Promtool accepts the names and the form of the export."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(
            "promtool is not on the path: it comes with Prometheus, and is in no package index of Python"
        )
    store = redis_store(
        RedisLink(connect(environment["SCHEDULES_REDIS_URL"])), environment["SCHEDULES_KEYSPACE"]
    )
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    store.passes.record(PassReport(PassName.COLLECTION, now, now, {"copies": 3}))
    with urllib.request.urlopen(f"{service.url}/metrics") as answer:
        text = answer.read()

    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_third_process_exports_the_counts_of_two(
    service: MonitoringService, environment: dict[str, str]
) -> None:
    """Two processes count concurrently, and a scrape of another process has all their counts."""
    arguments = [environment["SCHEDULES_REDIS_URL"], environment["SCHEDULES_KEYSPACE"]]
    counting = [subprocess.Popen([sys.executable, "-c", _COUNTING, *arguments]) for _ in range(2)]
    assert [process.wait() for process in counting] == [0, 0]

    series = _scrape(service)

    origin = ("origin", "catalogue")
    assert series["schedules_outcomes_total", (("outcome", "published"),)] == 2 * 2 * _TIMES
    assert series["schedules_workflow_seconds_count", (("workflow", "publish"),)] == 2 * _TIMES
    assert series["schedules_workflow_seconds_sum", (("workflow", "publish"),)] == 0.5 * 2 * _TIMES
    assert series["schedules_time_to_published_seconds_bucket", (("le", "2.5"), origin)] == 2 * _TIMES
    assert series["schedules_time_to_published_seconds_bucket", (("le", "30.0"), origin)] == 2 * 2 * _TIMES


def test_on_real_services_every_part_is_read(service: MonitoringService) -> None:
    """Redis and the AWS emulator give every part of a scrape."""
    series = _scrape(service)

    errors = {
        dict(labels)["part"]: value for (name, labels), value in series.items() if name.endswith("errors")
    }
    assert errors.keys() >= _OF_QUEUES | {"counters", "lag", "passes"}
    assert not any(errors.values())


def test_polls_of_real_queues_are_recorded(
    service: MonitoringService, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that receives through the pipeline records its polls for all others."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    build_pipeline(load_settings()).upstreams.catalogue_queue.receive(1)

    polled = {
        labels for name, labels in _scrape(service) if name == "schedules_queue_polled_timestamp_seconds"
    }
    assert polled == {(("queue", "catalogue_events"),)}


def test_unreachable_queues_affect_no_other_part(environment: dict[str, str], tmp_path: Path) -> None:
    """If AWS cannot be reached, only the parts of the queues are missing."""
    environment["SCHEDULES_AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{find_free_port()}"
    with MonitoringService(tmp_path, environment) as service:
        series = _scrape(service)

    failed = {
        dict(labels)["part"] for (name, labels), value in series.items() if name.endswith("errors") and value
    }
    assert failed == _OF_QUEUES
    assert series["schedules_backlog", (("state", "dirty"),)] == 0


def test_health_follows_the_keyspace(service: MonitoringService, environment: dict[str, str]) -> None:
    """The process is alive from the start, and ready once a coldstart has finished and a schedule is published."""
    before = _ask(service, "/health/ready")
    link = RedisLink(connect(environment["SCHEDULES_REDIS_URL"]))
    store = redis_store(link, environment["SCHEDULES_KEYSPACE"])
    store.feed.append([(ScheduleKey.parse("alder/2026-03-28"), 1, b'{"seq":1}')])
    store.coldstarts.begin_epoch("a coldstart")

    after = _ask(service, "/health/ready")

    assert _ask(service, "/health/live") == (200, {"alive": True})
    assert before[0] == 503
    assert after == (200, {"ready": True, "checks": {"store": "ok", "keyspace": "ok"}})


def _ask(service: MonitoringService, path: str) -> tuple[int, object]:
    try:
        with urllib.request.urlopen(service.url + path) as answer:
            return answer.status, orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, orjson.loads(error.read())


def _scrape(service: MonitoringService) -> Series:
    with urllib.request.urlopen(f"{service.url}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
