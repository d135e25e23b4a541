"""The state that routes share, as one typed value in ``app.state``, and the dependencies that provide it."""

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
"""More would slow the event loop's thread."""

_ASK_AT_ONCE = 4
"""Questions that read many schedules, and the store."""

_READ_AT_ONCE = 16
"""Reads of the store, which may hang. All limits together leave threads for answers from memory."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The delivery, values derived from it that are remembered between requests, and the limits on slow work.

    ``rendering``: representations in progress, by validator.
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
    images = delivery.policy.image_url_template
    pages = Pages(delivery.names, delivery.calendar.zone, images)
    return Serving(
        delivery,
        pages,
        Guide(delivery, pages),
        Digests(delivery.mirror),
        NowNextBoard(delivery.mirror),
        RememberedTable(delivery.mirror, delivery.policy.available_days),
        security_headers(images),
    )


def serving_of(request: Request) -> Serving:
    return cast("Serving", request.app.state.serving)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, its partner, and the shared state."""

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
        """The partner at this moment, for an answer that lasts. Raises :class:`Problem` if its key is not valid."""
        find = cast("Callable[[], Partner]", self.request.scope["partner_now"])
        return find()


# Coroutines, because FastAPI calls plain functions in a worker thread, at the cost of a switch each way.


async def _serving(request: Request) -> Serving:
    return serving_of(request)


async def _call(request: Request) -> Call:
    return Call(request, cast("Partner", request.scope["partner"]), serving_of(request))


Served = Annotated[Serving, Depends(_serving)]
"""For requests without a key."""

Called = Annotated[Call, Depends(_call)]
"""For requests of partners, which the gate has identified."""
