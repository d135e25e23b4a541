"""Parameters of several routes, each with its limits, as FastAPI parses and documents them."""

from datetime import date
from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import JsonValue, WithJsonSchema

from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.delivery.routes.documented_queries import SID_PATTERN
from schedules_pipeline.documents.cursors import MAXIMUM_LENGTH
from schedules_pipeline.domain.day_cut import Straddling
from schedules_pipeline.domain.identifiers import parse_date

MOST_DAYS = 31

DATE_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
"""The domain checks values, and says what is wrong with them; patterns and formats of texts are documented only."""

DATE: dict[str, JsonValue] = {"format": "date", "pattern": DATE_PATTERN}
CURSOR: dict[str, JsonValue] = {"format": "cursor", "pattern": "^[A-Za-z0-9_-]*$"}
Access = Annotated[
    str,
    Path(
        max_length=100,
        description="A key, which makes the address secret, or the name of a public partner.",
        json_schema_extra={"pattern": "^[0-9a-z_-]{1,100}$"},
    ),
]
SidPath = Annotated[
    str,
    Path(
        max_length=90,
        description="A service id from `/v1/services`.",
        json_schema_extra={"pattern": SID_PATTERN},
    ),
]
SidInFormatPath = Annotated[
    str,
    Path(
        max_length=90,
        description="A service id from `/v1/services`. Append the name of a format, as in `alder_one.xmltv`, to "
        "select it regardless of `Accept`.",
        json_schema_extra={"pattern": f"{SID_PATTERN.removesuffix('$')}([.][a-z]{{1,20}})?$"},
    ),
]
DayPath = Annotated[
    str,
    Path(
        max_length=60,
        description="A date, `YYYY-MM-DD`. Append the name of a format, as in `2026-03-28.xmltv`, to select it "
        "regardless of `Accept`.",
        json_schema_extra={
            "format": "date-in-format",
            "pattern": f"{DATE_PATTERN.removesuffix('$')}([.][a-z]{{1,20}})?$",
        },
    ),
]
Sids = Annotated[
    list[Annotated[str, WithJsonSchema({"type": "string", "pattern": SID_PATTERN})]],
    Query(
        alias="sid",
        max_length=MOST_SERVICES,
        description="Service ids. Default: all services that your key may read.",
    ),
]
Cut = Annotated[
    str,
    Query(
        alias="day",
        max_length=9,
        description="Where a day begins: `broadcast` (the broadcast day), `utc` (midnight UTC), or a local time, "
        "such as `05:30`.",
        json_schema_extra={"pattern": "^(broadcast|utc|([01][0-9]|2[0-3]):[0-5][0-9])$"},
    ),
]
Straddle = Annotated[
    Straddling,
    Query(
        description="The day of a broadcast that crosses the edge of a day: the day that it `starts` in, or each day "
        "that it `overlaps`. Has no effect on broadcast days, which are returned as published."
    ),
]
Since = Annotated[
    str,
    Query(
        max_length=MAXIMUM_LENGTH,
        description="A cursor, from `/v1/digest` or an earlier page.",
        json_schema_extra=CURSOR,
    ),
]


LastEventId = Annotated[
    str,
    Header(
        max_length=MAXIMUM_LENGTH,
        description="The cursor of the last event before an interruption; browsers send it automatically.",
        json_schema_extra=CURSOR,
    ),
]


def split_format(text: str) -> tuple[str, str]:
    """Split at the first full stop into the text and the name of a format, "" without one."""
    what, _, name = text.partition(".")
    return what, name


def read_day(text: str | None, default: date) -> date:
    """Raises :class:`InvalidIdentifier` if the text is not a date."""
    return parse_date(text) if text is not None else default
