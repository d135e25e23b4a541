"""Middleware that every request passes first: authentication, limits, the switch, and usage counts.

Plain ASGI, because its cost is added to every request. It knows keys, limits and the age of the mirror, not routes.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from http import HTTPStatus
from math import ceil
from time import time_ns
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schedules_pipeline.delivery.deprecations import Deprecation, applying, fields_of
from schedules_pipeline.delivery.problems import NO_KEY, NOT_ALLOWED, NOT_SWITCHED, UNAVAILABLE, Problem
from schedules_pipeline.delivery.routes.addressed import access_of, is_of_player
from schedules_pipeline.delivery.routes.asked_pages import is_asked_by_a_person, sign_in_address
from schedules_pipeline.delivery.routes.problem_responses import (
    PROBLEM_KIND,
    problem_response,
    record_problem,
)
from schedules_pipeline.delivery.routes.serving import COST
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.delivery.traced_versions import FETCHED
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import NOBODY

SESSION_COOKIE: Final = "schedules_session"
_OVER_TLS: Final = "__Host-"
"""Browsers take such a cookie only from this host and over TLS, so no neighbouring host can set one."""

_OPEN = re.compile(r"/(health/[a-z]+|problems(/[^/]*)?|openapi\.json|docs|sign-in|sign-out|static/.*)?")
STATUS_PATH: Final = "/v1/status"
"""Answered also while nothing else is, because it says why."""

_OF_ADDRESSES = "GET, HEAD, OPTIONS"
_NO_ROUTE = "none"
_RETRY_SECONDS = 30
_LOOK_UPS_AT_ONCE = 4
_MAXIMUM_BODY_BYTES = 100_000


class Gate:
    """Marks answers as stale, or rejects requests, by the age of the mirror's ``confirmed_at``."""

    def __init__(
        self, application: ASGIApp, delivery: Delivery, deprecations: Sequence[Deprecation] = ()
    ) -> None:
        self._application = application
        self._delivery = delivery
        self._deprecations = {
            route: [each for each in deprecations if each.route == route]
            for route in {each.route for each in deprecations}
        }
        self._look_ups = asyncio.Semaphore(_LOOK_UPS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        receive = _bounded(receive)
        if scope["method"] == "HEAD":
            # Answered as GET without the body, so that routes need not support HEAD.
            scope, send = {**scope, "method": "GET", "is_head": True}, _without_body(send)
        if _OPEN.fullmatch(scope["path"]):
            await self._application(scope, receive, send)
            return
        counting = _Counting(scope, send, self._deprecations)
        try:
            await self._pass(scope, receive, counting)
        except Exception as error:  # every error becomes a problem document and is counted
            if counting.has_begun:
                raise
            await _reject(record_problem(scope, error), scope, receive, counting.send)
        finally:
            counting.finish(self._delivery)

    async def _pass(self, scope: Scope, receive: Receive, counting: "_Counting") -> None:
        access = access_of(scope["path"])
        if access is not None and scope["method"] != "GET":
            raise Problem(NOT_ALLOWED, f"This path allows {_OF_ADDRESSES}.", headers={"Allow": _OF_ADDRESSES})
        identify = await self._identify_by_headers(scope) if access is None else partial(self._find, access)
        now, partner = self._delivery.clock(), identify()
        counting.partner = partner.name
        self._delivery.admission.count_request(partner, now, is_of_player=is_of_player(scope["path"]))
        if scope["path"] != STATUS_PATH:
            require_service(self._delivery, partner, now)
        counting.headers = age_marks(self._delivery, now)
        if partner.name != access:
            # Answers to the public are shared by caches, and so are no place for what is left to it.
            counting.limits = partial(self._limits, scope, partner)
        scope["partner"], scope["partner_now"] = partner, partial(self._partner_now, identify)
        await self._application(scope, receive, counting.send)

    def _limits(self, scope: Scope, partner: Partner) -> dict[str, str]:
        """The headers that tell what is left to the partner, and what the request has cost if that is more than one."""
        fields = self._delivery.admission.fields(partner, self._delivery.clock())
        return fields | {"Schedules-Cost": str(ceil(scope[COST]))} if COST in scope else fields

    def _find(self, access: str) -> Partner:
        """The partner of a path. Raises :class:`Problem` if it is not valid."""
        return self._delivery.admission.identify_address(access, self._delivery.clock())

    async def _identify_by_headers(self, scope: Scope) -> Callable[[], Partner]:
        key, token = key_in(Headers(scope=scope).get("authorization", "")), token_of(scope)
        if key is None and token:
            await self._look_up(token)
        return partial(self._identify, key, token)

    def _identify(self, key: str | None, token: str) -> Partner:
        """The partner of a key or, without one, of a session. Raises :class:`Problem` if it is not valid."""
        now, admission = self._delivery.clock(), self._delivery.admission
        if key is None and token:
            return admission.partner_of(self._delivery.sessions.find(token), now)
        return admission.identify(key, now)

    async def _look_up(self, token: str) -> None:
        """Read a session that another process may have begun. Beyond a number at once, it stays unknown, so that
        invented tokens keep no others waiting.
        """
        sessions = self._delivery.sessions
        if sessions.find(token) is None and not self._look_ups.locked():
            async with self._look_ups:
                with suppress(ServiceError):
                    await run_in_threadpool(sessions.look_up, self._delivery.store.sign_ins, token)

    def _partner_now(self, identify: Callable[[], Partner]) -> Partner:
        """The partner at this moment, for answers that last. Raises :class:`Problem` if its key is not valid."""
        partner = identify()
        require_service(self._delivery, partner, self._delivery.clock())
        return partner


def require_service(delivery: Delivery, partner: Partner, now: datetime) -> None:
    """Raises :class:`Problem` while the old system serves this partner, and if the mirror is too old."""
    if not delivery.switched.serves(partner):
        raise Problem(
            NOT_SWITCHED,
            "Read the old system's schedules until the switch is announced. Trial keys work already.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    if delivery.policy.staleness.is_too_old(delivery.mirror.confirmed_at, now):
        raise Problem(
            UNAVAILABLE,
            "The store has not answered for so long that the service's data is too old. Try again.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )


def age_marks(delivery: Delivery, now: datetime) -> dict[str, str]:
    """The headers that tell the age of the mirror."""
    confirmed_at = delivery.mirror.confirmed_at
    if confirmed_at is None:
        return {}
    marks = {"Schedules-As-Of": _in_seconds(confirmed_at)}
    if delivery.policy.staleness.is_stale(confirmed_at, now):
        marks["Schedules-Stale"] = "?1"
    return marks


@lru_cache(1)
def _in_seconds(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


class _Counting:
    """Wraps ``send`` of one response: adds headers, and counts status and bytes."""

    def __init__(self, scope: Scope, send: Send, deprecations: Mapping[str, Sequence[Deprecation]]) -> None:
        self._scope = scope
        self._send = send
        self._deprecations = deprecations
        self.partner = NOBODY
        self.headers: dict[str, str] = {}
        self.limits: Callable[[], dict[str, str]] = dict
        self._status = 0
        self._bytes = 0
        self._began = time_ns()

    @property
    def has_begun(self) -> bool:
        return bool(self._status)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            fields = self.headers | self.limits() | fields_of(self._deprecated())
            more = ((name.lower().encode(), value.encode()) for name, value in fields.items())
            message = {**message, "headers": [*message["headers"], *more]}
        elif not self._scope.get("is_head"):
            self._bytes += len(message.get("body", b""))
        await self._send(message)

    def finish(self, delivery: Delivery) -> None:
        """Count the response, also after a disconnect."""
        problem, used = self._scope.get(PROBLEM_KIND, ""), [each.parameter for each in self._deprecated()]
        delivery.admission.count_response(
            self.partner, self._route(), self._status, self._bytes, problem, used
        )
        delivery.traced.fetched(self._scope.get(FETCHED, ()), self.partner, self._began, self._status)

    def _route(self) -> str:
        return getattr(self._scope.get("route"), "path", _NO_ROUTE)

    def _deprecated(self) -> list[Deprecation]:
        return applying(self._deprecations.get(self._route(), ()), self._scope["query_string"])


def _bounded(receive: Receive) -> Receive:
    """Rejects bodies larger than any valid request."""
    left = _MAXIMUM_BODY_BYTES

    async def receive_bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            # FastAPI treats any other exception here as a body that cannot be parsed.
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {_MAXIMUM_BODY_BYTES} bytes."
            )
        return message

    return receive_bounded


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def key_in(authorization: str) -> str | None:
    """The key in the value of that header."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def session_cookie(scope: Scope) -> str:
    """The name of the cookie with a session's token."""
    return _OVER_TLS + SESSION_COOKIE if scope["scheme"] == "https" else SESSION_COOKIE


def token_of(scope: Scope) -> str:
    """The token of the session in the request's cookie, "" without one.

    Parsed here in linear time: the standard library's parser takes quadratic time for quoted values on some
    supported versions of Python, and tokens need no quotes.
    """
    wanted = session_cookie(scope)
    for cookie in Headers(scope=scope).get("cookie", "").split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == wanted:
            return value.strip()
    return ""


async def _reject(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Leads a person to the sign-in page."""
    fetch_mode = Headers(scope=scope).get("sec-fetch-mode")
    if problem.kind is NO_KEY and is_asked_by_a_person(scope, fetch_mode):
        response: Response = RedirectResponse(sign_in_address(scope), HTTPStatus.SEE_OTHER)
    else:
        response = problem_response(problem)
    await response(scope, receive, send)
