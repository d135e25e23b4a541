"""The outermost middleware: it rejects requests that two servers could read differently, and marks every answer.

A proxy and this service might act on different values of a field that is sent twice.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.routes.problem_responses import problem_response
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.partners.ports import NOBODY

_ONCE: Final = frozenset(
    {
        *(b"host", b"authorization", b"content-type", b"content-length", b"cookie", b"origin"),
        *(b"sec-fetch-site", b"last-event-id", b"if-modified-since"),
    }
)
_HOST = re.compile(rb"(?:[0-9A-Za-z._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_ROUTE = "none"

Fields = Sequence[tuple[bytes, bytes]]

_MARKS: Final = [(b"x-content-type-options", b"nosniff")]
_MARKS_OVER_TLS: Final = [*_MARKS, (b"strict-transport-security", b"max-age=31536000")]


class Edge:
    """Adds ``nosniff`` to every answer, and HSTS to those over TLS: directly, or as a trusted proxy says."""

    def __init__(self, application: ASGIApp, delivery: Delivery) -> None:
        self._application = application
        self._delivery = delivery

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        marks = _marks_over(scope["scheme"])

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *marks]}
            await send(message)

        fault = find_fault(scope)
        if not fault:
            await self._application(scope, receive, send_marked)
            return
        response = problem_response(Problem(BAD_REQUEST, fault))
        size, kind = len(response.body), BAD_REQUEST.name
        self._delivery.admission.count_response(NOBODY, _NO_ROUTE, BAD_REQUEST.status, size, kind)
        await response(scope, receive, send_marked)


def _marks_over(scheme: str) -> Fields:
    return _MARKS_OVER_TLS if scheme == "https" else _MARKS


@lru_cache(2)
def lines_over(scheme: str) -> bytes:
    """The header fields that mark every answer, as they are sent."""
    return b"".join(b"%b: %b\r\n" % mark for mark in _marks_over(scheme))


def is_host(value: bytes) -> bool:
    """Whether it is a host, or a host and a port."""
    return _HOST.fullmatch(value) is not None


def find_fault(scope: Scope) -> str:
    """What is wrong with the head of a request; "" for a sound one. Fields have no control characters, which the
    server's parser rejects.
    """
    once = dict.fromkeys(_ONCE, b"")
    for name, value in scope["headers"]:
        if name in once:
            if once[name]:
                return f"`{name.decode('latin-1')}` may be sent once only."
            # An empty value counts as sent.
            once[name] = value or b" "
    host = once[b"host"]
    if not host and scope["http_version"] != "1.0":
        return "`Host` is missing."
    if host and not is_host(host):
        return "`Host` is not a host, or a host and a port."
    return "The path contains a control character." if _CONTROL.search(scope["path"]) else ""
