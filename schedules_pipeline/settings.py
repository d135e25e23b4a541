"""Every setting of the pipeline, with its default, bounds and meaning; those for televisions are in
:mod:`~schedules_pipeline.television_settings`. Nothing else reads the environment.

Each setting is read from ``SCHEDULES_<NAME>``. The groups are the sections of ``docs/reference/settings.md``, which
``docs/site/settings_reference.py`` generates from this declaration.
"""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import SettingsError

from schedules_pipeline import setting_values
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.logs import LogStyle
from schedules_pipeline.renamed_settings import values_under_old_names
from schedules_pipeline.setting_groups import SettingGroup as _Group
from schedules_pipeline.setting_groups import SidText
from schedules_pipeline.setting_groups import setting as _env
from schedules_pipeline.television_settings import TelevisionSettings

_ServiceName = tuple[
    SidText,
    Annotated[str, Field(min_length=1, max_length=100)],
]


class RedisSettings(_Group):
    """Redis"""

    redis_url: SecretStr = _env(
        SecretStr("redis://127.0.0.1:6379/0"),
        "Redis server of the pipeline's keyspace. Secret: it may hold a password.",
        accepts="`redis://`, `rediss://`, or `redis+sentinel://host:26379,host:26379/service`",
    )
    redis_is_cluster: bool = _env(default=False, meaning="Whether `SCHEDULES_REDIS_URL` is a Redis Cluster.")
    redis_wait_replicas: int = _env(
        0,
        "Replicas that confirm every write before it counts (`WAIT`), so that a failover loses nothing. Not for a "
        "cluster.",
        ge=0,
        le=5,
    )
    catalogue_redis_url: SecretStr | None = _env(
        None, "Redis server of the catalogue keyspace, if not `SCHEDULES_REDIS_URL`."
    )
    legacy_redis_url: SecretStr | None = _env(
        None, "Redis server of the old system's keyspace, if not `SCHEDULES_REDIS_URL`."
    )
    keyspace: str = _env(
        "schedules",
        "Prefix of every key that the pipeline writes. Pipelines with different keyspaces share no data.",
        pattern=r"^[a-z0-9_.-]+$",
        accepts="lower-case letters, digits, `_`, `.` and `-`, at least one",
    )
    catalogue_prefix: str = _env("catalogue:", "Prefix of every key of the catalogue keyspace.")
    legacy_prefix: str = _env("legacy:", "Prefix of every key of the old system's keyspace.")


class AwsSettings(_Group):
    """AWS"""

    aws_endpoint_url: str | None = _env(
        None, "Endpoint of an AWS emulator. Credentials come from AWS's default chain."
    )
    aws_region: str = _env("eu-west-1", "Region of the buckets, queues and table.")
    schedule_bucket: str = _env("schedule-source", "S3 bucket of the schedule documents.")
    schedule_queue: str = _env("schedule-events", "SQS queue that announces schedule documents.")
    catalogue_queue: str = _env("catalogue-events", "SQS queue that announces catalogue items.")
    schedule_dead_letter_queue: str = _env(
        "schedule-events-dead", "Dead-letter queue of `SCHEDULES_SCHEDULE_QUEUE`."
    )
    catalogue_dead_letter_queue: str = _env(
        "catalogue-events-dead", "Dead-letter queue of `SCHEDULES_CATALOGUE_QUEUE`."
    )
    references_home: str = _env(
        "redis",
        "Store of the back-reference index. Run a coldstart after a change.",
        pattern="^(redis|dynamodb)$",
        accepts="`redis` or `dynamodb`",
    )
    references_table: str = _env(
        "schedules-references",
        "DynamoDB table of the back-reference index, if it is in DynamoDB.",
        pattern=r"^[A-Za-z0-9_.-]{3,255}$",
        accepts="3 to 255 letters, digits, `_`, `.` and `-`",
    )


class BroadcastDaySettings(_Group):
    """Broadcast days"""

    time_zone: Annotated[str, AfterValidator(setting_values.time_zone)] = _env(
        "Europe/London", "Time zone of the broadcast day.", accepts="a zone of the IANA database"
    )
    radio_services: tuple[str, ...] = _env(("*radio*",), "Patterns of the radio services (JSON list).")
    retention_days: int = _env(30, "Days before today that are kept. 0 keeps all.", ge=0, le=3_650)


