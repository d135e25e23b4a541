"""Models of the answers to questions, for OpenAPI, as in :mod:`~schedules_pipeline.delivery.routes.documented`; and the
models that parse the bodies of requests.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schedules_pipeline.delivery.partner_status import Concern, ServiceState
from schedules_pipeline.delivery.questions.latest_episodes import (
    ETAG_PATTERN,
    MOST_BRANDS,
    MOST_GIVEN,
    MOST_OF_A_BRAND,
)
from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.domain.programme import Episode, Programme
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.push.subscription import MOST_ANSWERS, Envelope, SubscriptionKind

PID_PATTERN = "^[0-9b-df-hj-np-tv-z]{8,32}$"
SID_PATTERN = "^[0-9a-z_]{1,64}$"

PidText = Annotated[str, StringConstraints(pattern=PID_PATTERN)]
SidText = Annotated[str, StringConstraints(pattern=SID_PATTERN)]


_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _require_text(value: object) -> object:
    """RFC 3339 alone, because pydantic also takes numbers, dates and times without seconds."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return value
    lost = isinstance(value, str) and _INSTANT.fullmatch(value.replace(" ", "+"))
    hint = "; in an address, write the + of its offset as %2B" if lost else ""
    raise ValueError(f"not an instant such as 2026-03-28T20:00:00Z{hint}")


Instant = Annotated[AwareDatetime, BeforeValidator(_require_text)]


class NowNextOfService(BaseModel):
    sid: str
    name: str
    now: Broadcast | None = Field(description="Null in a gap.")
    next: list[Broadcast]
    until: datetime | None = Field(
        description="When the answer changes next; null if no later broadcast is known."
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
    next: str | None = Field(description="Send it as `after` for the next page; null on the last page.")


class GivenEpisode(BaseModel):
    model_config = ConfigDict(extra="forbid")

    episode_pid: PidText
    etag: str = Field(pattern=ETAG_PATTERN, description="The etag from the service.")


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
        description="The pids of `brand` in broadcasts."
    )
    since: Instant = Field(description="The earliest start of a broadcast that counts.")
    count: int = Field(default=10, ge=1, le=MOST_OF_A_BRAND, description="How many episodes of each brand.")
    given: Annotated[list[GivenEpisode], Field(max_length=MOST_GIVEN)] = Field(
        default=[], description="The episodes that you hold: all that were returned and not withdrawn."
    )
    sids: Annotated[list[SidText], Field(max_length=MOST_SERVICES)] = Field(
        default=[], description="The services that count. Default: all services that your key may read."
    )


class LatestEpisode(BaseModel):
    episode_pid: str
    brand_pid: str
    etag: str = Field(description="Send it back unchanged.")
    sid: str
    date: date
    broadcast: Broadcast = Field(description="The first broadcast since then; repeats are not listed.")


class NewsOfBrands(BaseModel):
    since: datetime = Field(description="The instant that was applied; not before the retained schedules.")
    new: list[LatestEpisode] = Field(description="Newest first.")
    changed: list[LatestEpisode] = Field(description="Replace the episodes that you hold.")
    withdrawn: list[str] = Field(description="The pids of episodes that were not shown.")
    unchanged: int


@dataclass(frozen=True, kw_only=True)
class CatalogueBroadcast(Slot):
    sid: str
    date: date


@dataclass(frozen=True, kw_only=True)
class CatalogueItem(Programme):
    episode: Episode
    episode_pid: str
    etag: Annotated[str, Field(description="Differs if any field of the item differs.")]
    broadcasts: Annotated[
        list[CatalogueBroadcast], Field(description="The broadcasts in the window of the feed.")
    ]


class CatalogueItems(BaseModel):
    items: list[CatalogueItem] = Field(description="In order of `episode_pid`.")
    next: str | None = Field(description="Send it as `after` for the next page; null on the last page.")


class ReceiverAnswer(BaseModel):
    at: datetime
    status: int = Field(description="0 without an answer; `problem` says why.")
    seconds: float
    changes: int = Field(description="The schedules in the request; 0 for a ping or a reset.")
    problem: str


class SubscriptionState(BaseModel):
    name: str
    partner: str
    kind: SubscriptionKind
    target: str = Field(description="The address of a webhook, or the prefix of files.")
    formats: list[str] = Field(description="Of files.")
    created_at: datetime
    envelope: Envelope
    concurrency: int
    batch: int
    state: str = Field(description="`well`, `failing`, `paused`, `quarantined` or `before the switch`.")
    behind_seconds: float = Field(description="The age of the oldest pending change; 0 if none is pending.")
    cursor: str = Field(description="Everything up to here was delivered.")
    delivered_at: datetime | None
    failures: int = Field(description="In a row.")
    failing_since: datetime | None
    next_at: datetime | None = Field(description="Nothing is sent before; null if nothing waits.")
    problem: str = Field(description='The latest failure; "" after a success.')
    quarantined_at: datetime | None
    full_at: datetime | None = Field(description="When all files were last written.")
    secret_generation: int
    secret_rotated_at: datetime | None
    answers: list[ReceiverAnswer] = Field(
        description=f"Of your receiver, the latest {MOST_ANSWERS}, the newest first. Files have none."
    )


class SubscriptionStates(BaseModel):
    subscriptions: list[SubscriptionState]


class Limit(BaseModel):
    limit: int
    left: int


class Limits(BaseModel):
    minute: Limit = Field(description="Tokens.")
    day: Limit = Field(description="Requests of this day in UTC.")
    waiting: Limit = Field(description="Long polls and streams at one time, in the process that answers.")


class KeyState(BaseModel):
    id: str = Field(description="The part of a key between `sk_` and the next `_`.")
    expires_at: datetime | None


class IncidentState(BaseModel):
    name: Concern
    since: datetime
    meaning: str


class Status(BaseModel):
    state: ServiceState
    as_of: datetime | None = Field(description="When the store last confirmed what is served.")
    behind_seconds: float | None = Field(description="Since then. A second or two is usual.")
    stale_after_seconds: float = Field(description="From then on answers have `Schedules-Stale: ?1`.")
    unavailable_after_seconds: float = Field(description="From then on requests are answered with 503.")
    cursor: str = Field(description="The end of the change feed in the process that answers.")
    published_at: datetime | None = Field(description="The latest change of the services of your key.")
    services: int
    schedules: int
    limits: Limits
    keys: list[KeyState] = Field(description="Yours that are valid.")
    incidents: list[IncidentState] | None = Field(
        description="That concern you, the earliest first; null if they are unknown, because the store is unreachable "
        "or nothing has checked for incidents within two minutes."
    )


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    replaces: int = Field(
        ge=1,
        le=2**31,
        description="`secret_generation` of the secret to replace. Repeat the request if its answer was lost.",
    )


class RotatedSecret(BaseModel):
    generation: int
    secret: str = Field(description="`whsec_…`, which signs from now on.")
    previous_signs_until: datetime | None = Field(
        description="Until then every request has a signature by each of the two secrets."
    )


class Replay(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: str = Field(
        max_length=200, description="Of the change feed: what changed after it is sent again."
    )
