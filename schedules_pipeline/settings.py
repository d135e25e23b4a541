"""The one reader of the environment: every setting, its default, and what it means.

Each is read from ``SCHEDULES_<NAME>``. The defaults fit the local demonstration;
``docs/reference/settings.md`` lists them.
"""

from datetime import date
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.logs import LogStyle


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {name[:60]!r}") from error
    return name


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    """As they were written: addresses, or networks without bits of a host."""
    for text in texts:
        ip_network(text)
    return texts


def _web_address(url: SecretStr) -> SecretStr:
    """The message does not hold the address, which may hold a token."""
    try:
        parts = urlsplit(url.get_secret_value())
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError("expected http:// or https:// and a host")
    return url


def _image_template(template: str) -> str:
    if not template:
        return template
    parts = urlsplit(template)
    is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and template.count("{image_pid}") == 1
    if not is_one or not template.isascii() or not template.isprintable() or " " in template:
        raise ValueError(
            "expected http:// or https://, a host, and {image_pid} once, in ASCII without spaces"
        )
    return template


def _members(names: object) -> object:
    """Those of an object, as pairs: settings are compared and remembered, which an object cannot be."""
    return tuple(names.items()) if isinstance(names, dict) else names


_ServiceName = tuple[
    Annotated[str, Field(pattern="^[0-9a-z_]{1,64}$")],
    Annotated[str, Field(min_length=1, max_length=100)],
]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SCHEDULES_", extra="ignore", frozen=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Where our keyspace is; a secret, it may hold a password.",
    )
    redis_is_cluster: bool = Field(
        default=False, description="Whether `redis_url` is a node of a Redis Cluster."
    )
    catalogue_redis_url: SecretStr | None = Field(
        default=None, description="Where the catalogue keyspace is, if not at `redis_url`."
    )
    legacy_redis_url: SecretStr | None = Field(
        default=None, description="Where the legacy keyspace is, if not at `redis_url`."
    )
    keyspace: str = Field(
        default="schedules",
        pattern=r"^[a-z0-9_.-]+$",
        description="Begins every key of ours; two keyspaces share nothing.",
    )
    catalogue_prefix: str = Field(
        default="catalogue:", description="Begins every key of the catalogue keyspace."
    )
    legacy_prefix: str = Field(default="legacy:", description="Begins every key of the legacy keyspace.")

    aws_endpoint_url: str | None = Field(
        default=None,
        description="Another endpoint than AWS's own, for an emulator; credentials come from AWS's default chain.",
    )
    aws_region: str = Field(default="eu-west-1", description="The region of bucket, queues and table.")
    schedule_bucket: str = Field(
        default="schedule-source", description="The bucket of the schedule documents."
    )
    schedule_queue: str = Field(
        default="schedule-events", description="The queue that announces schedule documents."
    )
    catalogue_queue: str = Field(
        default="catalogue-events", description="The queue that announces catalogue items."
    )
    schedule_dead_letter_queue: str = Field(
        default="schedule-events-dead",
        description="Where messages of `schedule_queue` go that nobody handled.",
    )
    catalogue_dead_letter_queue: str = Field(
        default="catalogue-events-dead",
        description="Where messages of `catalogue_queue` go that nobody handled.",
    )
    references_home: str = Field(
        default="redis",
        pattern="^(redis|dynamodb)$",
        description="Where the back-references are; a coldstart must follow a change.",
    )
    references_table: str = Field(
        default="schedules-references",
        pattern=r"^[A-Za-z0-9_.-]{3,255}$",
        description="The DynamoDB table of the back-references, where they are in one.",
    )

    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="Europe/London", description="Where broadcast days are cut."
    )
    radio_services: tuple[str, ...] = Field(
        default=("*radio*",),
        description="Patterns of the services whose broadcast day is radio's (JSON list).",
    )
    first_date: date = Field(
        default=date(2024, 1, 1),
        description="The first broadcast day that is partitioned; before it nothing is recorded.",
    )
    days_ahead: int = Field(
        default=35, ge=1, le=400, description="How many days after today are partitioned."
    )
    smallest_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A document with a smaller share of the broadcasts it replaces must be confirmed.",
    )
    maximum_schedule_bytes: int = Field(
        default=5_000_000,
        ge=10_000,
        le=100_000_000,
        description="A larger schedule document is refused, and not read into memory.",
    )
    maximum_catalogue_bytes: int = Field(
        default=1_000_000, ge=10_000, le=100_000_000, description="A larger catalogue document is refused."
    )
    intended_differences: tuple[str, ...] = Field(
        default=(),
        description="Fields in which we mean to differ from the old system, as patterns (JSON list).",
    )
    difference_severity: str = Field(
        default="ERROR",
        pattern="^(WARN|ERROR)$",
        description="What a standing difference from the old system is in Dagster.",
    )
    versions_kept_hours: int = Field(
        default=72, ge=1, description="How long the document of a version that was replaced can be shown."
    )
    coldstart_shards: int = Field(
        default=2, ge=1, le=64, description="Into how many runs a coldstart is cut."
    )
    storm_threshold: int = Field(
        default=10_000,
        ge=1,
        description="When more catalogue messages wait, a coldstart is begun instead of taking them one by one.",
    )
    purge_settles_seconds: int = Field(
        default=60,
        ge=0,
        description="How long after its purge a queue may still lose messages; a coldstart reads no source before.",
    )
    switch_parity_threshold: float = Field(
        default=0.995,
        ge=0,
        le=1,
        description="The share of the comparable schedules that must match before partners may be switched.",
    )
    switch_coverage_threshold: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="The share of all schedules that must be comparable before partners may be switched.",
    )
    legacy_stale_minutes: int = Field(
        default=60,
        ge=1,
        description="How long ago the old system may have refreshed for a comparison with it to count.",
    )
    xmltv_domain: str = Field(
        default="schedules.example",
        pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$",
        max_length=200,
        description="Ends the ids of channels in XMLTV, so that they are nobody else's: a domain of yours.",
    )
    image_url_template: Annotated[str, AfterValidator(_image_template)] = Field(
        default="",
        description="Where partners find an image, with `{image_pid}` in it; they are given no addresses if left out.",
    )
    crid_authority: str = Field(
        default="schedules.example",
        pattern=r"^[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)+$",
        max_length=200,
        description="In whose name TV-Anytime calls programmes and services: a domain of yours.",
    )
    tag_date: str = Field(
        default="2024",
        pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$",
        description="A day, month or year in which `crid_authority` was yours; it is in every service's tag, for ever.",
    )
    content_language: str = Field(
        default="en",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        max_length=35,
        description="The language that TV-Anytime calls our titles and synopses, as BCP 47 writes it.",
    )
    reports_directory: str | None = Field(
        default=None,
        description="Where reports are written, if not in `reports` below Dagster's local storage.",
    )
    reports_kept: int = Field(default=30, ge=1, description="How many reports stay there.")
    dagster_runs_kept_days: int = Field(
        default=7, ge=1, description="How many days Dagster keeps finished runs and their events."
    )
    io_manager_bucket: str | None = Field(
        default=None, description="Where outputs of Dagster's ops go, if not to the local disk: a bucket."
    )
    retention_days: int = Field(
        default=30,
        ge=0,
        le=3_650,
        description="How many days before today schedules are kept; 0 keeps them for ever.",
    )
    feed_kept_days: int = Field(
        default=8,
        ge=2,
        description="How long rows of the change feed are kept, and the news that a schedule was removed.",
    )
    refused_kept_days: int = Field(
        default=14, ge=1, description="How long refused messages and catalogue documents are listed."
    )
    reconcile_shares: int = Field(
        default=24, ge=1, le=720, description="Into how many hourly shares a reconcile of everything is cut."
    )
    reconcile_grace_seconds: int = Field(
        default=30,
        ge=0,
        le=900,
        description="How long a reconcile waits for changes on their way, before a difference counts.",
    )
    alarm_topic_arn: str | None = Field(
        default=None, description="The SNS topic that is told of alarms; none is told if left out."
    )
    alarm_webhook_url: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        default=None, description="An address that alarms are posted to; a secret, it may hold a token."
    )
    runbook_url: str = Field(
        default="docs/runbook.md", description="Where the runbook can be read; each alarm links to its page."
    )
    alarm_backlog_minutes: int = Field(
        default=5, ge=1, description="For how long a schedule may be due to be built before it is an alarm."
    )
    alarm_late_minutes: int = Field(
        default=15, ge=1, description="For how long a change may wait to be published before it is an alarm."
    )
    alarm_queue_minutes: int = Field(
        default=5, ge=1, description="For how long a message may wait in a queue before it is an alarm."
    )
    alarm_collection_hours: int = Field(
        default=26, ge=1, description="Without a collection of garbage for so long there is an alarm."
    )
    alarm_reconciliation_hours: int = Field(
        default=3, ge=1, description="Without a reconciliation for so long there is an alarm."
    )
    alarm_clear_seconds: int = Field(
        default=60, ge=0, description="How long the cause of an alarm must be gone before the all-clear."
    )
    publisher_session_seconds: int = Field(
        default=900,
        ge=1,
        description="How long one publisher run lasts at the most, before another takes over.",
    )
    publisher_linger_seconds: int = Field(
        default=300, ge=0, description="How long a publisher run without work waits for more before it ends."
    )
    log_style: LogStyle = Field(
        default=LogStyle.AUTO,
        description="`json`, `console`, or `auto`: for people at a terminal, else JSON.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Below which nothing is logged by our own code.",
    )
    sensor_tick_seconds: float = Field(
        default=44.0,
        ge=1,
        le=55,
        description="How long one evaluation of a queue's sensor goes on receiving.",
    )

    monitoring_host: str = Field(
        default="127.0.0.1", description="The address that metrics and health are served on."
    )
    monitoring_port: int = Field(
        default=9464, ge=1, le=65535, description="The port that metrics and health are served on."
    )

    service_names: Annotated[tuple[_ServiceName, ...], BeforeValidator(_members)] = Field(
        default=(),
        description="What people call each service, by its sid (JSON object); of the others a name is made.",
    )
    available_days: int = Field(
        default=7,
        ge=1,
        le=30,
        description="For how many days after its broadcast the catalogue feeds call an episode available.",
    )
    delivery_host: str = Field(default="127.0.0.1", description="The address that partners are served on.")
    delivery_port: int = Field(
        default=8080, ge=1, le=65535, description="The port that partners are served on."
    )
    delivery_trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = Field(
        default=(),
        description="Addresses or networks of load balancers, whose word on the asker's scheme is taken (JSON list).",
    )
    delivery_marked_stale_seconds: int = Field(
        default=15,
        ge=5,
        description="How long the store may not have answered before what partners get is marked as stale.",
    )
    delivery_served_stale_hours: float = Field(
        default=24,
        gt=0,
        le=720,
        description="For how long the last good documents are served while the store does not answer.",
    )
    webhook_master_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="From which the secrets of all webhooks are derived; without it none is sent.",
    )
    webhook_plain_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts besides loopback whose webhooks may go without TLS (JSON list).",
    )
    files_bucket: str | None = Field(
        default=None, description="The bucket that collectors read files from; without it none is written."
    )
    files_update_seconds: int = Field(
        default=60, ge=1, le=86_400, description="How soon after one update of files the next may be written."
    )
    files_full_hours: int = Field(
        default=24, ge=1, le=168, description="How often all files are written anew, with a full manifest."
    )
    push_threads: int = Field(
        default=16, ge=1, le=256, description="How many subscriptions one process pushes at once."
    )
    push_set_aside_hours: int = Field(
        default=24, ge=1, le=168, description="For how long a subscription may fail before it is set aside."
    )
    push_heartbeat_file: str | None = Field(
        default=None,
        description="A file that the pusher touches every few seconds, for checks of its health.",
    )


def load_settings() -> Settings:
    """Read the environment; raise :class:`ConfigurationError`, naming each setting that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"SCHEDULES_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"settings: {wrong}") from None
    except SettingsError as error:
        raise ConfigurationError(f"settings: {error}; expected JSON") from None
