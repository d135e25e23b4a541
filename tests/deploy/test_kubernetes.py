"""``deploy/kubernetes``: the manifests against the API's schemas, and the values against what Dagster's chart has.

No cluster and no Helm is needed. ``deploy/README.md`` says what was only validated.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schedules_pipeline.settings import Settings

_DEPLOY = Path(__file__).parents[2] / "deploy"
_FOLDER = _DEPLOY / "kubernetes"
_API_VERSION = "1.34"
_WITHOUT_A_PORT = {"schedules-pusher"}
"""It ends if it cannot work, and a metric shows its delay."""

_CHART = {
    "dagsterWebserver": "replicaCount image nameOverride pathPrefix service workspace env envConfigMaps envSecrets "
    "deploymentLabels labels nodeSelector affinity tolerations podSecurityContext securityContext resources "
    "readinessProbe livenessProbe startupProbe annotations enableReadOnly dbStatementTimeout dbPoolRecycle logLevel "
    "schedulerName volumeMounts volumes",
    "dagsterDaemon": "enabled image runCoordinator heartbeatTolerance env envConfigMaps envSecrets deploymentLabels "
    "labels nodeSelector affinity tolerations podSecurityContext securityContext resources livenessProbe "
    "readinessProbe startupProbe annotations runMonitoring runRetries sensors schedules schedulerName volumeMounts "
    "volumes",
    "dagster-user-deployments": "enabled enableSubchart imagePullSecrets deployments",
    "postgresql": "image enabled postgresqlHost postgresqlUsername postgresqlPassword postgresqlDatabase "
    "postgresqlParams postgresqlScheme service",
    "runLauncher": "type config",
    "computeLogManager": "type config",
    "retention": "enabled schedule sensor",
    "telemetry": "enabled",
    "global": "postgresqlSecretName dagsterHome serviceAccountName celeryConfigSecretName",
    **dict.fromkeys(("rabbitmq", "redis", "flower", "ingress"), "enabled"),
    **dict.fromkeys(("generatePostgresqlPasswordSecret", "generateCeleryConfigSecret"), ""),
}
"""The keys of the chart's ``values.schema.json``. It forbids others in the first two;
elsewhere Helm ignores them.
"""
_CODE_SERVER = (
    "name image dagsterApiGrpcArgs codeServerArgs includeConfigInLaunchedRuns port env envConfigMaps envSecrets "
    "annotations nodeSelector affinity tolerations podSecurityContext securityContext resources livenessProbe "
    "readinessProbe startupProbe labels volumeMounts volumes schedulerName"
)


def _values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_FOLDER / "values.yaml").read_text())
    return loaded


def _manifests(kind: str = "") -> Iterator[dict[str, Any]]:
    for path in sorted(_FOLDER.glob("*.yaml")):
        if path.name != "values.yaml":
            found = yaml.safe_load_all(path.read_text())
            yield from (manifest for manifest in found if kind in ("", manifest["kind"]))


def _name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


_DEPLOYMENTS = [pytest.param(found, id=found["metadata"]["name"]) for found in _manifests("Deployment")]


@pytest.mark.parametrize("manifest", _manifests(), ids=_name)
def test_a_manifest_is_one_by_the_schemas_of_the_api(manifest: dict[str, Any]) -> None:
    """The API server would accept its kind, its fields and their types, and knows every field."""
    schemas = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")

    schemas.validate(manifest, _API_VERSION, strict=True)


@pytest.mark.parametrize("deployment", _DEPLOYMENTS)
def test_a_pod_is_bounded_and_cannot_change_its_container(deployment: dict[str, Any]) -> None:
    """It is not root, its root is read-only, it has no capability, no token of the API, and a limit of memory."""
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


@pytest.mark.parametrize("deployment", _DEPLOYMENTS)
def test_a_pod_is_asked_for_its_health_by_what_it_answers(deployment: dict[str, Any]) -> None:
    """Liveness is no readiness: without Redis, delivery has the last good documents, which a restart would lose."""
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"] for port in container.get("ports", [])}

    assert ("livenessProbe" in container) == (deployment["metadata"]["name"] not in _WITHOUT_A_PORT)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if "httpGet" in (found := container.get(probe, {})):
            path = "/health/ready" if probe == "readinessProbe" else "/health/live"
            assert found["httpGet"] == {"path": path, "port": found["httpGet"]["port"]}
            assert found["httpGet"]["port"] in ports


@pytest.mark.parametrize("deployment", _DEPLOYMENTS)
def test_what_has_several_pods_keeps_most_of_them(deployment: dict[str, Any]) -> None:
    """A drain of a node takes one pod at a time, and selectors match the pods."""
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    budgets = [
        found
        for found in _manifests("PodDisruptionBudget")
        if found["spec"]["selector"]["matchLabels"] == labels
    ]

    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert bool(budgets) == (deployment["spec"]["replicas"] > 1)
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets)


def test_each_process_is_the_one_of_compose_with_its_own_secrets() -> None:
    """Commands are compose's, and no process has the Redis user of another."""
    compose = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())["services"]
    compose |= yaml.safe_load((_DEPLOY / "celery/compose.yaml").read_text())["services"]
    secrets = {"delivery": {"schedules-delivery"}, "pusher": {"schedules-pusher"}}
    secrets |= {"monitoring": {"schedules-monitoring"}, "worker": {"schedules-pipeline", "schedules-broker"}}

    found = {}
    for deployment in _manifests("Deployment"):
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["command"] == compose[container["name"]]["command"]
        sources = container["envFrom"]
        found[container["name"]] = {
            source["secretRef"]["name"] for source in sources if "secretRef" in source
        }
        assert {"configMapRef": {"name": "schedules-settings"}} in sources

    assert found == secrets


