"""Health and explanations of problem types; both are readable without a key."""

from typing import Any

from fastapi import APIRouter, Response

from schedules_pipeline.delivery.problems import KINDS, NOT_FOUND, Problem
from schedules_pipeline.delivery.routes.serving import Served
from schedules_pipeline.migration.ports import ServedSource

_OK, _UNAVAILABLE = 200, 503


routes = APIRouter(tags=["health"])


@routes.get("/health/live")
async def is_alive() -> dict[str, bool]:
    """Whether the process answers."""
    return {"alive": True}


@routes.get("/health/ready")
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


@routes.get("/health/serving")
async def is_serving(response: Response, serving: Served) -> dict[str, str]:
    """For load balancers: 200 if partners are to be sent to this service, 503 if to the old system."""
    source = serving.delivery.switched.current.source
    response.status_code = _OK if source is ServedSource.OURS else _UNAVAILABLE
    return {"source": source.value}


@routes.get("/problems/{name}")
async def explain(name: str) -> dict[str, Any]:
    """The meaning of a problem type."""
    for kind in KINDS:
        if kind.name == name:
            return {
                "type": f"/problems/{name}",
                "status": kind.status,
                "title": kind.title,
                "explanation": kind.explanation,
            }
    raise Problem(NOT_FOUND, f"There is no problem type {name[:40]!r}.")
