"""The catalogue feeds: available and coming episodes."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from schedules_pipeline.delivery.costs import cost_of_joining
from schedules_pipeline.delivery.freshness import cache_control
from schedules_pipeline.delivery.questions.catalogue_feeds import (
    MOST_ENTRIES,
    Feed,
    render_page_of,
    window_of,
)
from schedules_pipeline.delivery.routes.answering import answer_with_next
from schedules_pipeline.delivery.routes.choosing import AnySids, chosen_services
from schedules_pipeline.delivery.routes.documented import PAGED, PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import CatalogueItems, PidText
from schedules_pipeline.delivery.routes.serving import Call, Called, ask_table

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
    question = partial(render_page_of, window=window, sids=services, after=after, limit=limit)
    found = await ask_table(call, cost_of_joining(limit), question)
    return await answer_with_next(call, found, cache_control(_FRESH_SECONDS))


@routes.get("/available", responses={200: {"model": CatalogueItems, "headers": PAGED}})
async def get_available(
    call: Called,
    sids: AnySids = [],  # noqa: B006 - FastAPI copies it
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The episodes that count as available: a broadcast of each has begun within the last days."""
    return await _page(Feed.AVAILABLE, call, sids, limit, after)


@routes.get("/coming", responses={200: {"model": CatalogueItems, "headers": PAGED}})
async def get_coming(
    call: Called,
    sids: AnySids = [],  # noqa: B006
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The episodes of which a broadcast begins within eight days."""
    return await _page(Feed.COMING, call, sids, limit, after)
