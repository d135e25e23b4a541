"""The guide's pages, and the parts of them that are fetched anew when something changes."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.guide.gathering import Guide
from schedules_pipeline.delivery.guide.grid import parse_begin
from schedules_pipeline.delivery.guide.pages import Pages
from schedules_pipeline.delivery.guide.search import MOST_CHARACTERS
from schedules_pipeline.delivery.guide.views import GuideQuery
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.routes import sign_in, static_files
from schedules_pipeline.delivery.routes.caller import Caller
from schedules_pipeline.delivery.routes.page_answers import PageAnswers
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.partners.partner import Partner

_LONGEST_SID = 64
_LONGEST_GROUP = 130
_ROWS_AT_ONCE = 30

Day = Annotated[str, Query(max_length=10)]
Begin = Annotated[str, Query(alias="from", max_length=5)]
SidQuery = Annotated[str, Query(max_length=_LONGEST_SID)]


def router(delivery: Delivery) -> APIRouter:
    pages = Pages()
    guide, answers = Guide(delivery, pages), PageAnswers(pages, delivery.policy.image_url_template)
    routes = APIRouter(include_in_schema=False, route_class=answers.route_class())

    @routes.get("/")
    async def enter() -> Response:
        return RedirectResponse("/guide", HTTPStatus.SEE_OTHER)

    @routes.get("/guide")
    async def show_guide(
        request: Request,
        caller: Caller,
        date: Day = "",
        begin: Begin = "",
        group: Annotated[str, Query(max_length=_LONGEST_GROUP)] = "",
        question: Annotated[str, Query(alias="q", max_length=MOST_CHARACTERS)] = "",
    ) -> Response:
        asked = GuideQuery(parse_date(date) if date else None, parse_begin(begin), group, question.strip())
        return await answers.answer(request, guide.whole(caller, asked))

    @routes.get("/guide/rows")
    async def show_rows(
        request: Request,
        caller: Caller,
        sids: Annotated[list[str], Query(alias="sid", max_length=_ROWS_AT_ONCE)],
        like: SidQuery,
        date: Day,
        begin: Begin = "",
    ) -> Response:
        keys = [_key(caller, sid, date) for sid in sids]
        return await answers.answer(
            request, guide.rows(keys, ScheduleKey(Sid(like), parse_date(date)), begin)
        )

    @routes.get("/guide/changes")
    async def show_changes(request: Request, caller: Caller) -> Response:
        return await answers.answer(request, guide.changes(caller))

    @routes.get("/guide/showing")
    async def show_showing(
        request: Request, caller: Caller, sid: SidQuery, date: Day, pid: Annotated[str, Query(max_length=32)]
    ) -> Response:
        found = await run_in_threadpool(guide.showing, _key(caller, sid, date), Pid(pid))
        return await answers.answer(request, found)

    @routes.get("/guide/{sid}/{date}")
    async def show_schedule(
        request: Request,
        caller: Caller,
        sid: Annotated[str, Path(max_length=_LONGEST_SID)],
        date: Annotated[str, Path(max_length=10)],
    ) -> Response:
        found = await run_in_threadpool(guide.schedule, caller, _key(caller, sid, date))
        return await answers.answer(request, found)

    routes.include_router(sign_in.router(delivery, answers))
    routes.include_router(static_files.router(pages))
    return routes


def _key(caller: Partner, sid: str, date: str) -> ScheduleKey:
    """What a partner may not see is as if it were not there."""
    key = ScheduleKey(Sid(sid), parse_date(date))
    if not caller.may_see(key.sid):
        raise Problem(NOT_FOUND, f"There is no service {sid}.")
    return key
