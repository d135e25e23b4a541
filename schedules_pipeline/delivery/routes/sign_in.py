"""Signing in with a key, and out. The key is in a cookie that scripts cannot read and other sites cannot send."""

from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from schedules_pipeline.delivery.problems import FORBIDDEN, NO_KEY, TOO_LARGE, Problem
from schedules_pipeline.delivery.routes.gate import KEY_COOKIE
from schedules_pipeline.delivery.routes.page_answers import PageRoute, plain_page
from schedules_pipeline.delivery.routes.serving import Served
from schedules_pipeline.delivery.service import Delivery

_MOST_FORM_BYTES = 4_096
_SIGNED_IN_SECONDS = 7 * 86_400
_REJECTED = "This key is not valid. It may be mistyped, revoked or expired."


routes = APIRouter(include_in_schema=False, route_class=PageRoute)


@routes.get("/sign-in")
async def ask_for_key(serving: Served) -> Response:
    return plain_page(serving, "sign_in.html", problem="")


@routes.post("/sign-in")
async def sign_in(request: Request, serving: Served) -> Response:
    _require_own_page(request)
    key = await _key_of_form(request)
    if not _is_valid(serving.delivery, key):
        return plain_page(serving, "sign_in.html", HTTPStatus.FORBIDDEN, problem=_REJECTED)
    response = RedirectResponse("/guide", HTTPStatus.SEE_OTHER)
    response.set_cookie(
        KEY_COOKIE,
        key,
        max_age=_SIGNED_IN_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@routes.post("/sign-out")
async def sign_out(request: Request) -> Response:
    _require_own_page(request)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    response.delete_cookie(KEY_COOKIE, secure=request.url.scheme == "https", httponly=True, samesite="strict")
    return response


def _is_valid(delivery: Delivery, key: str) -> bool:
    try:
        delivery.admission.identify(key, delivery.clock())
    except Problem as problem:
        if problem.kind is NO_KEY:
            return False
        raise
    return True


def _require_own_page(request: Request) -> None:
    """Rejects forms of other sites. A request without ``Origin`` is not a form of a browser."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(FORBIDDEN, "This form can only be sent from the service's own page.")


async def _key_of_form(request: Request) -> str:
    """Reads a bounded part of the body; the form has one field."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise Problem(TOO_LARGE, "The form is longer than any key.")
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=10)
    except ValueError:
        return ""
    return fields.get("key", [""])[0].strip()
