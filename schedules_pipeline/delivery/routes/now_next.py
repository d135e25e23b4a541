"""The programmes that are on now, and the next ones."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.questions.now_next import (
    MOST_COMING,
    first_boundary,
    fresh_seconds,
    now_next_fields,
)
from schedules_pipeline.delivery.representations import Representation, json_representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.choosing import AnySids, chosen_services, read_instant
from schedules_pipeline.delivery.routes.documented import PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import NowNextOfServices
from schedules_pipeline.delivery.routes.serving import Called, Serving
from schedules_pipeline.documents.broadcasts import render_json
from schedules_pipeline.domain.identifiers import Sid

routes = APIRouter(prefix="/v1", tags=["now and next"], responses=PROBLEMS)


@routes.get("/now-next", responses={200: {"model": NowNextOfServices}})
async def get_now_next(
    call: Called,
    sids: AnySids = [],  # noqa: B006 - FastAPI copies it
    at: Annotated[
        AwareDatetime | None, Query(description="An instant, with its offset from UTC. Default: now.")
    ] = None,
    count: Annotated[int, Query(ge=1, le=MOST_COMING, description="How many next broadcasts to list.")] = 1,
) -> Response:
    """The current broadcast of each service, or null in a gap, and the next ones. Omits unknown services."""
    now = call.delivery.clock()
    instant = now if at is None else read_instant("at", at, now)
    services = chosen_services(call.delivery, call.caller, sids)
    found = await run_in_threadpool(_find, call.serving, services, instant, count)
    return await answer(call.request, found)


def _find(serving: Serving, services: list[Sid], at: datetime, count: int) -> Representation:
    found = {sid: serving.board.find(sid, at, count) for sid in services}
    body = render_json(
        {
            "services": [
                now_next_fields(sid, serving.delivery.names.of(sid), one) for sid, one in found.items()
            ]
        }
    )
    seconds = fresh_seconds(at, first_boundary(found.values()))
    # No stale-if-error: an old answer to "what is on" is wrong.
    return json_representation("now-next", body, f"private, max-age={seconds}")
