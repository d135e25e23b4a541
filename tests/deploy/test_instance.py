"""The Dagster instances of ``deploy/dagster``, against Dagster's schemas and classes, without any connection.

``deploy/README.md`` describes how they were run by hand.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config, dagster_instance_config_schema
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.config_schema import ensure_workspace_config
from dagster._serdes import ConfigurableClassData
from dagster._serdes.config_class import class_from_code_pointer

_FOLDER = Path(__file__).parents[2] / "deploy/dagster"
_INSTANCES = ("dagster.yaml", "dagster.compose.yaml")
_VARIABLES = {
    "DAGSTER_PG_HOST": "database.example.org",
    "DAGSTER_PG_DATABASE": "dagster",
    "DAGSTER_PG_USER": "dagster",
    "DAGSTER_PG_PASSWORD": "correct-horse-battery",
    "DAGSTER_LOGS_BUCKET": "logs",
    "DAGSTER_RUN_TASK_DEFINITION": "schedules-run",
    "DAGSTER_CODE_SERVER_HOST": "code-server",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _VARIABLES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=_INSTANCES)
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> InstanceRef:
    """The instance as a process reads it from its DAGSTER_HOME, with variables unresolved."""
    (tmp_path / "dagster.yaml").write_text((_FOLDER / request.param).read_text())
    return InstanceRef.from_dir(str(tmp_path))


@pytest.mark.parametrize("name", _INSTANCES)
def test_every_word_is_one_of_dagsters(name: str) -> None:
    """Dagster accepts the file, and knows every word in it."""
    config, custom = dagster_instance_config(str(_FOLDER), name)

    assert custom is None
    assert config.keys() <= dagster_instance_config_schema().keys()
    assert config["telemetry"] == {"enabled": False}
    assert config["run_monitoring"]["enabled"]


def test_every_class_is_there_and_takes_its_configuration(instance: InstanceRef, variables: None) -> None:
    """Storages, compute logs, launcher and coordinator are installed, and their own schemas accept what they get."""
    resolved = {kind: _resolved(data) for kind, data in _classes(instance).items()}

    assert resolved.keys() >= {
        "storage",
        "compute_logs",
        "run_launcher",
    }
    storage = resolved["storage"]["postgres_db"]
    assert storage["password"] == _VARIABLES["DAGSTER_PG_PASSWORD"]
    assert storage["scheme"] == "postgresql+psycopg2"


def test_on_ecs_output_goes_to_s3_and_runs_are_tasks(tmp_path: Path, variables: None) -> None:
    """The ECS instance stores no data on a task's disk, and takes secrets only from the task definition."""
    (tmp_path / "dagster.yaml").write_text((_FOLDER / "dagster.yaml").read_text())
    ref = InstanceRef.from_dir(str(tmp_path))

    logs, launcher = _classes(ref)["compute_logs"], _classes(ref)["run_launcher"]

    assert logs.class_name == "S3ComputeLogManager"
    assert _resolved(logs)["bucket"] == "logs"
    assert launcher.class_name == "EcsRunLauncher"
    assert _resolved(launcher)["task_definition"] == {"env": "DAGSTER_RUN_TASK_DEFINITION"}
    assert _resolved(launcher)["secrets_tag"] is None


def test_the_password_is_in_no_description_of_the_instance(instance: InstanceRef, variables: None) -> None:
    """Other processes and the UI see the name of a secret variable, not its value."""
    described = json.dumps(instance.to_dict(), default=str)

    assert "DAGSTER_PG_PASSWORD" in described
    assert _VARIABLES["DAGSTER_PG_PASSWORD"] not in described


def test_the_workspace_is_the_code_server(variables: None) -> None:
    """The file is valid by Dagster's schema and names the code server's host and port."""
    path = _FOLDER / "workspace.yaml"

    config: Any = ensure_workspace_config(yaml.safe_load(path.read_text()), str(path))

    server = config["load_from"][0]["grpc_server"]
    assert (server["host"], server["port"]) == ("code-server", 4000)
    assert server["location_name"] == "schedules_pipeline"


def _classes(ref: InstanceRef) -> dict[str, ConfigurableClassData]:
    found = {
        "storage": ref.storage_data,
        "compute_logs": ref.compute_logs_data,
        "run_launcher": ref.run_launcher_data,
        "run_coordinator": ref.run_coordinator_data,
    }
    return {kind: data for kind, data in found.items() if data is not None}


def _resolved(data: ConfigurableClassData) -> dict[str, Any]:
    """The configuration of a class with variables resolved. Raises if the class's schema rejects it."""
    klass: Any = class_from_code_pointer(data.module_name, data.class_name)
    result = process_config(resolve_to_config_type(klass.config_type()), yaml.safe_load(data.config_yaml))
    assert result.success, result.errors
    return dict(result.value or {})
