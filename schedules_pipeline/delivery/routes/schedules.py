"""Services and their schedules: one, a range of days of one service, and one day of many services."""

from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Response

from schedules_pipeline.delivery.freshness import cache_control
from schedules_pipeline.delivery.links import DESCRIPTIONS, alternates
from schedules_pipeline.delivery.mirror import MirroredSchedule, mirror_document
from schedules_pipeline.delivery.negotiation import choose_format
from schedules_pipeline.delivery.problems import BAD_REQUEST, NOT_FOUND, Problem
from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.delivery.representations import Representation, rendered
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.documented import (
    LINKED,
    PROBLEMS,
    Guides,
    Schedule,
    Schedules,
    Services,
    in_formats,
)
from schedules_pipeline.delivery.routes.parameters import (
    DATE,
    MOST_DAYS,
    Cut,
    DayPath,
    SidInFormatPath,
    SidPath,
    Sids,
    Straddle,
    read_day,
    split_format,
)
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.delivery.selections import Selection, represent, represent_document
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.guide_formats import JSON_FORMAT, GuideFormat
from schedules_pipeline.domain.day_cut import DayCut, NamedCut, Straddling
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner

_SERVICES_FRESH_SECONDS = 60


routes = APIRouter(prefix="/v1", tags=["schedules"], responses=PROBLEMS)

Day = Annotated[
    str | None, Query(alias="date", max_length=10, description="Default: today.", json_schema_extra=DATE)
]


@routes.get("/services", responses={200: {"model": Services, "headers": LINKED}})
async def list_services(call: Called) -> Response:
    """The services that your key may read, and the published days of each."""
    return await answer(call, _services(call.delivery, call.caller).linked(DESCRIPTIONS))


@routes.get("/schedules/{sid}/{date}", responses=in_formats(Schedule | Guides))
async def get_schedule(
    call: Called,
    sid: SidPath,
    date: DayPath,
    day: Cut = "broadcast",
    straddling: Straddle = Straddling.STARTS,
    min_seq: Annotated[
        int,
        Query(
            ge=0,
            le=2**53,
            description="The lowest acceptable version; read from the store if this process does not have it yet.",
        ),
    ] = 0,
) -> Response:
    """One service on one day, in the format of the path or of `Accept`."""
    text, name = split_format(date)
    key = ScheduleKey(_visible(call.caller, sid), parse_date(text))
    chosen, cut = choose_format(call.delivery.formats, name, call.accept), DayCut.parse(day)
    if chosen.name == JSON_FORMAT.name and cut.begins is NamedCut.BROADCAST:
        return await answer(call, await _document(call, key, min_seq))
    return await _answer_selection(call, Selection((key.sid,), key.date, key.date, cut, straddling), chosen)


@routes.get("/schedules/{sid}", responses=in_formats(Schedules | Guides))
async def get_days(
    call: Called,
    sid: SidInFormatPath,
    first: Annotated[
        str | None, Query(alias="from", max_length=10, description="Default: today.", json_schema_extra=DATE)
    ] = None,
    last: Annotated[
        str | None,
        Query(
            alias="to",
            max_length=10,
            description=f"The last day, included; at most {MOST_DAYS} days. Default: a week.",
            json_schema_extra=DATE,
        ),
    ] = None,
    day: Cut = "broadcast",
    straddling: Straddle = Straddling.STARTS,
) -> Response:
    """One service on a range of days. JSON has the documents as published, and lists the days without one."""
    text, name = split_format(sid)
    begin = read_day(first, _today(call.delivery))
    end = read_day(last, begin + timedelta(days=6))
    if not 0 <= (end - begin).days < MOST_DAYS:
        raise Problem(BAD_REQUEST, f"`from` {begin} to `to` {end} must be 1 to {MOST_DAYS} days.")
    chosen = choose_format(call.delivery.formats, name, call.accept)
    sids = (_visible(call.caller, text),)
    return await _answer_selection(call, Selection(sids, begin, end, DayCut.parse(day), straddling), chosen)


@routes.get("/schedules", responses=in_formats(Schedules | Guides))
async def get_services_of_a_day(
    call: Called,
    sids: Sids = [],  # noqa: B006 - FastAPI copies it
    on: Day = None,
    day: Cut = "broadcast",
    straddling: Straddle = Straddling.STARTS,
) -> Response:
    """Many services on one day. JSON has the documents as published, and lists the services without one."""
    return await get_services_of_a_day_in_a_format(call, "", sids, on, day, straddling)


