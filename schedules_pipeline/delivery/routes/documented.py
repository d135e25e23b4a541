"""Models of the answers, for OpenAPI. Answers are not rendered from them, because published documents are served as
stored; tests compare the two.
"""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schedules_pipeline.domain.published import Broadcast


class Service(BaseModel):
    sid: str
    name: str
    is_radio: bool
    first_date: date
    last_date: date
    schedules: int = Field(description="How many days are published.")


class Services(BaseModel):
    services: list[Service]


class Schedule(BaseModel):
    sid: str
    date: date
    seq: int = Field(description="Grows with every version, and goes on after a removal.")
    published_at: datetime
    etag: str = Field(description="The hash of `broadcasts`: equal where the content is.")
    broadcasts: list[Broadcast]


class Schedules(BaseModel):
    schedules: list[Schedule]
    missing: list[str] = Field(description="What nothing is published of, as `sid/date`.")


class Guide(BaseModel):
    sid: str
    name: str
    start: datetime = Field(description="The day, or the days together, as you cut them.")
    end: datetime
    version: int = Field(description="Grows with every change of what it is cut from.")
    published_at: datetime | None = Field(description="Null where nothing was ever published.")
    broadcasts: list[Broadcast]


class Guides(BaseModel):
    """The answer for days that are not broadcast days."""

    guides: list[Guide]


class Change(BaseModel):
    sid: str
    date: date
    seq: int
    etag: str = Field(description='"" for a removal.')
    published_at: datetime
    removed: bool
    broadcasts: int
    href: str = Field(description="Where this version, or a later one, can be read.")


class Changes(BaseModel):
    changes: list[Change] = Field(description="In order; of one schedule there may be several.")
    cursor: str = Field(description="Where to go on.")
    more: bool = Field(description="Whether there were more at that moment.")


class DigestEntry(BaseModel):
    date: date
    seq: int
    etag: str
    published_at: datetime
    removed: bool


class Digest(BaseModel):
    cursor: str = Field(description="Follow the feed from here, and nothing is missed.")
    services: dict[str, list[DigestEntry]]


class ProblemDocument(BaseModel):
    """RFC 9457; some types have further members, as `/problems/{name}` says."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


_MEANINGS = {
    400: "A parameter cannot be taken.",
    401: "No valid API key was given.",
    404: "There is nothing there that you may see.",
    429: "More requests than agreed; `Retry-After` says when.",
    503: "It cannot be answered at the moment.",
}
Responses = dict[int | str, dict[str, Any]]
PROBLEMS: Responses = {
    status: {"model": ProblemDocument, "description": meaning} for status, meaning in _MEANINGS.items()
}
CURSOR_PROBLEMS: Responses = {
    410: {
        "model": ProblemDocument,
        "description": "The cursor is too old: fetch `/v1/digest`, and go on from there.",
    }
}


def in_formats(model: Any) -> Responses:
    """Of a route that answers in JSON, which is this model, and in every other format that there is."""
    return {
        200: {"model": model, "content": {"application/xml": {"schema": {"type": "string"}}}},
        406: {"model": ProblemDocument, "description": "Not in any format that you accept."},
    }
