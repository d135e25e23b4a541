"""Answers the most frequent request, one schedule as published, in the server's protocol, without ASGI.

The task, the messages, the middleware and the routing of the application take most of the time of such an answer
(ADR 50 has the figures). Only an ordinary request that succeeds is answered here. The application answers every other
one, would give the same answer to this one, and is the source of OpenAPI.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import time_ns
from typing import Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from schedules_pipeline.delivery.admission import PresentedKey, presented
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.negotiation import choose_coding
from schedules_pipeline.delivery.packing import Coding, Packed
from schedules_pipeline.delivery.problems import Problem
from schedules_pipeline.delivery.representations import (
    Representation,
    coding_for,
    entity_tag,
    names_tag,
    validator_of_version,
)
from schedules_pipeline.delivery.routes.answering import LONGEST_CONDITION, headers_of
from schedules_pipeline.delivery.routes.edge import Fields, is_host, lines_over
from schedules_pipeline.delivery.routes.gate import age_marks, key_in, require_service
from schedules_pipeline.delivery.selections import represent_document, seconds_document_is_fresh
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.stored_form import decompress
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.partners.partner import Partner

ROUTE: Final = "/v1/schedules/{sid}/{date}"
"""The route that answers are counted under."""

_TARGET = re.compile(rb"/v1/schedules/([0-9a-z_]+/[0-9-]+)(?:\?(?:min_seq=([0-9]{1,15}))?)?")
_ACCEPTED_AS_JSON: Final = frozenset({b"", b"*/*", b"application/json"})
_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})
_TARGETS_REMEMBERED = 4_096
_HEADS_REMEMBERED = 8_192
_LARGE_BYTES = 65_536
_PLAIN_REMEMBERED = 256
"""Documents, so at most 17 MB."""

_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """A request for one schedule as published. ``min_seq``: the lowest acceptable version. ``condition``: of
    ``If-None-Match``. ``forwarded_scheme``: as a proxy says; "" without one.
    """

    schedule: ScheduleKey
    min_seq: int
    key: PresentedKey
    coding: Coding
    condition: str
    forwarded_scheme: str


class DirectAnswers:
    """``_heads``: by schedule, version, seconds and kind of answer, its tag and its lines."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._heads: dict[tuple[ScheduleKey, str, int, _Kind], tuple[str, bytes]] = {}

    def find(self, request: DirectRequest, scheme: str, common: bytes) -> bytes | None:
        """The whole answer; None if the application has to answer, and then nothing was counted. ``common``: lines of
        every answer.
        """
        delivery, began = self._delivery, time_ns()
        now, admission = delivery.clock(), delivery.admission
        try:
            partner = admission.identify_presented(request.key, now)
            require_service(delivery, partner, now)
            held = self._held(request, partner)
            if held is None or held.packed is None or held.packed.size > _LARGE_BYTES:
                return None
            status, lines, body = self._answer(held, held.packed, request, now)
            limits = admission.count_answered(partner, now, ROUTE, status, len(body))
        except Problem:
            return None
        delivery.traced.fetched((held,), partner.name, began, status)
        more = _lines({**age_marks(delivery, now), **limits})
        return b"".join((STATUS_LINE[status], common, lines_over(scheme), lines, more, b"\r\n", body))

    def _held(self, request: DirectRequest, partner: Partner) -> MirroredSchedule | None:
        """None if the partner may not see it, or another process may have a version that is asked for."""
        key = request.schedule
        held = self._delivery.mirror.held(key) if partner.may_see(key.sid) else None
        return held if held is not None and held.seq >= request.min_seq else None

    def _answer(
        self, held: MirroredSchedule, packed: Packed, request: DirectRequest, now: datetime
    ) -> tuple[int, bytes, bytes]:
        """Status, lines of the head, and body, as of :func:`~schedules_pipeline.delivery.routes.answering.respond`."""
        coding, condition = coding_for(request.coding, packed.size), request.condition
        tag, lines = self._head(held, packed, now, _Kind(coding, has_body=False))
        if condition and (condition in (tag, "*") or names_tag(condition, tag)):
            return 304, lines, b""
        return 200, self._head(held, packed, now, _Kind(coding, has_body=True))[1], _body(packed, coding)

    def _head(
        self, held: MirroredSchedule, packed: Packed, now: datetime, kind: "_Kind"
    ) -> tuple[str, bytes]:
        seconds = seconds_document_is_fresh(self._delivery, held.key, now)
        version = held.key, validator_of_version(held), seconds, kind
        if (head := self._heads.get(version)) is None:
            head = _render_head(represent_document(self._delivery, held, packed, now), packed, kind)
            if len(self._heads) >= _HEADS_REMEMBERED:
                self._heads.clear()
            self._heads[version] = head
        return head


class _Kind(NamedTuple):
    coding: Coding
    has_body: bool


def _body(packed: Packed, coding: Coding) -> bytes:
    return _plain(packed.zstd) if coding is Coding.IDENTITY else packed.coded(coding)


@lru_cache(_PLAIN_REMEMBERED)
def _plain(frame: bytes) -> bytes:
    return decompress(frame)


def _render_head(representation: Representation, packed: Packed, kind: _Kind) -> tuple[str, bytes]:
    tag = entity_tag(representation.validator, kind.coding)
    headers = {**headers_of(representation), "ETag": tag}
    if kind.has_body:
        headers |= representation.fields()
        headers |= {
            "Content-Length": str(len(packed.coded(kind.coding))),
            "Content-Type": representation.media_type,
        }
        if kind.coding is not Coding.IDENTITY:
            headers["Content-Encoding"] = kind.coding
    return tag, _lines(headers)


def read_request(target: bytes, sent: Fields) -> DirectRequest | None:
    """The request that a ``GET`` without a body makes; None if the application has to answer it. ``sent``: its fields,
    their names in lower case.
    """
    asked, fields = _asked_for(target), dict(sent)
    if asked is None or len(fields) != len(sent) or not _is_ordinary(fields):
        return None
    key, forwarded = key_in(_text(fields, b"authorization")), _text(fields, b"x-forwarded-proto").strip()
    if not key:
        return None
    return DirectRequest(
        *asked,
        presented(key),
        choose_coding(_text(fields, b"accept-encoding")),
        _text(fields, b"if-none-match"),
        forwarded if forwarded in _SCHEMES else "",
    )


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode("latin-1")


def _is_ordinary(fields: Mapping[bytes, bytes]) -> bool:
    return (
        fields.get(b"accept", b"") in _ACCEPTED_AS_JSON
        and len(fields.get(b"if-none-match", b"")) <= LONGEST_CONDITION
        and _OF_BODIES.isdisjoint(fields)
        and is_host(fields.get(b"host", b""))
    )


@lru_cache(_TARGETS_REMEMBERED)
def _asked_for(target: bytes) -> tuple[ScheduleKey, int] | None:
    """The schedule, and the lowest acceptable version."""
    found = _TARGET.fullmatch(target)
    try:
        return (ScheduleKey.parse(found[1].decode()), int(found[2] or 0)) if found else None
    except InvalidIdentifier:
        return None


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in headers.items()]).encode()
