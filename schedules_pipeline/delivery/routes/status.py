"""The service as its partners see it. The gate lets this path pass also while every other one is answered with 503."""

from typing import Any

import orjson
from fastapi import APIRouter, Response

from schedules_pipeline.delivery.freshness import NEVER_KEPT
from schedules_pipeline.delivery.links import DESCRIPTIONS
from schedules_pipeline.delivery.partner_status import describe_service, read_incidents
from schedules_pipeline.delivery.routes.documented import LINKED, PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import Status
from schedules_pipeline.delivery.routes.gate import STATUS_PATH
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.errors import ServiceError

routes = APIRouter(tags=["status"], responses=PROBLEMS)


@routes.get(STATUS_PATH, responses={200: {"model": Status, "headers": LINKED}})
async def get_status(call: Called) -> Response:
    """How fresh the service is, incidents that concern you, and what is left of your limits."""
    fields = describe_service(call.delivery, call.caller, call.delivery.clock())
    body = orjson.dumps({**fields, "incidents": await _incidents(call)}, option=orjson.OPT_UTC_Z)
    return Response(
        body, media_type="application/json", headers={"Cache-Control": NEVER_KEPT, "Link": DESCRIPTIONS}
    )


async def _incidents(call: Call) -> list[dict[str, Any]] | None:
    """None if they are unknown: the store does not answer, or the watch is silent."""
    try:
        return await call.read(read_incidents, call.delivery.store, call.caller, call.delivery.clock())
    except ServiceError:
        return None
