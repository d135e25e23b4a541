"""Parameters of several routes, each with its limits, as FastAPI parses and documents them."""

from datetime import date
from typing import Annotated

from fastapi import Header, Path, Query

from schedules_pipeline.documents.cursors import MAXIMUM_LENGTH
from schedules_pipeline.domain.day_cut import Straddling
from schedules_pipeline.domain.identifiers import parse_date

MOST_DAYS = 31
MOST_SERVICES = 100

SidPath = Annotated[str, Path(max_length=90, description="A service id, as `/v1/services` lists them.")]
DayPath = Annotated[
    str,
    Path(
        max_length=60,
        description="The date of a day, `YYYY-MM-DD`; with a format's name behind it, as `2026-03-28.xmltv`, "
        "if that is to decide and not `Accept`.",
    ),
]
Sids = Annotated[
    list[str],
    Query(
        alias="sid", max_length=MOST_SERVICES, description="Service ids; all that you may see, if left out."
    ),
]
Cut = Annotated[
    str,
    Query(
        alias="day",
        max_length=9,
        description="How a day is cut: `broadcast` (as the broadcaster does), `utc`, or the local time at which "
        "yours begin, as `05:30`.",
    ),
]
Straddle = Annotated[
    Straddling,
    Query(
        description="Where a broadcast that runs across the edge of a day belongs: to the day that it `starts` in, "
        "or to each that it `overlaps`. Means nothing for broadcast days, which are given as published."
    ),
]
Since = Annotated[
    str, Query(max_length=MAXIMUM_LENGTH, description="A cursor, from `/v1/digest` or an earlier page.")
]


LastEventId = Annotated[
    str,
    Header(
        max_length=MAXIMUM_LENGTH,
        description="Where an interrupted stream was; browsers send it by themselves.",
    ),
]


def split_format(text: str) -> tuple[str, str]:
    """Split at the first full stop into the text and the name of a format, "" without one."""
    what, _, name = text.partition(".")
    return what, name


def read_day(text: str | None, default: date) -> date:
    """Raises :class:`InvalidIdentifier` if the text is not a date."""
    return parse_date(text) if text is not None else default
