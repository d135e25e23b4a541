"""Responses with pages: security headers, and problems as pages."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from schedules_pipeline.delivery.freshness import NEVER_KEPT
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE
from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.problem_responses import problem_of
from schedules_pipeline.delivery.routes.serving import Call, Serving, serving_of
from schedules_pipeline.errors import InvalidIdentifier, ServiceError


async def answer_page(call: Call, representation: Representation) -> Response:
    """A page for the partner that calls."""
    response = await answer(call, representation)
    response.headers.update(call.serving.page_headers)
    # A page depends on the key, which may be in the cookie.
    response.headers.add_vary_header("Cookie")
    return response


def plain_page(serving: Serving, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page that is the same for every visitor, and that no cache keeps."""
    body = serving.pages.render(template, partner=None, **values)
    return Response(body, status, {**serving.page_headers, "Cache-Control": NEVER_KEPT}, MEDIA_TYPE)


class PageRoute(APIRoute):
    """A route whose problems are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_pages(request: Request) -> Response:
            try:
                return await handle(request)
            except (Problem, InvalidIdentifier, ServiceError, RequestValidationError) as error:
                return problem_page(request, error)

        return handle_in_pages


def problem_page(request: Request, error: Exception) -> Response:
    """With a way to try again, if a retry of a page helps."""
    problem = problem_of(error)
    helps = problem.kind is UNAVAILABLE and request.method == "GET"
    again = str(request.url.replace(scheme="", netloc="")) if helps else ""
    values = {"problem": problem, "again": again}
    return plain_page(serving_of(request), "problem.html", problem.kind.status, **values)
