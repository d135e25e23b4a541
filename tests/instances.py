"""Instances of Dagster on each storage that a test can have."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from demo.dagster_services import one_file_storage, pooled_postgres


def open_instance(request: pytest.FixtureRequest, directory: Path) -> dg.DagsterInstance:
    """``request.param``: ``memory``, ``sqlite``, ``one file`` (SQLite without a file for each run) or ``postgres``."""
    if request.param == "memory":
        return dg.DagsterInstance.ephemeral()
    storage: dict[str, object] = {}
    if request.param == "one file":
        storage = one_file_storage(directory)
    if request.param == "postgres":
        storage = {"storage": pooled_postgres(request.getfixturevalue("postgres_url"))}
    (directory / "dagster.yaml").write_text(yaml.safe_dump({**storage, "telemetry": {"enabled": False}}))
    return dg.DagsterInstance.from_config(str(directory))