def test_the_settings_are_ones_of_the_pipeline_and_none_is_secret() -> None:
    """Each variable of the ConfigMap is a setting, or one that AWS or OpenTelemetry defines; secrets come from
    Secrets.
    """
    [settings] = _manifests("ConfigMap")
    telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
    names = {
        name.removeprefix("SCHEDULES_").lower()
        for name in settings["data"].keys() - telemetry - {"AWS_REGION"}
    }

    assert names <= Settings.model_fields.keys()
    assert not names & {"redis_url", "webhook_master_secret", "alarm_webhook_url"}
    assert all(isinstance(value, str) for value in settings["data"].values())


def test_the_values_are_keys_of_the_chart() -> None:
    """Helm ignores most keys that its chart does not know, so a misspelt one would do nothing."""
    values = _values()

    assert values.keys() <= _CHART.keys()
    for name, value in values.items():
        if isinstance(value, dict):
            assert value.keys() <= set(_CHART[name].split()), name
    [code_server] = values["dagster-user-deployments"]["deployments"]
    assert code_server.keys() <= set(_CODE_SERVER.split())


def test_the_charts_instance_is_that_of_celery() -> None:
    """Launcher, coordinator, monitoring, threads and retention are those of ``deploy/celery/dagster.yaml``."""
    values, instance = _values(), yaml.safe_load((_DEPLOY / "celery/dagster.yaml").read_text())
    daemon = values["dagsterDaemon"]
    monitoring = instance["run_monitoring"]

    assert values["runLauncher"]["config"]["customRunLauncher"] == instance["run_launcher"]
    coordinator = daemon["runCoordinator"]["config"]["customRunCoordinator"]
    assert coordinator == {**instance["run_coordinator"], "config": {}}
    assert {_snake(name): value for name, value in daemon["runMonitoring"].items()} == monitoring
    for kind in ("sensors", "schedules"):
        assert {_snake(name): value for name, value in daemon[kind].items()} == instance[kind]
    for kind in ("sensor", "schedule"):
        kept = dict(values["retention"][kind]["purgeAfterDays"])
        # The chart's schema demands it; -1 keeps ticks that have not ended.
        assert kept.pop("started") == -1
        assert kept == instance["retention"][kind]["purge_after_days"]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
