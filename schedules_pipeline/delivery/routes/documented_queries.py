"""Models of the answers to questions, for OpenAPI, as in :mod:`~schedules_pipeline.delivery.routes.documented`; and the
model that parses the one request body.
"""

from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schedules_pipeline.delivery.questions.latest_episodes import (
    ETAG_PATTERN,
    MOST_BRANDS,
    MOST_GIVEN,
    MOST_OF_A_BRAND,
)
from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.domain.programme import Episode, TitledItem
from schedules_pipeline.domain.published import Broadcast

PID_PATTERN = "^[0-9b-df-hj-np-tv-z]{8,32}$"
SID_PATTERN = "^[0-9a-z_]{1,64}$"

PidText = Annotated[str, StringConstraints(pattern=PID_PATTERN)]
SidText = Annotated[str, StringConstraints(pattern=SID_PATTERN)]


class NowNextOfService(BaseModel):
    sid: str
    name: str
    now: Broadcast | None = Field(description="Null in a gap.")
    next: list[Broadcast]
    until: datetime | None = Field(
        description="When this changes by time alone; null where nothing more is known."
    )


class NowNextOfServices(BaseModel):
    services: list[NowNextOfService]


class Airing(BaseModel):
    sid: str
    date: date
    broadcast: Broadcast


class BroadcastsOfProgramme(BaseModel):
    pid: str
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    broadcasts: list[Airing] = Field(description="In order of start. A page may be short, or empty.")
    next: str | None = Field(
        description="Give it as `after` for what follows; null where there is nothing more."
    )


class GivenEpisode(BaseModel):
    model_config = ConfigDict(extra="forbid")

    episode_pid: PidText
    etag: str = Field(pattern=ETAG_PATTERN, description="As it was given.")


class FollowedBrands(BaseModel):
    """The followed brands, and the episodes that the client holds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "brands": ["b0000001"],
                    "since": "2026-03-08T00:00:00Z",
                    "count": 5,
                    "given": [{"episode_pid": "p0000001", "etag": "69ad64c0-0123456789abcdef"}],
                }
            ]
        },
    )

    brands: Annotated[list[PidText], Field(min_length=1, max_length=MOST_BRANDS)] = Field(
        description="As the broadcasts name them under `brand`."
    )
    since: AwareDatetime = Field(description="What began before this is not asked for.")
    count: int = Field(default=10, ge=1, le=MOST_OF_A_BRAND, description="How many episodes of each brand.")
    given: Annotated[list[GivenEpisode], Field(max_length=MOST_GIVEN)] = Field(
        default=[], description="All that was given before and not withdrawn since."
    )
    sids: Annotated[list[SidText], Field(max_length=MOST_SERVICES)] = Field(
        default=[], description="The services that count; all that you may see, if left out."
    )


class LatestEpisode(BaseModel):
    episode_pid: str
    brand_pid: str
    etag: str = Field(description="Give it back as it is.")
    sid: str
    date: date
    broadcast: Broadcast = Field(description="The first since then; repeats are not told.")


class NewsOfBrands(BaseModel):
    since: datetime = Field(description="As it was applied: not before what is kept.")
    new: list[LatestEpisode] = Field(description="The latest first.")
    changed: list[LatestEpisode] = Field(description="In place of what was given.")
    withdrawn: list[str] = Field(description="Pids of episodes that were not shown after all.")
    unchanged: int


class CatalogueBroadcast(BaseModel):
    sid: str
    date: date
    broadcast_pid: str
    version_pid: str
    start: datetime
    end: datetime
    duration_seconds: int
    is_repeat: bool
    is_blanked: bool
    is_signed: bool
    is_audio_described: bool
    episode_pid: str


class CatalogueItem(BaseModel):
    episode_pid: str
    etag: str = Field(description="Another where anything of this item is.")
    episode: Episode
    series: TitledItem | None
    brand: TitledItem | None
    title: str
    subtitle: str
    broadcasts: list[CatalogueBroadcast] = Field(description="Those that make it available, or are coming.")


class CatalogueItems(BaseModel):
    items: list[CatalogueItem] = Field(description="In order of `episode_pid`.")
    next: str | None = Field(
        description="Give it as `after` for what follows; null where there is nothing more."
    )
