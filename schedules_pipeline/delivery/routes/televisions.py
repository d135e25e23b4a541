"""The content guide server of DVB-I, for televisions: ``/dvb-i/{access}/…`` (ADR 43).

``access`` is the name of a public partner, or a key (:mod:`~schedules_pipeline.delivery.routes.addressed`).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from schedules_pipeline.delivery.costs import cost_of_joining, cost_of_rendering
from schedules_pipeline.delivery.freshness import cache_control_of_televisions, seconds_fresh
from schedules_pipeline.delivery.problems import BAD_REQUEST, NOT_FOUND, Problem
from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES, Board, fresh_seconds, keys_around
from schedules_pipeline.delivery.questions.televisions import (
    Found,
    FurtherEpisodes,
    Reach,
    ServiceListTask,
    render_programme_of,
    render_television_board,
)
from schedules_pipeline.delivery.representations import Representation, validator_of
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.documented import PROBLEMS, Responses
from schedules_pipeline.delivery.routes.parameters import Access
from schedules_pipeline.delivery.routes.serving import Call, Called, ask_table
from schedules_pipeline.delivery.selections import represent_windows
from schedules_pipeline.documents.service_list import MEDIA_TYPE, ListedService
from schedules_pipeline.domain.day_cut import Straddling, window_between
from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.domain.interval import Interval

_LIST_FRESH_SECONDS = 300
_PROGRAMME_FRESH_SECONDS = 60
_ITEMS_SEARCHED = 100
_SERVICES_FOR_A_TOKEN = 50
_LONGEST = timedelta(days=8)
_MOST_DAYS = 1_500
"""Of all services together: the answer begins when the programmes of all are known, after two seconds at that size."""
_FARTHEST = 253_370_764_800
"""Unix seconds: the year 9999."""
_VARIES = "Accept-Encoding"
_REACHES = {"true": Reach(0, 1), "window": Reach(10, 10)}

ServiceIds = Annotated[
    list[Annotated[str, Query(max_length=400)]],
    Query(alias="sid", max_length=MOST_SERVICES, description="The `UniqueIdentifier` of a service, `tag:…`."),
]
Seconds = Annotated[int | None, Query(ge=0, le=_FARTHEST, description="Unix seconds.")]
ProgrammeId = Annotated[str, Query(alias="pid", max_length=400, description="A programme, `crid://…`.")]

_XML: Responses = {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}}

routes = APIRouter(prefix="/dvb-i/{access}", tags=["televisions"], responses=PROBLEMS)


@routes.get("/services.xml", responses=_XML, response_class=Response)
async def get_service_list(call: Called, access: Access) -> Response:
    """The service list: services, regions, channel numbers, and the address of the content guide."""
    delivery, policy = call.delivery, call.delivery.policy.televisions
    listed = [
        ListedService(sid, delivery.names.of(sid), delivery.calendar.is_radio(sid))
        for sid in delivery.services_of(call.caller)
    ]
    version = int(f"{delivery.clock().astimezone(UTC):%Y%m%d}")
    task = ServiceListTask(listed, policy, version, f"{_address(call)}/dvb-i/{access}/")
    validator = validator_of("services", listed, policy, version, task.endpoints)
    cache = cache_control_of_televisions(_LIST_FRESH_SECONDS, is_public=call.is_public(access))
    cost = len(listed) // _SERVICES_FOR_A_TOKEN
    return await answer(call, Representation(validator, MEDIA_TYPE, cache, task, cost=cost, vary=_VARIES))


@routes.get("/schedule", responses=_XML, response_class=Response)
async def get_television_schedule(
    call: Called,
    access: Access,
    service_ids: ServiceIds = [],  # noqa: B006 - FastAPI copies it
    start: Seconds = None,
    end: Seconds = None,
    now_next: Annotated[
        Literal["true", "window"] | None,
        Query(
            description="What is on now and next; `window` also lists up to ten broadcasts before and after."
        ),
    ] = None,
    inclusive: Annotated[
        Literal["true", "false"],
        Query(description="Whether to list what began before `start` and runs then."),
    ] = "false",
) -> Response:
    """The broadcasts that begin from `start` until `end`, or those around now."""
    sids = _services(call, service_ids)
    is_public = call.is_public(access)
    if now_next is not None:
        return await _now_next(call, sids, _REACHES[now_next], is_public=is_public)
    delivery, window = call.delivery, _window(start, end, len(sids))
    windows = [window_between(delivery.calendar, sid, window) for sid in sids]
    straddling = Straddling.OVERLAPS if inclusive == "true" else Straddling.STARTS
    now = delivery.clock()
    representation = await call.plan(
        partial(represent_windows, delivery, windows, straddling, call.serving.television_format, now)
    )
    cache = cache_control_of_televisions(seconds_fresh(window, now), is_public=is_public)
    return await answer(call, replace(representation, cache_control=cache, vary=_VARIES))


@routes.get("/programme", responses=_XML, response_class=Response)
async def get_television_programme(call: Called, access: Access, crid: ProgrammeId) -> Response:
    """One programme, with all its texts."""
    pid, sids = _programme(call, crid), frozenset(call.delivery.services_of(call.caller))
    rendition = call.delivery.policy.televisions.rendition
    question = partial(render_programme_of, pid=pid, sids=sids, rendition=rendition)
    found = await ask_table(call, cost_of_joining(_ITEMS_SEARCHED), question)
    return await _answer_found(call, found, is_public=call.is_public(access))


@routes.get("/more-episodes", responses=_XML, response_class=Response)
async def get_more_episodes(call: Called, access: Access, crid: ProgrammeId) -> Response:
    """The coming broadcasts of a programme's brand or series, on one service."""
    delivery, pid = call.delivery, _programme(call, crid)
    sids = frozenset(delivery.services_of(call.caller))
    address = f"{_address(call)}/dvb-i/{access}/more-episodes?pid={crid}"
    question = FurtherEpisodes(pid, sids, delivery.clock(), delivery.policy.televisions.rendition, address)
    found = await ask_table(call, cost_of_joining(_ITEMS_SEARCHED), question)
    return await _answer_found(call, found, is_public=call.is_public(access))


