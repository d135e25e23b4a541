"""Connections to Dagster's database that stay open, on a real Postgres that restarts."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
import yaml

from demo.dagster_services import pooled_postgres
from demo.postgres import PostgresServer
from demo.servers import find_free_port

_STORAGES = 3
_OBSERVER = "test"
_PATIENCE_SECONDS = 60


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of this test's own, on a port that it keeps."""
    with PostgresServer(tmp_path / "postgres", port=find_free_port()) as server:
        yield server


@pytest.fixture
def home(postgres: PostgresServer, tmp_path: Path) -> str:
    """The directory of an instance, which has its tables."""
    storage = pooled_postgres(postgres.url)
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump({"storage": storage, "telemetry": {"enabled": False}})
    )
    with dg.DagsterInstance.from_config(str(tmp_path)):
        return str(tmp_path)


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_connections_are_kept_and_outlive_a_restart_of_the_database(
    postgres: PostgresServer, home: str
) -> None:
    """The second question of each storage opens no connection, and no question fails after a restart."""
    with dg.DagsterInstance.from_config(home) as instance:
        _ask_each_storage(instance)
        kept = _wait_for_clients(postgres, _STORAGES)
        _ask_each_storage(instance)
        assert _wait_for_clients(postgres, _STORAGES) == kept
        postgres.stop()
        with postgres:
            _ask_each_storage(instance)
            _wait_for_clients(postgres, _STORAGES)


@pytest.mark.usefixtures("no_collection")
def test_instances_that_are_left_keep_no_connection(postgres: PostgresServer, home: str) -> None:
    """A code server opens an instance for a tick of a sensor, and may not collect garbage for hours."""
    served = set()
    for _ in range(10):
        with dg.DagsterInstance.from_config(home) as instance:
            _ask_each_storage(instance)
            served |= _clients(postgres)
    assert len(served) >= 10 * _STORAGES
    _wait_for_clients(postgres, 0)


def _ask_each_storage(instance: dg.DagsterInstance) -> None:
    """Of runs, of events, and of sensors and schedules."""
    instance.has_run("absent")
    instance.get_records_for_run("absent")
    instance.all_instigator_state()


def _wait_for_clients(postgres: PostgresServer, count: int) -> set[int]:
    """A process of the server ends a moment after its client has left."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(clients := _clients(postgres)) != count:
        assert time.monotonic() < deadline, f"{len(clients)} connections are open"
        time.sleep(0.1)
    return clients


def _clients(postgres: PostgresServer) -> set[int]:
    """The processes of the server that serve a connection other than those of this question."""
    engine = sqlalchemy.create_engine(postgres.url, connect_args={"application_name": _OBSERVER})
    query = sqlalchemy.text(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> :observer"
    )
    with engine.connect() as connection:
        clients = set(connection.execute(query, {"observer": _OBSERVER}).scalars())
    engine.dispose()
    return clients
