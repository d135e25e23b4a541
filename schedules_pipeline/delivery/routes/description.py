"""The description of the interface: OpenAPI for generators of clients, and a page for people. Neither needs a key."""

from dataclasses import replace
from functools import lru_cache
from typing import cast

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE
from schedules_pipeline.delivery.problems import KINDS
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.delivery.routes.answering import respond
from schedules_pipeline.delivery.routes.interface_page import groups, schemas
from schedules_pipeline.delivery.routes.openapi import DocumentedApplication
from schedules_pipeline.delivery.routes.serving import Served, Serving

_KEPT = "public, max-age=300"

routes = APIRouter(include_in_schema=False)


@routes.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    return _respond(request, "application/json", _rendered_document(request.app))


@routes.get("/docs")
async def show_interface(request: Request, serving: Served) -> Response:
    response = _respond(request, MEDIA_TYPE, _rendered_page(request.app))
    response.headers.update(serving.page_headers)
    return response


def _respond(request: Request, media_type: str, found: Rendered) -> Response:
    representation = replace(found.represent(media_type, _KEPT), vary="Accept-Encoding")
    return respond(request, representation, found.packed)


# Rendered once for each application, because anyone may ask.


@lru_cache(8)
def _rendered_document(application: FastAPI) -> Rendered:
    return rendered(orjson.dumps(application.openapi()))


@lru_cache(8)
def _rendered_page(application: FastAPI) -> Rendered:
    pages, document = cast("Serving", application.state.serving).pages, application.openapi()
    page = pages.render(
        "interface.html",
        partner=None,
        info=document["info"],
        server=document["servers"][0]["url"].rstrip("/") or "https://…",
        groups=groups(document),
        schemas=list(schemas(document)),
        problems=KINDS,
        deprecations=cast("DocumentedApplication", application).deprecations,
    )
    return rendered(page)
