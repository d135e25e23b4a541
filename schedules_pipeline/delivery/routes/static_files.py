"""The files that pages refer to: held in memory, and no others can be asked for."""

from fastapi import APIRouter, Request, Response

from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.serving import Served

_KEPT_FOR_EVER = "public, max-age=31536000, immutable"
_CHECKED_EACH_TIME = "public, no-cache"


routes = APIRouter(include_in_schema=False)


@routes.get("/static/{name}")
async def get_file(request: Request, serving: Served, name: str, v: str = "") -> Response:
    """Asked for by its version it is kept; a script's own imports name none, and are asked about each time."""
    asset = serving.pages.assets.get(name)
    if asset is None:
        raise Problem(NOT_FOUND, "There is no such file.")
    keep = _KEPT_FOR_EVER if v == asset.version else _CHECKED_EACH_TIME
    response = await answer(
        request,
        Representation(f"static.{asset.version}", asset.media_type, keep, lambda: asset.content),
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