class SafeguardSettings(_Group):
    """Input and safeguards"""

    smallest_airtime_share: float = _env(
        0.7,
        "A document is held if it covers a smaller share of the airtime to come than the schedule did within 24 hours.",
        ge=0,
        le=1,
    )
    largest_quarantined_share: float = _env(
        0.25, "A document is held if a greater share of its broadcasts is unusable.", ge=0, le=1
    )
    confirm_minutes: int = _env(
        10, "Another put of similar coverage confirms a held document after so many minutes.", ge=0
    )
    loss_budget_hours: float = _env(
        36, "Hours of airtime that all services together may lose within an hour; more is held.", ge=0
    )
    loss_budget_service_hours: float = _env(
        30, "Hours of airtime that one service may lose within an hour; more is held.", ge=0
    )
    maximum_schedule_bytes: int = _env(
        5_000_000, "Larger schedule documents are rejected.", ge=10_000, le=100_000_000
    )
    maximum_catalogue_bytes: int = _env(
        1_000_000, "Larger catalogue documents are rejected.", ge=10_000, le=100_000_000
    )
    rejections_kept_days: int = _env(14, "Days for which rejected messages and items are listed.", ge=1)
    storm_threshold: int = _env(
        10_000, "A coldstart begins when more catalogue messages than this wait.", ge=1
    )


class MaintenanceSettings(_Group):
    """Coldstart, reconciliation and retention"""

    coldstart_shards: int = _env(2, "Number of parallel runs of a coldstart.", ge=1, le=64)
    purge_delay_seconds: int = _env(
        60,
        "Seconds after a purge during which SQS may still delete new messages. A coldstart waits that long before "
        "it reads a source.",
        ge=0,
    )
    reconcile_shares: int = _env(24, "Hourly shares of a full reconciliation.", ge=1, le=720)
    reconcile_grace_seconds: int = _env(
        30, "Seconds for which a reconciliation waits for changes in progress.", ge=0, le=900
    )
    state_export_bucket: str | None = _env(
        None, "S3 bucket of the hourly exports of state that no source has. Without it, there are none."
    )
    state_export_prefix: str = _env(
        "state/",
        "Beginning of the names of exports, another one for each keyspace.",
        pattern=r"^[A-Za-z0-9_./-]*$",
        accepts="letters, digits, `_`, `.`, `/` and `-`",
    )
    state_exports_kept: int = _env(168, "Number of exports that are kept.", ge=2, le=10_000)
    versions_kept_hours: int = _env(72, "Hours for which a replaced version can be shown.", ge=1)
    versions_kept: int = _env(
        50, "Number of replaced versions of a schedule that can be shown within that time.", ge=1, le=500
    )
    stored_compressed: bool = _env(
        True,
        "Whether documents and accepted sources are stored compressed. `false` while a process of release 0.2 works "
        "on the keyspace, because it reads plain content alone.",
    )
    feed_kept_days: int = _env(
        8,
        "Days for which the change feed keeps its rows, and records that a schedule was removed.",
        ge=2,
        accepts="2 or more: longer than any worker may be suspended",
    )


class MigrationSettings(_Group):
    """The old system"""

    intended_differences: tuple[str, ...] = _env(
        (), "Patterns of fields that may differ from the old system (JSON list)."
    )
    difference_severity: str = _env(
        "ERROR",
        "Severity of the check `matches_legacy` in Dagster.",
        pattern="^(WARN|ERROR)$",
        accepts="`WARN` or `ERROR`",
    )
    legacy_stale_minutes: int = _env(
        60, "Oldest refresh of the old system that a comparison may use, in minutes.", ge=1
    )
    switch_parity_threshold: float = _env(
        0.995, "Share of comparable schedules that a switch requires to match.", ge=0, le=1
    )
    switch_coverage_threshold: float = _env(
        0.75, "Share of all schedules that must be comparable before a switch.", ge=0, le=1
    )
    reports_directory: str | None = _env(
        None, "Directory of parity reports; else `reports` in Dagster's storage."
    )
    reports_kept: int = _env(30, "Number of parity reports that are kept.", ge=1)


