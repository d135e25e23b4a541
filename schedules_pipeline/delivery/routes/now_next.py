"""The programmes that are on now, and the next ones."""

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from schedules_pipeline.delivery.costs import cost_of_rendering
from schedules_pipeline.delivery.questions.now_next import (
    MOST_COMING,
    Board,
    fresh_seconds,
    keys_around,
    render_board,
)
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.choosing import AnySids, chosen_services, read_instant
from schedules_pipeline.delivery.routes.documented import PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import Instant, NowNextOfServices
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.domain.identifiers import Sid

routes = APIRouter(prefix="/v1", tags=["now and next"], responses=PROBLEMS)


@routes.get("/now-next", responses={200: {"model": NowNextOfServices}})
async def get_now_next(
    call: Called,
    sids: AnySids = [],  # noqa: B006 - FastAPI copies it
    at: Annotated[
        Instant | None, Query(description="An instant, with its offset from UTC. Default: now.")
    ] = None,
    count: Annotated[int, Query(ge=1, le=MOST_COMING, description="How many next broadcasts to list.")] = 1,
) -> Response:
    """The current broadcast of each service, or null in a gap, and the next ones. Omits unknown services."""
    now = call.delivery.clock()
    instant = now if at is None else read_instant(at)
    services = chosen_services(call.delivery, call.caller, sids)
    board = call.serving.boards.find(services, count, instant) or await _render(
        call, services, instant, count
    )
    seconds = fresh_seconds(instant, board.until)
    # No stale-if-error: an old answer to "what is on" is wrong.
    return await answer(call, board.answer.represent("application/json", f"private, max-age={seconds}"))


async def _render(call: Call, services: list[Sid], at: datetime, count: int) -> Board:
    delivery = call.delivery
    generation = delivery.mirror.generation
    extract = delivery.mirror.extract(key for sid in services for key in keys_around(sid, at))
    named = [(sid, delivery.names.of(sid)) for sid in services]
    task = partial(render_board, named, extract, at, count)
    board = await call.render(cost_of_rendering(len(extract)), task)
    call.serving.boards.put(services, count, board, generation)
    return board
