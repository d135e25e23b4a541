"""The answers of the monitoring service, without a server."""

import threading

import orjson
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from scraping import Stage, get
from starlette.applications import Starlette

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.metrics.collector import PATIENCE_SECONDS
from schedules_pipeline.health.metrics.series import METRICS
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.health.service import build_service
from schedules_pipeline.maintenance.ports import PassName, PassReport


def _service(stage: Stage, patience_seconds: float = PATIENCE_SECONDS) -> Starlette:
    return build_service(stage.pipeline.health, patience_seconds)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_metrics_are_in_prometheus_form(stage: Stage) -> None:
    """Prometheus' own parser reads every registered family with its kind and help."""
    stage.publish()

    status, content_type, body = get(_service(stage), "/metrics")

    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert families.keys() == {name.removesuffix("_total") for name in METRICS}
    for name, metric in METRICS.items():
        family = families[name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind.value, metric.help)


def test_metrics_are_served_as_openmetrics_on_request(stage: Stage) -> None:
    """A scraper that prefers the newer format gets all of it."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}

    _, content_type, body = get(_service(stage), "/metrics", accept)

    assert content_type.startswith("application/openmetrics-text")
    families = list(parse_openmetrics(body.decode()))  # type: ignore[no-untyped-call]
    assert len(families) == len(METRICS)


def test_building_the_service_reads_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts and is alive also if the store is down."""
    monkeypatch.setattr(stage.store.counters, "all", _down)
    monkeypatch.setattr(stage.store.presence, "present", _down)

    status, _, body = get(_service(stage), "/health/live")

    assert (status, orjson.loads(body)) == (200, {"alive": True})


def test_a_filled_keyspace_is_ready(stage: Stage) -> None:
    """The store answers and a schedule is published."""
    stage.publish()

    status, content_type, body = get(_service(stage), "/health/ready")

    assert (status, content_type) == (200, "application/json")
    assert orjson.loads(body) == {"ready": True, "checks": {"store": "ok", "keyspace": "ok"}}


def test_an_empty_keyspace_is_not_ready(stage: Stage) -> None:
    """No schedule is published, and the answer says what to do."""
    status, _, body = get(_service(stage), "/health/ready")

    answer = orjson.loads(body)
    assert (status, answer["ready"], answer["checks"]["store"]) == (503, False, "ok")
    assert "coldstart" in answer["checks"]["keyspace"]


def test_an_incomplete_keyspace_is_not_ready(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules are published, but no coldstart has finished, so most may be missing."""
    stage.publish()
    monkeypatch.setattr(stage.store.coldstarts, "epoch", lambda: None)

    status, _, body = get(_service(stage), "/health/ready")

    assert status == 503
    assert "incomplete" in orjson.loads(body)["checks"]["keyspace"]


def test_a_store_that_is_down_is_not_ready(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failed check gives its own reason."""
    stage.publish()
    monkeypatch.setattr(stage.store.presence, "present", _down)

    status, _, body = get(_service(stage), "/health/ready")

    assert status == 503
    assert orjson.loads(body)["checks"] == {"store": "Redis: down", "keyspace": "ok"}


def test_a_defect_is_not_ready_and_says_no_more_than_its_kind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the type of an unexpected error is shown, because its text may hold a secret."""
    stage.publish()
    monkeypatch.setattr(stage.store.feed, "count_schedules", _defect)

    status, _, body = get(_service(stage), "/health/ready")

    assert status == 503
    assert orjson.loads(body)["checks"] == {"store": "ok", "keyspace": "KeyError"}


def test_a_store_that_hangs_is_not_ready(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not wait for the store."""
    released = threading.Event()
    stage.publish()
    monkeypatch.setattr(stage.store.presence, "present", released.wait)

    status, _, body = get(_service(stage, patience_seconds=0.2), "/health/ready")

    released.set()
    assert status == 503
    assert orjson.loads(body)["checks"]["store"] == "no answer within 0.2 s"


def test_health_lists_the_conditions_and_says_so_by_its_status(stage: Stage) -> None:
    """A condition of error or worse is 503, so that any checker of web addresses notices it."""
    stage.publish()
    stage.pipeline.watch.check(DagsterSnapshot(stage.clock()))
    well = get(_service(stage), "/health")
    stage.upstreams.schedule_dead_letters.post("{}")
    status, content_type, body = get(_service(stage), "/health")

    (found,) = orjson.loads(body)["conditions"]
    assert (well[0], orjson.loads(well[2])["healthy"]) == (200, True)
    assert (status, content_type) == (503, "application/json")
    assert (found["name"], found["severity"], found["subject"]) == (
        *("dead-letters", "error", "schedule_dead_letters"),
    )
    assert found["evidence"] == {"schedule_dead_letters": 1}
    assert found["runbook"].endswith("#dead-letters")
    assert found["remedy"].startswith("Read the reasons")


def test_health_with_a_warning_is_well(stage: Stage) -> None:
    """A warning is to be checked in office hours."""
    stage.publish()
    stage.pipeline.watch.check(DagsterSnapshot(stage.clock()))
    now = stage.clock()
    stage.store.passes.record(PassReport(PassName.PARITY, now, now, problem="no bucket"))

    status, _, body = get(_service(stage), "/health")

    assert status == 200
    assert [each["name"] for each in orjson.loads(body)["conditions"]] == ["pass-failed"]


def test_health_of_a_store_that_is_away(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outage is the one condition; nothing else was judged."""
    monkeypatch.setattr(stage.store.presence, "present", _down)

    status, _, body = get(_service(stage), "/health")

    answer = orjson.loads(body)
    assert status == 503
    assert [each["name"] for each in answer["conditions"]] == ["store-unreachable"]
    assert "dead-letters" in answer["undecided"]


def test_health_does_not_wait_for_ever(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs is 503."""
    released = threading.Event()
    monkeypatch.setattr(stage.store.presence, "present", released.wait)

    status, _, body = get(_service(stage, patience_seconds=0.2), "/health")

    released.set()
    assert (status, orjson.loads(body)["healthy"]) == (503, False)


def test_another_path_is_not_there(stage: Stage) -> None:
    """The service has four paths."""
    status, _, _ = get(_service(stage), "/")

    assert status == 404


def _defect() -> int:
    raise KeyError("hunter2")


def _down() -> str:
    raise ServiceError("Redis: down")