class DagsterSettings(_Group):
    """Dagster, logs and traces"""

    dagster_runs_kept_days: int = _env(7, "Days for which Dagster keeps finished runs.", ge=1)
    io_manager_bucket: str | None = _env(
        None, "S3 bucket for the outputs of Dagster's ops; else the local disk."
    )
    publisher_session_seconds: int = _env(900, "Longest duration of one publisher run, in seconds.", ge=1)
    most_publishers: int = _env(
        2, "Most publishers at once. More than one run while many schedules wait, or old ones.", ge=1, le=64
    )
    publisher_linger_seconds: int | None = _env(None, "Seconds an idle one waits; unset: one stays.", ge=0)
    sensor_tick_seconds: float = _env(
        44.0,
        "Seconds for which one tick of a queue sensor receives.",
        ge=1,
        le=55,
        accepts="1 to 55; Dagster ends a tick after 60",
    )
    log_style: LogStyle = _env(
        LogStyle.AUTO, "Format of logs. `auto` is `console` at a terminal, else `json`."
    )
    log_level: str = _env(
        "INFO",
        "Lowest level that the pipeline logs.",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        accepts="`DEBUG`, `INFO`, `WARNING` or `ERROR`",
    )
    traces: bool = _env(default=False, meaning="Send traces to the collector of the `OTEL_…` variables.")


class AlarmSettings(_Group):
    """Alarms and monitoring"""

    alarm_topic_arn: str | None = _env(None, "SNS topic that receives alarms.")
    alarm_webhook_url: Annotated[SecretStr, AfterValidator(setting_values.web_address)] | None = _env(
        None,
        "Address to which alarms are posted. Secret: it may hold a token.",
        accepts="`http://` or `https://` and a host; redirections are not followed",
    )
    alarm_allowed_networks: Annotated[tuple[str, ...], AfterValidator(setting_values.networks)] = _env(
        (),
        "Networks besides the public internet that `SCHEDULES_ALARM_WEBHOOK_URL` may be in (JSON list).",
        accepts="IP addresses, and networks such as `10.0.0.0/16`",
    )
    runbook_url: str = _env("docs/runbook.md", "Address of the runbook. Each alarm links to its page.")
    alarm_backlog_minutes: int = _env(5, "Alarm when a schedule has been due for so many minutes.", ge=1)
    alarm_late_minutes: int = _env(15, "Alarm when a change has been unpublished for so many minutes.", ge=1)
    alarm_queue_minutes: int = _env(
        5, "Alarm when a message has waited in a queue for so many minutes.", ge=1
    )
    alarm_blanking_hours: float = _env(
        12, "Alarm when more hours of a service were blanked within an hour.", ge=0
    )
    alarm_collection_hours: int = _env(26, "Alarm after so many hours without garbage collection.", ge=1)
    alarm_reconciliation_hours: int = _env(3, "Alarm after so many hours without reconciliation.", ge=1)
    alarm_legacy_minutes: int = _env(
        10, "Alarm when the old system has not refreshed for so many minutes.", ge=1
    )
    alarm_state_export_hours: int = _env(
        26, "Alarm after so many hours without an export of the state.", ge=1
    )
    alarm_clear_seconds: int = _env(60, "Seconds without its cause after which an alarm is cleared.", ge=0)
    monitoring_host: str = _env("127.0.0.1", "Address that serves metrics and health.")
    monitoring_port: int = _env(9464, "Port that serves metrics and health.", ge=1, le=65535)


