"""The state that routes share, as one typed value in ``app.state``, and the dependencies that provide it."""

from asyncio import sleep
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Annotated, Final, ParamSpec, TypeVar, cast

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.changes import Digests, RenderedRows
from schedules_pipeline.delivery.guide.gathering import Guide
from schedules_pipeline.delivery.guide.pages import Pages, security_headers
from schedules_pipeline.delivery.links import next_page
from schedules_pipeline.delivery.packing import Packed, Piece
from schedules_pipeline.delivery.player_guides import PlayerGuides
from schedules_pipeline.delivery.questions.catalogue_feeds import RememberedTable, TablePlan
from schedules_pipeline.delivery.questions.now_next import Boards
from schedules_pipeline.delivery.representations import RepresentationCache
from schedules_pipeline.delivery.routes.addressed import is_of_player
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.delivery.turns import Turns
from schedules_pipeline.documents.guide_formats import GuideFormat, television_format
from schedules_pipeline.partners.partner import Partner

_P = ParamSpec("_P")
_T = TypeVar("_T")

_READ_AT_ONCE, _READ_AT_ONCE_EACH = 16, 4
"""Reads of the store, which may hang, of all partners and of each. There are threads left for other work."""

_PLAN_AT_ONCE = 4

COST: Final = "cost_in_tokens"
"""The key in the ASGI scope for the tokens that the request has cost, if they are more than one."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The delivery, values derived from it that are remembered between requests, and the turns at slow work."""

    delivery: Delivery
    pages: Pages
    guide: Guide
    digests: Digests
    boards: Boards
    television_boards: Boards
    table: RememberedTable
    page_headers: Mapping[str, str]
    television_format: GuideFormat
    rows: RenderedRows = field(default_factory=RenderedRows)
    cache: RepresentationCache[Packed] = field(default_factory=RepresentationCache[Packed])
    pieces: RepresentationCache[Piece] = field(default_factory=RepresentationCache[Piece])
    readers: Turns = field(default_factory=lambda: Turns(_READ_AT_ONCE, _READ_AT_ONCE_EACH))
    player_guides: PlayerGuides = field(default_factory=PlayerGuides)
    planners: Turns = field(default_factory=lambda: Turns(_PLAN_AT_ONCE, 1))


def serve(delivery: Delivery) -> Serving:
    """With nothing remembered yet."""
    images = delivery.policy.image_url_template
    pages = Pages(delivery.names, delivery.calendar.zone, images)
    return Serving(
        delivery,
        pages,
        Guide(delivery, pages),
        Digests(delivery.mirror),
        Boards(delivery.mirror),
        Boards(delivery.mirror),
        RememberedTable(delivery.mirror, delivery.policy.available_days),
        security_headers(images),
        television_format(delivery.policy.televisions.rendition),
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

    def is_public(self, access: str) -> bool:
        """Whether this part of the path names a public partner, not a key, so that caches may share the answer."""
        return self.caller.name == access

    def next_page(self, **changed: str) -> str:
        """The link to the same request with other values of these parameters."""
        return next_page(self.request.url.path, self.request.query_params.multi_items(), **changed)

    def charge(self, tokens: int | Fraction) -> None:
        """Count the cost of work for this request, beyond the one token that every request costs."""
        if tokens:
            self.delivery.admission.charge(self.caller, float(tokens))
            self.request.scope[COST] = self.request.scope.get(COST, 1) + tokens

    @property
    def charged(self) -> int | Fraction:
        """The tokens that were charged, beyond the one."""
        cost: int | Fraction = self.request.scope.get(COST, 1)
        return cost - 1

    def announce(self, tokens: int) -> None:
        """Say in the header of the answer what work will cost that is counted while the answer is sent."""
        if tokens:
            self.request.scope[COST] = 1 + tokens

    def seconds_to_spare(self) -> float:
        """How long to wait before work that leaves the partner half of its tokens for other requests."""
        return self.delivery.admission.seconds_to_spare(self.caller, self.delivery.clock())

    async def render(self, cost: int | Fraction, task: Callable[[], _T]) -> _T:
        """The result of a task that can be pickled, performed outside of this process. Raises :class:`Problem` if too
        many wait; players wait too.
        """
        if is_of_player(self.request.scope["path"]):
            return await self.render_next(cost, task)
        self.charge(cost)
        return await self.delivery.rendering.perform(self.caller.name, task)

    async def render_next(self, cost: int | Fraction, task: Callable[[], _T]) -> _T:
        """As :meth:`render`, for an answer that has begun: however many wait, it waits too."""
        self.charge(cost)
        return await self.delivery.rendering.perform(self.caller.name, task, has_begun=True)

    async def plan(self, work: Callable[[], _T]) -> _T:
        """The result of work that takes a millisecond or more of the event loop's thread: for each partner one at a
        time, with the requests of others between. Raises :class:`Problem` if too many wait.
        """
        async with self.serving.planners.turn(self.caller.name):
            await sleep(0)
            return work()

    async def read(self, work: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
        """The result of work that reads the store, in a thread. Raises :class:`Problem` if too many wait."""
        async with self.serving.readers.turn(self.caller.name):
            return await run_in_threadpool(work, *args, **options)

    def caller_now(self) -> Partner:
        """The partner at this moment, for an answer that lasts. Raises :class:`Problem` if its key is not valid."""
        find = cast("Callable[[], Partner]", self.request.scope["partner_now"])
        return find()


async def ask_table(call: Call, cost: int, question: Callable[[TablePlan], _T | None]) -> _T:
    """The answer to a question about the table of the catalogue feeds, which gives None in a process that does not
    have the table yet. Raises :class:`Problem` if too many wait.
    """
    plan = call.serving.table.plan(call.delivery.clock())
    found = await call.render(cost, partial(question, plan.without_schedules))
    if found is None:
        found = await call.render(0, partial(question, plan))
    if found is None:
        raise RuntimeError("a plan with its schedules gave no table")
    return found


# Coroutines, because FastAPI calls plain functions in a worker thread, at the cost of a switch each way.


async def _serving(request: Request) -> Serving:
    return serving_of(request)


async def _call(request: Request) -> Call:
    return Call(request, cast("Partner", request.scope["partner"]), serving_of(request))


Served = Annotated[Serving, Depends(_serving)]
"""For requests without a key."""

Called = Annotated[Call, Depends(_call)]
"""For requests of partners, which the gate has identified."""
