"""How a setting is declared."""

from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SidText = Annotated[str, Field(pattern="^[0-9a-z_]{1,64}$")]


def setting(default: object, meaning: str, *, accepts: str = "", **bounds: Any) -> Any:
    """Declare a setting. ``accepts`` describes the valid values where ``bounds`` alone would not say it."""
    extra: dict[str, Any] | None = {"accepts": accepts} if accepts else None
    return Field(default=default, description=meaning, json_schema_extra=extra, **bounds)


class SettingGroup(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SCHEDULES_", extra="ignore", frozen=True)