@routes.get("/schedules.{format}", responses=in_formats(Schedules | Guides))
async def get_services_of_a_day_in_a_format(
    call: Called,
    name: Annotated[
        str,
        Path(
            alias="format", max_length=30, json_schema_extra={"enum": ["json", "xmltv", "tva", "catalogue"]}
        ),
    ],
    sids: Sids = [],  # noqa: B006
    on: Day = None,
    day: Cut = "broadcast",
    straddling: Straddle = Straddling.STARTS,
) -> Response:
    """Many services on one day, in the format of the path."""
    date = read_day(on, _today(call.delivery))
    chosen = choose_format(call.delivery.formats, name, call.accept)
    services = _chosen_services(call.delivery, call.caller, sids)
    return await _answer_selection(
        call, Selection(services, date, date, DayCut.parse(day), straddling, may_be_empty=True), chosen
    )


def _today(delivery: Delivery) -> date:
    """The date in the broadcaster's time zone."""
    return delivery.clock().astimezone(delivery.calendar.zone).date()


def _visible(caller: Partner, text: str) -> Sid:
    """Raises :class:`Problem` (404) for services that the partner may not see."""
    sid = Sid(text)
    if not caller.may_see(sid):
        raise Problem(NOT_FOUND, f"There is no service {sid}; /v1/services lists the services of your key.")
    return sid


def _chosen_services(delivery: Delivery, caller: Partner, texts: list[str]) -> list[Sid]:
    if texts:
        return [_visible(caller, text) for text in dict.fromkeys(texts)]
    sids = delivery.services_of(caller)
    if len(sids) > MOST_SERVICES:
        raise Problem(
            BAD_REQUEST,
            f"Your key may read {len(sids)} services: name at most {MOST_SERVICES} of them as `sid`.",
        )
    return sids


async def _answer_selection(call: Call, selection: Selection, chosen: GuideFormat) -> Response:
    now = call.delivery.clock()
    representation = await call.plan(partial(represent, call.delivery, selection, chosen, now))
    if representation is None:
        raise Problem(NOT_FOUND, "No requested schedule is published; /v1/digest lists the published ones.")
    path, _ = split_format(call.request.url.path)
    links = alternates(path, call.request.query_params.multi_items(), call.delivery.formats, chosen.name)
    return await answer(call, representation.linked(links))


async def _document(call: Call, key: ScheduleKey, min_seq: int) -> Representation:
    delivery = call.delivery
    held = delivery.mirror.held(key)
    if min_seq > (held.seq if held else 0):
        found = await call.read(_from_store, delivery, key)
        # A store that has lost its latest writes may know less than the mirror.
        held = found if held is None or (found is not None and found.seq > held.seq) else held
    if held is None or held.packed is None:
        raise Problem(
            NOT_FOUND,
            f"The schedule {key} is not published; /v1/digest lists the published ones.",
            {"removed": True, "seq": held.seq, "removed_at": held.published_at.isoformat()} if held else {},
        )
    return represent_document(delivery, held, held.packed, delivery.clock())


def _from_store(delivery: Delivery, key: ScheduleKey) -> MirroredSchedule | None:
    """A version that another process has announced and the mirror does not have yet."""
    frame = delivery.store.schedules.frames([key]).get(key)
    if frame is None:
        return None
    try:
        return mirror_document(key, frame)
    except InvalidRecord:
        # The follower has logged it; the mirror's version is served.
        return None


def _services(delivery: Delivery, caller: Partner) -> Representation:
    body = orjson.dumps({"services": [_service(delivery, sid) for sid in delivery.services_of(caller)]})
    return rendered(body).represent("application/json", cache_control(_SERVICES_FRESH_SECONDS))


def _service(delivery: Delivery, sid: Sid) -> dict[str, Any]:
    days = sorted(day for day, held in delivery.mirror.of_service(sid).items() if not held.is_removed)
    return {
        "sid": sid,
        "name": delivery.names.of(sid),
        "is_radio": delivery.calendar.is_radio(sid),
        "first_date": days[0],
        "last_date": days[-1],
        "schedules": len(days),
    }
