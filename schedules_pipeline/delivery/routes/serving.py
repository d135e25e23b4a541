"""What the routes answer from, as one typed value: ``app.state`` holds it, and a dependency hands it out."""

from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from schedules_pipeline.delivery.changes import Digests
from schedules_pipeline.delivery.guide.gathering import Guide
from schedules_pipeline.delivery.guide.pages import Pages, security_headers
from schedules_pipeline.delivery.packing import Packed
from schedules_pipeline.delivery.questions.catalogue_feeds import RememberedTable
from schedules_pipeline.delivery.questions.now_next import NowNextBoard
from schedules_pipeline.delivery.representations import RepresentationCache
from schedules_pipeline.delivery.routes.working import Workers
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.partners.partner import Partner

_RENDER_AT_ONCE = 4
"""More would slow the thread that answers."""

_ASK_AT_ONCE = 4
"""Questions that read many schedules, and the store."""

_READ_AT_ONCE = 16
"""Reads of the store, which may hang. All limits together leave threads for answers from memory."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The delivery, what is derived from it and remembered between requests, and the workers of slow answers.

    ``rendering``: the representations that a worker renders at the moment, by validator.
    """

    delivery: Delivery
    pages: Pages
    guide: Guide
    digests: Digests
    board: NowNextBoard
    table: RememberedTable
    page_headers: Mapping[str, str]
    cache: RepresentationCache = field(default_factory=RepresentationCache)
    rendering: dict[str, Future[Packed]] = field(default_factory=dict)
    renderers: Workers = field(default_factory=lambda: Workers(_RENDER_AT_ONCE))
    askers: Workers = field(default_factory=lambda: Workers(_ASK_AT_ONCE))
    readers: Workers = field(default_factory=lambda: Workers(_READ_AT_ONCE))


def serve(delivery: Delivery) -> Serving:
    """With nothing remembered yet."""
    pages = Pages()
    return Serving(
        delivery,
        pages,
        Guide(delivery, pages),
        Digests(delivery.mirror),
        NowNextBoard(delivery.mirror),
        RememberedTable(delivery.mirror, delivery.policy.available_days),
        security_headers(delivery.policy.image_url_template),
    )


def serving_of(request: Request) -> Serving:
    return cast("Serving", request.app.state.serving)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, the partner that sends it, and what it is answered from."""

    request: Request
    caller: Partner
    serving: Serving

    @property
    def delivery(self) -> Delivery:
        return self.serving.delivery

    @property
    def accept(self) -> str:
        return self.request.headers.get("accept", "")

    def caller_now(self) -> Partner:
        """The partner as it is by now, for an answer that lasts. Raises :class:`Problem` if its key is no longer
        valid.
        """
        find = cast("Callable[[], Partner]", self.request.scope["partner_now"])
        return find()


# Coroutines, because FastAPI calls plain functions in a worker thread, at the cost of a switch each way.


async def _serving(request: Request) -> Serving:
    return serving_of(request)


async def _call(request: Request) -> Call:
    return Call(request, cast("Partner", request.scope["partner"]), serving_of(request))


Served = Annotated[Serving, Depends(_serving)]
"""For answers that need no key."""

Called = Annotated[Call, Depends(_call)]
"""For answers to partners: the gate has found who calls."""
