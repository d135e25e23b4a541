"""The catalogue feeds: available and coming episodes."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.freshness import cache_control
from schedules_pipeline.delivery.questions.catalogue_feeds import (
    MOST_ENTRIES,
    Feed,
    Table,
    find_page,
    render_page,
    window_of,
)
from schedules_pipeline.delivery.representations import Representation, json_representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.choosing import AnySids, chosen_services
from schedules_pipeline.delivery.routes.documented import PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import CatalogueItems, PidText
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval

_FRESH_SECONDS = 60

Limit = Annotated[
    int, Query(ge=1, le=MOST_ENTRIES, description="The most items on a page; a page may be shorter.")
]
After = Annotated[PidText | None, Query(description="`next` of the previous page.")]


routes = APIRouter(prefix="/v1/catalogue", tags=["catalogue"], responses=PROBLEMS)


async def _page(feed: Feed, call: Call, sids: list[str], limit: int, after: str | None) -> Response:
    delivery, now = call.delivery, call.delivery.clock()
    services = frozenset(chosen_services(delivery, call.caller, sids))
    window = window_of(feed, now, delivery.policy.available_days)
    make = call.serving.table.plan(now)
    found = await run_in_threadpool(_represent, make, window, services, after, limit)
    return await answer(call.request, found)


@routes.get("/available", responses={200: {"model": CatalogueItems}})
async def get_available(
    call: Called,
    sids: AnySids = [],  # noqa: B006 - FastAPI copies it
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The episodes that count as available: a broadcast of each has begun within the last days."""
    return await _page(Feed.AVAILABLE, call, sids, limit, after)


@routes.get("/coming", responses={200: {"model": CatalogueItems}})
async def get_coming(
    call: Called,
    sids: AnySids = [],  # noqa: B006
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The episodes of which a broadcast begins within eight days."""
    return await _page(Feed.COMING, call, sids, limit, after)


def _represent(
    make: Callable[[], Table], window: Interval, services: frozenset[Sid], after: str | None, limit: int
) -> Representation:
    body = render_page(find_page(make(), window, services.__contains__, after, limit))
    return json_representation("catalogue", body, cache_control(_FRESH_SECONDS))
