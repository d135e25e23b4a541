"""Answers the most frequent request, one schedule as published, before routing.

Routing and parsing of parameters take more than half of the time of such an answer (ADR 18 has the figures). The route
in ``schedules`` gives the same answer, handles every request that is left over here, and is the source of OpenAPI.
"""

import re
from functools import lru_cache
from typing import Final

from fastapi import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.routes.answering import respond
from schedules_pipeline.delivery.selections import represent_document
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.delivery.traced_versions import FETCHED
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidIdentifier

_PREFIX: Final = "/v1/schedules/"
_ROUTE: Final = "/v1/schedules/{sid}/{date}"
"""The route that answers are counted under."""

_MIN_SEQ = re.compile(rb"(?:min_seq=([0-9]{1,15}))?")
_ACCEPTED_AS_JSON: Final = frozenset({"", "*/*", "application/json"})
_PATHS_REMEMBERED = 4_096


class Shortcut:
    """Runs after the gate, which identifies the partner."""

    def __init__(self, application: ASGIApp, delivery: Delivery) -> None:
        self._application = application
        self._delivery = delivery
        self._route = Route(_ROUTE, application)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = self._asked_for(scope)
        if held is None or held.packed is None:
            await self._application(scope, receive, send)
            return
        request = Request(scope)
        if request.headers.get("accept", "") not in _ACCEPTED_AS_JSON:
            await self._application(scope, receive, send)
            return
        scope["route"], scope[FETCHED] = self._route, held
        representation = represent_document(self._delivery, held, held.packed, self._delivery.clock())
        response = respond(request, representation, held.packed)
        await response(scope, receive, send)

    def _asked_for(self, scope: Scope) -> MirroredSchedule | None:
        """None for every other request, and if the answer is not the held document."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(_PREFIX):
            return None
        min_seq, key = _MIN_SEQ.fullmatch(scope["query_string"]), _key_of(scope["path"])
        if min_seq is None or key is None or not scope["partner"].may_see(key.sid):
            return None
        held = self._delivery.mirror.held(key)
        return held if held is not None and held.seq >= int(min_seq[1] or 0) else None


@lru_cache(_PATHS_REMEMBERED)
def _key_of(path: str) -> ScheduleKey | None:
    try:
        return ScheduleKey.parse(path.removeprefix(_PREFIX))
    except InvalidIdentifier:
        return None
