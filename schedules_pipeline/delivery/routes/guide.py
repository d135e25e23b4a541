"""The guide's pages, and the parts that scripts fetch again after a change."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse

from schedules_pipeline.delivery.guide.gathering import CHECKED_EACH_TIME, NO_ORIGINS, read_origins
from schedules_pipeline.delivery.guide.grid import parse_begin
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE
from schedules_pipeline.delivery.guide.search import MOST_CHARACTERS
from schedules_pipeline.delivery.guide.views import GuideQuery
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.routes import sign_in, static_files
from schedules_pipeline.delivery.routes.page_answers import PageRoute, answer_page
from schedules_pipeline.delivery.routes.serving import Called
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.partners.partner import Partner

_LONGEST_SID = 64
_LONGEST_GROUP = 130
_ROWS_AT_ONCE = 30

Day = Annotated[str, Query(max_length=10)]
Begin = Annotated[str, Query(alias="from", max_length=5)]
SidQuery = Annotated[str, Query(max_length=_LONGEST_SID)]


routes = APIRouter(include_in_schema=False, route_class=PageRoute)
routes.include_router(sign_in.routes)
routes.include_router(static_files.routes)


@routes.get("/")
async def enter() -> Response:
    return RedirectResponse("/guide", HTTPStatus.SEE_OTHER)


@routes.get("/guide")
async def show_guide(
    call: Called,
    date: Day = "",
    begin: Begin = "",
    group: Annotated[str, Query(max_length=_LONGEST_GROUP)] = "",
    question: Annotated[str, Query(alias="q", max_length=MOST_CHARACTERS)] = "",
) -> Response:
    query = GuideQuery(parse_date(date) if date else None, parse_begin(begin), group, question.strip())
    page = await call.plan(partial(call.serving.guide.whole, call.caller, query))
    return await answer_page(call, page)


@routes.get("/guide/rows")
async def show_rows(
    call: Called,
    sids: Annotated[list[str], Query(alias="sid", max_length=_ROWS_AT_ONCE)],
    like: SidQuery,
    date: Day,
    begin: Begin = "",
) -> Response:
    keys = [_key(call.caller, sid, date) for sid in sids]
    return await answer_page(
        call, call.serving.guide.rows(keys, ScheduleKey(Sid(like), parse_date(date)), begin)
    )


@routes.get("/guide/changes")
async def show_changes(call: Called) -> Response:
    return await answer_page(call, call.serving.guide.changes(call.caller))


@routes.get("/guide/broadcast")
async def show_broadcast(
    call: Called, sid: SidQuery, date: Day, pid: Annotated[str, Query(max_length=32)]
) -> Response:
    key = _key(call.caller, sid, date)
    found = await call.render(1, call.serving.guide.broadcast(key, Pid(pid)))
    if found is None:
        raise Problem(NOT_FOUND, f"The schedule {key} does not list the broadcast {pid}.")
    return await answer_page(call, found.represent(MEDIA_TYPE, CHECKED_EACH_TIME))


@routes.get("/guide/{sid}/{date}")
async def show_schedule(
    call: Called,
    sid: Annotated[str, Path(max_length=_LONGEST_SID)],
    date: Annotated[str, Path(max_length=10)],
) -> Response:
    key = _key(call.caller, sid, date)
    origins = NO_ORIGINS
    if call.caller.is_operator:
        origins = await call.read(read_origins, call.delivery.store, key)
    found = await call.render(1, call.serving.guide.schedule(call.caller, key, origins))
    return await answer_page(call, found.represent(MEDIA_TYPE, CHECKED_EACH_TIME))


def _key(caller: Partner, sid: str, date: str) -> ScheduleKey:
    """Raises :class:`Problem` (404) for services that the partner may not see."""
    key = ScheduleKey(Sid(sid), parse_date(date))
    if not caller.may_see(key.sid):
        raise Problem(NOT_FOUND, f"There is no service {sid}.")
    return key
