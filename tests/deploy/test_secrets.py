"""No failure writes a secret anywhere: Dagster's records and captured output, logs, the command line, metrics,
health, alarms, and errors with their causes.

The real definitions run in a test instance, with settings that hold recognisable secrets.
"""

import asyncio
import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import structlog
from click.testing import CliRunner
from redis import Redis
from redis_users import grant
from starlette.types import Message, Scope

from demo.servers import LOOPBACK, RedisServer, find_free_port
from schedules_pipeline.cli.main import main
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.health.service import build_service
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.partitions import ensure_partitions, partition_key
from schedules_pipeline.settings import load_settings

_PASSWORD = "battery/staple#horse"
_SECRETS = {
    "the password of Redis": _PASSWORD,
    "the same in an address": quote(_PASSWORD, safe=""),
    "its beginning": "battery",
    "its end": "staple",
    "the webhook's token": "hook-token-5d1f",
    "the webhook's path": "hook-path-77aa",
    "the webhook's password": "hook-password-90c2",
    "the secret key of AWS": "aws-secret-key-3b81",
    "the session of AWS": "aws-session-e6f4",
}
_KEY = ScheduleKey.parse("alder_one/2026-03-28")
_COMMANDS = (
    ("status",),
    ("show", "alder_one", "2026-03-28"),
    ("rebuild", "alder_one", "2026-03-28", "--yes"),
    ("dead-letters", "list"),
    ("reconcile",),
    ("parity",),
    ("switch", "status"),
)
_JOBS = ("publish_affected", "collect_garbage", "prune_records", "reconcile", "coldstart", "__ASSET_JOB")
_ALARMS_SAY = {
    "nothing answers": "Redis: Error",
    "Redis refuses the password": "invalid username-password pair",
    "only Redis answers": "webhook: no answer",
}
"""The failure that the watch reports, which shows that it has happened."""
_SENSORS = ("schedule_events", "catalogue_events", "coldstart_control", "watch")


