"""The guide's pages, and the parts that scripts fetch again after a change."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse

from schedules_pipeline.delivery.guide.gathering import CHECKED_EACH_TIME
from schedules_pipeline.delivery.guide.grid import parse_begin
from schedules_pipeline.delivery.guide.origins import Mirrored, read_origins, read_versions
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
_LONGEST_NAME = 60
_ROWS_AT_ONCE = 30
_MOST_PAGES = 1_000

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
    named: Annotated[str, Query(max_length=_LONGEST_NAME)] = "",
    page: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
) -> Response:
    on = parse_date(date) if date else None
    query = GuideQuery(on, parse_begin(begin), group, question.strip(), named.strip(), page)
    return await answer_page(call, await call.plan(partial(call.serving.guide.whole, call.caller, query)))


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
    origins = await call.read(read_origins, call.delivery.store, key, for_operator=call.caller.is_operator)
    found = await call.render(1, call.serving.guide.schedule(call.caller, key, origins))
    return await answer_page(call, found.represent(MEDIA_TYPE, CHECKED_EACH_TIME))


@routes.get("/guide/{sid}/{date}/versions")
async def show_versions(
    call: Called,
    sid: Annotated[str, Path(max_length=_LONGEST_SID)],
    date: Annotated[str, Path(max_length=10)],
    before: Annotated[int | None, Query(ge=0)] = None,
    after: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    key = _key(call.caller, sid, date)
    mirror = call.delivery.mirror
    mirrored = Mirrored(mirror.held(key), mirror.cursor.epoch)
    kept = await call.read(read_versions, call.delivery.store, key, mirrored, before, after)
    found = await call.render(1, call.serving.guide.versions(call.caller, key, kept))
    return await answer_page(call, found.represent(MEDIA_TYPE, CHECKED_EACH_TIME))


def _key(caller: Partner, sid: str, date: str) -> ScheduleKey:
    """Raises :class:`Problem` (404) for services that the partner may not see."""
    key = ScheduleKey(Sid(sid), parse_date(date))
    if not caller.may_see(key.sid):
        raise Problem(NOT_FOUND, f"There is no service {sid}.")
    return key
