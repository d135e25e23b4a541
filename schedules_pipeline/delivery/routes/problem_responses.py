"""Turns every exception into a problem document."""

from collections.abc import Mapping
from typing import Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from schedules_pipeline.delivery.problems import (
    BAD_REQUEST,
    DEFECT,
    KINDS,
    MEDIA_TYPE,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    Problem,
    ProblemKind,
)
from schedules_pipeline.delivery.routes.addressed import printable_path
from schedules_pipeline.errors import InvalidIdentifier, ServiceError

_KIND_BY_STATUS: Mapping[int, ProblemKind] = {kind.status: kind for kind in reversed(KINDS)}
_RETRY_SECONDS = 5
_MOST_ERRORS = 20

PROBLEM_KIND: Final = "problem_told"
"""The key in the ASGI scope for the kind of the problem that was sent."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def problem_response(problem: Problem) -> Response:
    return Response(
        orjson.dumps(problem.document()),
        problem.kind.status,
        {"Cache-Control": "no-store", **problem.headers},
        MEDIA_TYPE,
    )


def install(application: FastAPI) -> None:
    """Answer all exceptions of routes and of FastAPI with problem documents."""
    for kind in (Problem, InvalidIdentifier, ServiceError, RequestValidationError, HTTPException, Exception):
        application.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_response(record_problem(request.scope, error))


def record_problem(scope: Scope, error: Exception) -> Problem:
    """The problem for the client, recorded in the scope for usage counts. Defects are logged."""
    problem = problem_of(error)
    scope[PROBLEM_KIND] = problem.kind.name
    if problem.kind is DEFECT:
        _log.error("defect", path=printable_path(scope["path"]), exc_info=error)
    return problem


def problem_of(error: Exception) -> Problem:
    """The problem for the client. A defect's text is left out, because it may contain secrets."""
    match error:
        case Problem():
            return error
        case InvalidIdentifier():
            return Problem(BAD_REQUEST, str(error))
        case RequestValidationError():
            return Problem(BAD_REQUEST, "Some parameters are invalid.", {"errors": _wrong_parameters(error)})
        case ServiceError():
            detail = "The store does not answer at the moment. Try again."
            return Problem(UNAVAILABLE, detail, headers={"Retry-After": str(_RETRY_SECONDS)})
        case HTTPException():
            return _of_framework(error)
        case _:
            return Problem(
                DEFECT,
                "The service has logged the error. A retry may succeed; if it does not, tell the operators.",
            )


def _of_framework(error: HTTPException) -> Problem:
    kind, headers = _KIND_BY_STATUS.get(error.status_code, BAD_REQUEST), dict(error.headers or {})
    if kind is NOT_FOUND:
        return Problem(kind, "This path does not exist; /openapi.json lists all paths.")
    if kind is NOT_ALLOWED:
        methods = headers.get("Allow", "").split(", ")
        # The gate answers HEAD for every GET.
        headers["Allow"] = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
        return Problem(kind, f"This path allows {headers['Allow']}.", headers=headers)
    return Problem(kind, str(error.detail), headers=headers)


def _wrong_parameters(error: RequestValidationError) -> list[dict[str, str]]:
    return [
        {"parameter": ".".join(map(str, wrong["loc"])), "problem": wrong["msg"].removeprefix("Value error, ")}
        for wrong in error.errors()[:_MOST_ERRORS]
    ]
