"""Signing in with a key or a link that works once, and out. The cookie holds the token of a session, which scripts
cannot read and other sites cannot send (ADR 31).
"""

from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.problems import BAD_REQUEST, FORBIDDEN, NO_KEY, TOO_LARGE, Problem
from schedules_pipeline.delivery.routes.asked_pages import HOME, own_page
from schedules_pipeline.delivery.routes.gate import session_cookie, token_of
from schedules_pipeline.delivery.routes.page_answers import PageRoute, plain_page
from schedules_pipeline.delivery.routes.serving import Served, Serving
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.partners.partner import key_id
from schedules_pipeline.partners.sign_in import SESSION_LASTS, GuideSession, token_digest

_MOST_FORM_BYTES = 4_096
_FORM = "application/x-www-form-urlencoded"
_OWN_PAGE = ("same-origin", "none")
"""Values of ``Sec-Fetch-Site``: a form of this page, or a request that the user repeats."""

_REJECTED_KEY = "This key is not valid. It may be mistyped, revoked or expired."
_REJECTED_LINK = "This link has been used, or has expired. Ask for another, or sign in with a key."


routes = APIRouter(include_in_schema=False, route_class=PageRoute)


@routes.get("/sign-in")
async def ask_for_key(serving: Served, to: str = "") -> Response:
    """``to``: the page that was asked for."""
    return _ask(serving, own_page(to))


@routes.post("/sign-in")
async def sign_in(request: Request, serving: Served) -> Response:
    _require_own_page(request)
    fields = await _form(request)
    if link := fields.get("link"):
        return await _sign_in_by_link(request, serving, link, is_confirmed="confirmed" in fields)
    key, to = fields.get("key", ""), own_page(fields.get("to", ""))
    partner = _partner_of(serving.delivery, key)
    if partner is None:
        return _ask(serving, to, _REJECTED_KEY)
    return await _begin(request, serving.delivery, partner, key_id(key) or "", to)


@routes.post("/sign-out")
async def sign_out(request: Request, serving: Served) -> Response:
    """End the session in every process within seconds, and the cookie at once."""
    _require_own_page(request)
    delivery = serving.delivery
    if token := token_of(request.scope):
        await run_in_threadpool(delivery.sessions.end, delivery.store.sign_ins, token)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    secure = request.url.scheme == "https"
    response.delete_cookie(session_cookie(request.scope), secure=secure, httponly=True, samesite="strict")
    return response


async def _sign_in_by_link(request: Request, serving: Serving, link: str, *, is_confirmed: bool) -> Response:
    delivery, digest = serving.delivery, token_digest(link)
    store = delivery.store.sign_ins
    found = await run_in_threadpool(store.link, digest) if digest else None
    if found is None or digest is None or found.expires_at <= delivery.clock():
        return _ask(serving, HOME, _REJECTED_LINK)
    if found.asks and not is_confirmed:
        return plain_page(serving, "confirm_sign_in.html", link=link, name=found.partner)
    if not await run_in_threadpool(store.take_link, digest):
        return _ask(serving, HOME, _REJECTED_LINK)
    delivery.admission.partner_of(GuideSession(found.partner, found.expires_at), delivery.clock())
    return await _begin(request, delivery, found.partner, "", HOME)


def _ask(serving: Serving, to: str, problem: str = "") -> Response:
    status = HTTPStatus.FORBIDDEN if problem else HTTPStatus.OK
    return plain_page(serving, "sign_in.html", status, problem=problem, to="" if to == HOME else to)


async def _begin(request: Request, delivery: Delivery, partner: str, key: str, to: str) -> Response:
    """Begin a session and end the one before, so that an old cookie stops working."""
    sessions, store = delivery.sessions, delivery.store.sign_ins
    if before := token_of(request.scope):
        await run_in_threadpool(sessions.end, store, before)
    token = await run_in_threadpool(sessions.begin, store, partner, key, delivery.clock())
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        session_cookie(request.scope),
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def _partner_of(delivery: Delivery, key: str) -> str | None:
    """The name of the key's partner, None if the key is not valid."""
    try:
        return delivery.admission.identify(key, delivery.clock()).name
    except Problem as problem:
        if problem.kind is NO_KEY:
            return None
        raise


def _require_own_page(request: Request) -> None:
    """Rejects forms of other sites. A request without both fields is not a form of a browser."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if (site is not None and site not in _OWN_PAGE) or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise Problem(FORBIDDEN, "This form can only be sent from the service's own page.")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a bounded form, the first of each name."""
    media_type = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise Problem(BAD_REQUEST, f"Send the form as {_FORM}.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise Problem(TOO_LARGE, "The form is longer than any key.")
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0].strip() for name, values in fields.items()}