def _address(call: Call) -> str:
    """Under which the television asks."""
    return call.delivery.policy.televisions.address or str(call.request.base_url).rstrip("/")


def _services(call: Call, service_ids: list[str]) -> list[Sid]:
    """Raises :class:`Problem` (400) without a service, and (404) if a service does not exist for the partner."""
    if not service_ids:
        raise Problem(BAD_REQUEST, "Name a service as `sid`, by its `UniqueIdentifier` in the service list.")
    found = []
    for text in dict.fromkeys(service_ids):
        sid = call.delivery.policy.televisions.rendition.naming.sid_of(text)
        if sid is None or not call.caller.may_see(sid) or not call.delivery.mirror.of_service(sid):
            raise Problem(NOT_FOUND, f"There is no service {text[:100]!r}; the service list has them all.")
        found.append(sid)
    return sorted(found)


def _programme(call: Call, crid: str) -> Pid:
    pid = call.delivery.policy.televisions.rendition.naming.pid_of(crid)
    if pid is None:
        raise Problem(NOT_FOUND, "There is nothing more about this programme.")
    return pid


def _window(start: int | None, end: int | None, services: int) -> Interval:
    """Raises :class:`Problem` if it is missing, empty, or too long for so many services."""
    if start is None or end is None or not 0 < end - start <= _LONGEST.total_seconds():
        detail = (
            f"`start` and `end` are Unix seconds, `end` later than `start` by at most {_LONGEST.days} days."
        )
        raise Problem(BAD_REQUEST, detail)
    if (days := services * ceil(timedelta(seconds=end - start) / timedelta(days=1))) > _MOST_DAYS:
        detail = f"At most {_MOST_DAYS} days of services are answered at once, and {days} are asked for."
        raise Problem(BAD_REQUEST, detail)
    return Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


async def _now_next(call: Call, sids: list[Sid], reach: Reach, *, is_public: bool) -> Response:
    now, boards = call.delivery.clock(), call.serving.television_boards
    board = boards.find(sids, reach.later, now) or await _render(call, sids, now, reach)
    seconds = fresh_seconds(now, board.until)
    cache = cache_control_of_televisions(seconds, is_public=is_public, is_of_now=True)
    return await answer(call, replace(board.answer.represent(MEDIA_TYPE, cache), vary=_VARIES))


async def _render(call: Call, sids: list[Sid], at: datetime, reach: Reach) -> Board:
    delivery = call.delivery
    generation = delivery.mirror.generation
    extract = delivery.mirror.extract(key for sid in sids for key in keys_around(sid, at))
    named = [(sid, delivery.names.of(sid)) for sid in sids]
    rendition = delivery.policy.televisions.rendition
    task = partial(render_television_board, named, extract, at, reach, rendition)
    board = await call.render(cost_of_rendering(len(extract)), task)
    call.serving.television_boards.put(sids, reach.later, board, generation)
    return board


async def _answer_found(call: Call, found: Found, *, is_public: bool) -> Response:
    if found.answer is None:
        raise Problem(NOT_FOUND, "No service shows this programme around today.")
    cache = cache_control_of_televisions(_PROGRAMME_FRESH_SECONDS, is_public=is_public)
    return await answer(call, replace(found.answer.represent(MEDIA_TYPE, cache), vary=_VARIES))
