"""``deploy/celery``: the files against those that they extend, without starting anything."""

from pathlib import Path
from typing import Any

import yaml

_DEPLOY = Path(__file__).parents[2] / "deploy"


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_DEPLOY / name).read_text())
    return loaded


def test_the_instance_is_that_of_compose_with_another_launcher() -> None:
    """Storages, retention and threads are those of compose; dead runs are found sooner, and are not resumed."""
    celery, compose = _read("celery/dagster.yaml"), _read("dagster/dagster.compose.yaml")

    launcher, monitoring = celery.pop("run_launcher"), celery.pop("run_monitoring")
    del compose["run_launcher"]
    poll = monitoring.pop("poll_interval_seconds")

    assert launcher["class"] == "WarmRunLauncher"
    assert poll < compose["run_monitoring"].pop("poll_interval_seconds")
    assert monitoring == compose.pop("run_monitoring")
    assert celery == compose


def test_every_process_of_dagster_has_the_instance_and_the_broker() -> None:
    """The four mount the shipped file and get the broker's address; the rest of compose is unchanged."""
    overlay, base = _read("celery/compose.yaml")["services"], _read("compose.yaml")["services"]
    instance = "./celery/dagster.yaml:/opt/dagster/dagster.yaml:ro"

    changed = {name for name in overlay if name in base}
    with_instance = {name for name, service in overlay.items() if instance in service.get("volumes", [])}

    assert changed == {"code-server", "daemon", "webserver"}
    assert with_instance == changed | {"worker"}
    assert all("secrets/broker.env" in overlay[name]["env_file"] for name in with_instance)
    for name in changed:
        assert set(base[name]["env_file"]) <= set(overlay[name]["env_file"])


def test_a_worker_is_a_process_like_the_pipelines_others() -> None:
    """There are three, each with a health check, a read-only root and what the code server has of settings."""
    overlay, base = _read("celery/compose.yaml")["services"], _read("compose.yaml")["services"]
    worker = overlay["worker"]

    assert worker["deploy"]["replicas"] == 3
    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert worker["healthcheck"]
    assert worker["env_file"] == overlay["code-server"]["env_file"]
    assert set(worker["environment"]) <= set(base["code-server"]["environment"])


def test_the_broker_is_no_store_of_the_pipeline() -> None:
    """It is a server of its own with a password, evicts nothing, and opens no port of the host."""
    broker = _read("celery/compose.yaml")["services"]["broker"]

    assert "ports" not in broker
    assert "requirepass" in broker["entrypoint"][-1]
    assert "noeviction" in broker["entrypoint"][-1]
