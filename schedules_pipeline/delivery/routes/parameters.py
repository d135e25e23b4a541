"""Parameters of several routes, each with its limits, as FastAPI parses and documents them."""

from datetime import date
from typing import Annotated

from fastapi import Header, Path, Query

from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.documents.cursors import MAXIMUM_LENGTH
from schedules_pipeline.domain.day_cut import Straddling
from schedules_pipeline.domain.identifiers import parse_date

MOST_DAYS = 31

SidPath = Annotated[str, Path(max_length=90, description="A service id from `/v1/services`.")]
DayPath = Annotated[
    str,
    Path(
        max_length=60,
        description="A date, `YYYY-MM-DD`. Append the name of a format, as in `2026-03-28.xmltv`, to select it "
        "regardless of `Accept`.",
    ),
]
Sids = Annotated[
    list[str],
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
    str, Query(max_length=MAXIMUM_LENGTH, description="A cursor, from `/v1/digest` or an earlier page.")
]


LastEventId = Annotated[
    str,
    Header(
        max_length=MAXIMUM_LENGTH,
        description="The cursor of the last event before an interruption; browsers send it automatically.",
    ),
]


def split_format(text: str) -> tuple[str, str]:
    """Split at the first full stop into the text and the name of a format, "" without one."""
    what, _, name = text.partition(".")
    return what, name


def read_day(text: str | None, default: date) -> date:
    """Raises :class:`InvalidIdentifier` if the text is not a date."""
    return parse_date(text) if text is not None else default
