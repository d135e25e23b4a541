"""The one reader of the environment: every setting, its default, and what it means.

Each is read from ``SCHEDULES_<NAME>``. The defaults fit the local demonstration; ``docs/settings.md`` lists them.
"""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from schedules_pipeline.errors import ConfigurationError


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {name[:60]!r}") from error
    return name


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
    aws_region: str = Field(default="eu-west-1", description="The region of bucket and queues.")
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
    publisher_session_seconds: int = Field(
        default=900,
        ge=1,
        description="How long one publisher run lasts at the most, before another takes over.",
    )
    publisher_linger_seconds: int = Field(
        default=300, ge=0, description="How long a publisher run without work waits for more before it ends."
    )
    sensor_tick_seconds: float = Field(
        default=44.0,
        ge=1,
        le=55,
        description="How long one evaluation of a queue's sensor goes on receiving.",
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
