"""One address for a player: ``/players/{access}/guide.xml`` (ADR 44).

``access`` is a key, or the name of a public partner (:mod:`~schedules_pipeline.delivery.routes.addressed`).
"""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from schedules_pipeline.delivery.player_guides import DAYS, PlayerDays
from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import answer, answer_gzipped
from schedules_pipeline.delivery.routes.documented import PROBLEMS, Responses
from schedules_pipeline.delivery.routes.parameters import DATE, MOST_DAYS, Access, read_day
from schedules_pipeline.delivery.routes.serving import Call, Called

GZIP_TYPE: Final = "application/gzip"

First = Annotated[
    str | None,
    Query(alias="from", max_length=10, description="Default: yesterday.", json_schema_extra=DATE),
]
Last = Annotated[
    str | None,
    Query(
        alias="to",
        max_length=10,
        description=f"The last day, included; at most {MOST_DAYS} days. Default: {DAYS} days from today on.",
        json_schema_extra=DATE,
    ),
]


def _of(media_type: str, schema_format: str) -> Responses:
    return {200: {"content": {media_type: {"schema": {"type": "string", "format": schema_format}}}}}


routes = APIRouter(prefix="/players/{access}", tags=["players"], responses=PROBLEMS)


@routes.get("/guide.xml", responses=_of("application/xml", "xml"), response_class=Response)
async def get_player_guide(call: Called, access: Access, first: First = None, last: Last = None) -> Response:
    """All services of the address in one XMLTV file."""
    return await answer(call, await _represent(call, access, first, last))


@routes.get("/guide.xml.gz", responses=_of(GZIP_TYPE, "binary"), response_class=Response)
async def get_player_guide_gzipped(
    call: Called, access: Access, first: First = None, last: Last = None
) -> Response:
    """The same file, gzipped."""
    return await answer_gzipped(call, await _represent(call, access, first, last), GZIP_TYPE)


async def _represent(call: Call, access: str, first: str | None, last: str | None) -> Representation:
    """Raises :class:`Problem` if the days are not in order, or too many."""
    delivery, now = call.delivery, call.delivery.clock()
    sids = tuple(delivery.services_of(call.caller))
    usual = PlayerDays.around(now.astimezone(delivery.calendar.zone).date())
    begin = read_day(first, usual.first)
    days = PlayerDays(begin, read_day(last, max(usual.last, begin)))
    if not 1 <= days.count <= MOST_DAYS:
        raise Problem(BAD_REQUEST, f"`from` {begin} to `to` {days.last} must be 1 to {MOST_DAYS} days.")
    asked, guides = (sids, days, call.is_public(access)), call.serving.player_guides
    if (found := guides.find(asked, now)) is not None:
        return found
    async with call.serving.planners.turn(call.caller.name, has_begun=True):
        return await guides.fix(asked, delivery)
