"""How every page is answered: with the policy that keeps it harmless, and with a page where something is wrong."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from schedules_pipeline.delivery.freshness import NEVER_KEPT
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE, Pages, security_headers
from schedules_pipeline.delivery.problems import Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.problem_responses import problem_of
from schedules_pipeline.errors import InvalidIdentifier, ServiceError


class PageAnswers:
    def __init__(self, pages: Pages, image_url_template: str) -> None:
        self._pages = pages
        self._headers = security_headers(image_url_template)

    async def answer(self, request: Request, representation: Representation) -> Response:
        response = await answer(request, representation)
        response.headers.update(self._headers)
        # What is seen goes by the key, and that may be in the cookie.
        response.headers.add_vary_header("Cookie")
        return response

    def plain(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """For nobody in particular, and not to be kept."""
        body = self._pages.render(template, partner=None, **values)
        return Response(body, status, {**self._headers, "Cache-Control": NEVER_KEPT}, MEDIA_TYPE)

    def problem(self, error: Exception) -> Response:
        problem = problem_of(error)
        return self.plain("problem.html", problem.kind.status, problem=problem)

    def route_class(self) -> type[APIRoute]:
        """For routes whose problems are pages too."""
        answers = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handle = super().get_route_handler()

                async def handle_in_pages(request: Request) -> Response:
                    try:
                        return await handle(request)
                    except (Problem, InvalidIdentifier, ServiceError, RequestValidationError) as error:
                        return answers.problem(error)

                return handle_in_pages

        return PageRoute
