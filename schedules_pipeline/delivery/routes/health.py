"""Health and explanations of problem types; both are readable without a key."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from schedules_pipeline.delivery.negotiation import choose_media_type
from schedules_pipeline.delivery.problems import KINDS, NOT_FOUND, Problem
from schedules_pipeline.delivery.routes.documented import BAD_QUERY, NO_SUCH, Responses
from schedules_pipeline.delivery.routes.page_answers import plain_page
from schedules_pipeline.delivery.routes.serving import Served
from schedules_pipeline.migration.ports import ServedSource

_OK, _UNAVAILABLE = 200, 503
_HTML = "text/html"
_OFFERS = ("application/json", _HTML)
_NOT_NOW: Responses = {
    503: {"description": "Not at present.", "content": {"application/json": {"schema": {"type": "object"}}}}
}
_PAGE: Responses = {
    200: {
        "content": {"application/json": {"schema": {"type": "object"}}, _HTML: {"schema": {"type": "string"}}}
    }
}


Name = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z-]{1,40}$"})]

routes = APIRouter(tags=["health"], responses=BAD_QUERY)


@routes.get("/health/live")
async def is_alive() -> dict[str, bool]:
    """Whether the process answers."""
    return {"alive": True}


@routes.get("/health/ready", responses=_NOT_NOW)
async def is_ready(response: Response, serving: Served) -> dict[str, Any]:
    """Whether the service has schedules to serve, and when the store last confirmed them."""
    delivery = serving.delivery
    rules, confirmed_at, now = delivery.policy.staleness, delivery.mirror.confirmed_at, delivery.clock()
    ready = not rules.is_too_old(confirmed_at, now) and bool(delivery.mirror.services())
    response.status_code = _OK if ready else _UNAVAILABLE
    return {
        "ready": ready,
        "as_of": confirmed_at,
        "stale": confirmed_at is not None and rules.is_stale(confirmed_at, now),
    }


@routes.get("/health/serving", responses=_NOT_NOW)
async def is_serving(response: Response, serving: Served) -> dict[str, str]:
    """For load balancers: 200 if partners are to be sent to this service, 503 if to the old system."""
    source = serving.delivery.switched.current.source
    response.status_code = _OK if source is ServedSource.OURS else _UNAVAILABLE
    return {"source": source.value}


@routes.get("/problems/{name}", responses=_PAGE | NO_SUCH)
async def explain(request: Request, serving: Served, name: Name) -> Response:
    """The meaning of a problem type: a page for a browser, JSON for others."""
    kind = next((kind for kind in KINDS if kind.name == name), None)
    if kind is None:
        raise Problem(NOT_FOUND, f"There is no problem type {name[:40]!r}.")
    if choose_media_type(request.headers.get("accept", ""), _OFFERS) == _HTML:
        return plain_page(serving, "problem_type.html", kind=kind)
    return JSONResponse(
        {
            "type": f"/problems/{name}",
            "status": kind.status,
            "title": kind.title,
            "explanation": kind.explanation,
        }
    )
