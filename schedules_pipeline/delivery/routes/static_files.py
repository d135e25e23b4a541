"""The static files of the pages, served from memory."""

from fastapi import APIRouter, Request, Response

from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import respond
from schedules_pipeline.delivery.routes.serving import Served

_KEPT_FOR_EVER = "public, max-age=31536000, immutable"
_CHECKED_EACH_TIME = "public, no-cache"


routes = APIRouter(include_in_schema=False)


@routes.get("/static/{name}")
async def get_file(request: Request, serving: Served, name: str, v: str = "") -> Response:
    """An address with the file's version may be cached forever. Imports within scripts have none: revalidated."""
    asset = serving.pages.assets.get(name)
    if asset is None:
        raise Problem(NOT_FOUND, "This file does not exist.")
    keep = _KEPT_FOR_EVER if v == asset.version else _CHECKED_EACH_TIME
    representation = Representation(f"static.{asset.version}", asset.media_type, keep, asset.packed)
    return respond(request, representation, asset.packed)
