"""Connections to Dagster's database that stay open, on a real Postgres that restarts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
import yaml

from demo.dagster_services import pooled_postgres
from demo.postgres import PostgresServer
from demo.servers import find_free_port


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of this test's own, on a port that it keeps."""
    with PostgresServer(tmp_path / "postgres", port=find_free_port()) as server:
        yield server


@pytest.fixture
def instance(postgres: PostgresServer, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    storage = pooled_postgres(postgres.url)
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump({"storage": storage, "telemetry": {"enabled": False}})
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_connections_are_kept_and_outlive_a_restart_of_the_database(
    postgres: PostgresServer, instance: dg.DagsterInstance
) -> None:
    """The second question of each storage opens no connection, and no question fails after a restart."""
    questions: list[Callable[[], object]] = [
        lambda: instance.has_run("absent"),
        lambda: instance.get_records_for_run("absent"),
        instance.all_instigator_state,
    ]
    for ask in questions:
        ask()
    kept = _clients(postgres)
    for ask in questions:
        ask()
    assert _clients(postgres) == kept
    postgres.stop()
    with postgres:
        for ask in questions:
            ask()
        assert len(_clients(postgres)) == len(kept) == len(questions)


def _clients(postgres: PostgresServer) -> set[int]:
    """The processes of the server that serve a connection other than this question's."""
    engine = sqlalchemy.create_engine(postgres.url)
    with engine.connect() as connection:
        found = connection.execute(
            sqlalchemy.text(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )
        clients = set(found.scalars())
    engine.dispose()
    return clients