class DeliverySettings(_Group):
    """Delivery to partners"""

    delivery_host: str = _env("127.0.0.1", "Address that serves partners.")
    delivery_port: int = _env(8080, "Port that serves partners.", ge=1, le=65535)
    delivery_url: str | None = _env(
        None, "Its address for people, to which Dagster's records link.", pattern="^https?://[^/ ]+[^ ]*$"
    )
    delivery_trusted_proxies: Annotated[tuple[str, ...], AfterValidator(setting_values.networks)] = _env(
        (),
        "Load balancers whose `X-Forwarded-Proto` is trusted (JSON list).",
        accepts="IP addresses, and networks such as `10.0.0.0/16`",
    )
    delivery_renderers: int = _env(
        2,
        "Processes that render expensive answers beside each delivery process. 0 renders in the delivery process "
        "itself, which then answers others late.",
        ge=0,
        le=16,
    )
    delivery_marked_stale_seconds: int = _env(
        15, "Seconds of an outage of the store after which answers are marked as stale.", ge=5
    )
    delivery_served_stale_hours: float = _env(
        24, "Hours for which stale documents are served during an outage of the store.", gt=0, le=720
    )
    service_names: Annotated[tuple[_ServiceName, ...], BeforeValidator(setting_values.pairs)] = _env(
        (),
        "Names of services by sid (JSON object). Other services get a name made from their sid.",
        accepts="names of 1 to 100 characters",
    )
    available_days: int = _env(
        7, "Days after a broadcast for which feeds list the episode as available.", ge=1, le=30
    )
    image_url_template: Annotated[str, AfterValidator(setting_values.image_template)] = _env(
        "",
        "Address of an image, with `{image_pid}` in it. Without it, partners get no image addresses.",
        accepts="`http://` or `https://`, a host, and `{image_pid}` once, in ASCII without spaces",
    )
    dagster_url: str = _env(
        "", "Address of Dagster's pages, to which the guide leads operators.", pattern=r"^(https?://\S+)?$"
    )
    xmltv_domain: str = _env(
        "schedules.example",
        "Your domain. It ends the channel ids in XMLTV, which makes them unique.",
        pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$",
        max_length=200,
        accepts="letters, digits, `-` and `.`, at most 200",
    )
    crid_authority: str = _env(
        "schedules.example",
        "Your domain. It begins the identifiers of programmes and services in TV-Anytime.",
        pattern=r"^[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)+$",
        max_length=200,
        accepts="a domain name of two labels or more, in lower case, at most 200 characters",
    )
    tag_date: str = _env(
        "2024",
        "A day, month or year in which you owned `SCHEDULES_CRID_AUTHORITY`. It is part of every service's tag: "
        "never change it.",
        pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$",
        accepts="`YYYY`, `YYYY-MM` or `YYYY-MM-DD`",
    )
    content_language: str = _env(
        "en",
        "Language of titles and synopses in TV-Anytime (BCP 47).",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        max_length=35,
        accepts="a language tag, at most 35 characters",
    )


class PushSettings(_Group):
    """Push to subscribers"""

    webhook_master_secret: SecretStr | None = _env(
        None,
        "Secret from which the secret of each webhook is derived. The pusher needs it. If the delivery service "
        "has it too, partners rotate the secrets of their own webhooks.",
        min_length=32,
        accepts="32 characters or more; a change replaces the secret of every webhook at once",
    )
    webhook_plain_hosts: tuple[str, ...] = _env(
        (), "Hosts that may get webhooks without TLS, besides loopback (JSON list)."
    )
    push_allowed_networks: Annotated[tuple[str, ...], AfterValidator(setting_values.networks)] = _env(
        (),
        "Networks besides the public internet that webhooks may be sent to (JSON list). Every address is checked when "
        "a connection is made.",
        accepts="IP addresses, and networks such as `10.0.0.0/16`",
    )
    files_bucket: str | None = _env(
        None, "S3 bucket from which partners collect files. Without it, no file is written."
    )
    files_update_seconds: int = _env(60, "Shortest seconds between updates of the files.", ge=1, le=86_400)
    files_full_hours: int = _env(
        24, "Hours between full rewrites of the files and their manifest.", ge=1, le=168
    )
    push_threads: int = _env(16, "Subscriptions that one process pushes in parallel.", ge=1, le=256)
    push_quarantine_hours: int = _env(
        24, "Hours of failure before a subscription is quarantined.", ge=1, le=168
    )
    push_heartbeat_file: str | None = _env(None, "File that the pusher touches regularly, for health checks.")


class Settings(
    PushSettings,
    TelevisionSettings,
    DeliverySettings,
    AlarmSettings,
    DagsterSettings,
    MigrationSettings,
    MaintenanceSettings,
    SafeguardSettings,
    BroadcastDaySettings,
    AwsSettings,
    RedisSettings,
):
    """All settings. pydantic collects the fields of base classes from right to left."""


def load_settings() -> Settings:
    """Read the environment. Raises :class:`ConfigurationError`, which names each invalid setting."""
    try:
        return Settings(**values_under_old_names())
    except ValidationError as error:
        wrong = "; ".join(
            f"SCHEDULES_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"settings: {wrong}") from None
    except SettingsError as error:
        raise ConfigurationError(f"settings: {error}; expected JSON") from None
