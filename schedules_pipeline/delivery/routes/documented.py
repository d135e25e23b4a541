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
    schedules: int = Field(description="The number of published days.")


class Services(BaseModel):
    services: list[Service]


class Schedule(BaseModel):
    sid: str
    date: date
    seq: int = Field(description="Grows with every version, also after a removal.")
    published_at: datetime
    etag: str = Field(description="The hash of `broadcasts`; equal for equal content.")
    broadcasts: list[Broadcast]


class Schedules(BaseModel):
    schedules: list[Schedule]
    missing: list[str] = Field(description="The requested schedules that are not published, as `sid/date`.")


class Guide(BaseModel):
    sid: str
    name: str
    start: datetime = Field(description="The start of the requested days.")
    end: datetime
    version: int = Field(description="Grows with every change of its schedules.")
    published_at: datetime | None = Field(description="Null if none of its schedules was ever published.")
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
    href: str = Field(description="The path of this version, or of a later one.")


class Changes(BaseModel):
    changes: list[Change] = Field(description="In order; a schedule may occur several times.")
    cursor: str = Field(description="The cursor of the next page.")
    more: bool = Field(description="Whether more changes exist.")


class DigestEntry(BaseModel):
    date: date
    seq: int
    etag: str
    published_at: datetime
    removed: bool


class Digest(BaseModel):
    cursor: str = Field(description="The cursor to follow the feed from, without missing a change.")
    services: dict[str, list[DigestEntry]]


class ProblemDocument(BaseModel):
    """RFC 9457; some types have further members, as `/problems/{name}` says."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


_MEANINGS = {
    400: "A parameter is invalid.",
    401: "The API key is missing or not valid.",
    404: "Not found, or not readable with your key.",
    429: "Too many requests; retry after `Retry-After` seconds.",
    503: "Temporarily unavailable.",
}
Responses = dict[int | str, dict[str, Any]]
PROBLEMS: Responses = {
    status: {"model": ProblemDocument, "description": meaning} for status, meaning in _MEANINGS.items()
}
BAD_QUERY: Responses = {400: PROBLEMS[400]}
NO_SUCH: Responses = {404: PROBLEMS[404]}
TOO_LARGE_BODY: Responses = {
    413: {"model": ProblemDocument, "description": "The body is larger than 100,000 bytes."}
}
FORBIDDEN_HERE: Responses = {
    403: {"model": ProblemDocument, "description": "Only the operators of this installation do this."}
}
CURSOR_PROBLEMS: Responses = {
    410: {
        "model": ProblemDocument,
        "description": "The cursor is too old: fetch `/v1/digest` and continue from its cursor.",
    }
}


def _fields(**meanings: str) -> dict[str, Any]:
    """Header fields of an answer, by their names with underscores."""
    return {
        name.replace("_", "-"): {"description": meaning, "schema": {"type": "string"}}
        for name, meaning in meanings.items()
    }


PAGED = _fields(Link='`rel="next"`: the next page. Absent on the last one.')
LINKED = _fields(Link="Where the interface is described (`service-desc`, `service-doc`), and its `status`.")
_VERSIONED = _fields(
    Link='`rel="alternate"`: the same in the other formats, with `type` and `title`.',
    Schedules_Seq="`seq` of the schedule, if the answer is one schedule as published, in any format.",
    Schedules_Etag="`etag` of that schedule.",
    Schedules_Published_At="`published_at` of that schedule.",
    Schedules_Cursor="Of other answers: the cursor of the change feed up to which every change is in it.",
)


def in_formats(model: Any) -> Responses:
    """Of a route that answers in JSON, as this model, and in all other formats."""
    return {
        200: {
            "model": model,
            "content": {"application/xml": {"schema": {"type": "string"}}},
            "headers": _VERSIONED,
        },
        406: {"model": ProblemDocument, "description": "None of the accepted formats is available."},
    }