@dataclass(slots=True)
class Written:
    """All written texts, by their place."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, where: str, text: str) -> None:
        self.texts[where] = self.texts.get(where, "") + text

    def add_error(self, where: str, error: BaseException | None) -> None:
        """The traceback with all causes."""
        if error is not None:
            self.add(where, "".join(traceback.format_exception(error)))

    def leaks(self) -> list[tuple[str, str, str]]:
        """The place, the secret, and the text around it."""
        return [
            (where, name, text[max(0, at - 60) : at + 60])
            for where, text in self.texts.items()
            for name, secret in _SECRETS.items()
            if (at := text.find(secret)) >= 0
        ]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Written]:
    """Collects texts. :func:`_add_output` adds output and log of the process."""
    caplog.set_level(logging.INFO)
    configuration = structlog.get_config()
    yield Written()
    structlog.configure(**configuration)


@pytest.fixture(params=list(_ALARMS_SAY))
def situation(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """The environment of a process in production with one failure."""
    port = find_free_port() if request.param == "nothing answers" else redis_server.port
    grant(redis_client, ["pipeline"], "schedules-with-secrets")
    if request.param == "only Redis answers":
        redis_client.execute_command("ACL SETUSER", "pipeline", f">{_PASSWORD}")  # type: ignore[no-untyped-call]
    nobody = f"{LOOPBACK}:{find_free_port()}"
    url = f"redis://pipeline:{quote(_PASSWORD, safe='')}@{LOOPBACK}:{port}/0"
    for name, value in {
        "SCHEDULES_REDIS_URL": url,
        "SCHEDULES_CATALOGUE_REDIS_URL": url,
        "SCHEDULES_LEGACY_REDIS_URL": url,
        "SCHEDULES_KEYSPACE": "schedules-with-secrets",
        "SCHEDULES_AWS_ENDPOINT_URL": f"http://{nobody}",
        "SCHEDULES_REFERENCES_HOME": "dynamodb" if request.param == "only Redis answers" else "redis",
        "SCHEDULES_ALARM_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "SCHEDULES_ALARM_WEBHOOK_URL": f"http://us:hook-password-90c2@{nobody}/hook-path-77aa?token=hook-token-5d1f",
        "SCHEDULES_ALARM_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "SCHEDULES_SENSOR_TICK_SECONDS": "1",
        "SCHEDULES_PUBLISHER_SESSION_SECONDS": "1",
        "SCHEDULES_PUBLISHER_LINGER_SECONDS": "0",
        "SCHEDULES_RECONCILE_GRACE_SECONDS": "0",
        "SCHEDULES_PURGE_DELAY_SECONDS": "0",
        "SCHEDULES_ALARM_CLEAR_SECONDS": "0",
        "SCHEDULES_LOG_STYLE": "json",
        "SCHEDULES_LOG_LEVEL": "DEBUG",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "aws-secret-key-3b81",
        "AWS_SESSION_TOKEN": "aws-session-e6f4",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield request.param
    redis_client.execute_command("ACL DELUSER", "pipeline")  # type: ignore[no-untyped-call]


def test_no_secret_reaches_dagsters_records(
    situation: str,
    written: Written,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every job runs and every sensor is evaluated; then all files below Dagster's home are searched."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        ensure_partitions(instance, [_KEY])
        runs = [_run(job, instance, written) for job in _JOBS]
        for sensor in _SENSORS:
            _evaluate(sensor, instance, written)
        for run in instance.get_runs():
            written.add("runs", json.dumps([run.run_config, run.tags], default=str))
            written.add("events", "".join(map(str, instance.all_logs(run.run_id))))
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            written.add(f"file {path.suffix}", path.read_bytes().decode(errors="replace"))
    _add_output(written, capsys, caplog)

    assert written.leaks() == []
    assert not all(runs), "something is to fail"
    assert len(written.texts["events"]) > 1_000
    assert any("Redis" in text or "queue" in text for text in written.texts.values())


def test_no_secret_is_shown_to_people_and_monitors(
    situation: str, written: Written, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The command line, metrics, health, alarms and logs show the failure and no secret."""
    for words in _COMMANDS:
        result = CliRunner().invoke(main, words)
        written.add(" ".join(words), result.output)
        written.add_error(" ".join(words), result.exception)
    settings = load_settings()
    # A command logs to its own terminal, which is gone with it.
    configure_logs(settings.log_style, settings.log_level)
    pipeline = build_pipeline(settings)
    written.add("settings", repr(settings) + settings.model_dump_json())
    for path in ("/metrics", "/health/live", "/health/ready"):
        written.add(path, _ask(pipeline, path))
    for _ in range(2):
        _look(pipeline, written)
    _add_output(written, capsys, caplog)

    assert written.leaks() == []
    assert "does not answer" in written.texts["status"] or "Redis" in written.texts["status"]
    assert "schedules_scrape_errors" in written.texts["/metrics"]
    assert _ALARMS_SAY[situation] in written.texts["alarms"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://pipeline:battery/staple@redis.example.org:6379/0",
        "redis://pipeline:battery#staple@redis.example.org:6379/0",
        "redis://pipeline:battery@[staple:6379/0",
        "battery:staple",
        "redis://pipeline:x@redis.example.org/0?socket_timeout=battery",
    ],
)
@pytest.mark.parametrize("setting", ["REDIS_URL", "CATALOGUE_REDIS_URL", "LEGACY_REDIS_URL"])
def test_an_invalid_address_is_not_shown(setting: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that is not percent-encoded breaks an address; the error does not quote it."""
    monkeypatch.setenv(f"SCHEDULES_{setting}", url)
    written = Written()

    with pytest.raises(ConfigurationError, match="Redis") as caught:
        build_pipeline(load_settings())

    written.add_error("error", caught.value)
    assert written.leaks() == []


def test_an_invalid_webhook_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for an invalid webhook address names only the setting."""
    monkeypatch.setenv(
        "SCHEDULES_ALARM_WEBHOOK_URL", "htp://example.org/hook-path-77aa?token=hook-token-5d1f"
    )
    written = Written()

    with pytest.raises(ConfigurationError, match="SCHEDULES_ALARM_WEBHOOK_URL") as caught:
        load_settings()

    written.add_error("error", caught.value)
    assert written.leaks() == []


def _run(name: str, instance: dg.DagsterInstance, written: Written) -> bool:
    """Whether the call succeeded. Collects the error."""
    definitions = build_defs(load_settings())
    job = definitions.resolve_job_def(name)
    options: dict[str, object] = {}
    if name == "coldstart":
        options = {
            "partition_key": job.partitions_def.get_first_partition_key() if job.partitions_def else None
        }
    if name == "__ASSET_JOB":
        asset = [
            dg.AssetKey("partner_schedule"),
            dg.AssetKey("source_schedule"),
            dg.AssetKey("back_reference_index"),
        ]
        options = {"partition_key": partition_key(_KEY), "asset_selection": asset}
    try:
        return job.execute_in_process(instance=instance, raise_on_error=False, **options).success  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - every error is searched
        written.add_error(f"job {name}", error)
        return False


def _evaluate(name: str, instance: dg.DagsterInstance, written: Written) -> None:
    definitions = build_defs(load_settings())
    repository = definitions.get_repository_def()
    resources = {"pipeline": build_pipeline(load_settings())}
    with dg.build_sensor_context(instance, resources=resources, repository_def=repository) as context:
        try:
            written.add(f"sensor {name}", str(repository.get_sensor_def(name).evaluate_tick(context)))
        except Exception as error:  # noqa: BLE001 - every error is searched
            written.add_error(f"sensor {name}", error)


def _look(pipeline: Pipeline, written: Written) -> None:
    try:
        written.add("alarms", str(pipeline.watch.check()))
    except Exception as error:  # noqa: BLE001 - every error is searched
        written.add_error("alarms", error)


def _ask(pipeline: Pipeline, path: str) -> str:
    """The answer of the service, without a network."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [],
        "query_string": b"",
        "root_path": "",
    }
    asyncio.run(build_service(pipeline.health, 20)(scope, receive, send))
    return b"".join(message.get("body", b"") for message in sent).decode()


def _add_output(
    written: Written, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    output = capsys.readouterr()
    written.add("stdout", output.out)
    written.add("stderr", output.err)
    written.add("log", caplog.text)
