"""Broadcasts of a programme, and the latest episodes of brands."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime

from schedules_pipeline.delivery.freshness import NEVER_KEPT, cache_control
from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.questions.broadcasts_of import (
    DEFAULT_DAYS,
    MOST_BROADCASTS,
    MOST_DAYS,
    Question,
    find_broadcasts,
    page_fields,
    parse_place,
    plan_reads,
)
from schedules_pipeline.delivery.questions.latest_episodes import (
    MOST_SCHEDULES,
    KnownEpisode,
    changes_fields,
    compare_episodes,
    earliest_since,
    find_episodes,
    plan_schedules,
)
from schedules_pipeline.delivery.questions.lineage import Lineage
from schedules_pipeline.delivery.representations import Representation, json_representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.choosing import chosen_services, read_instant
from schedules_pipeline.delivery.routes.documented import PROBLEMS
from schedules_pipeline.delivery.routes.documented_queries import (
    BroadcastsOfProgramme,
    FollowedBrands,
    NewsOfBrands,
    PidText,
)
from schedules_pipeline.delivery.routes.serving import Called
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.broadcasts import render_json
from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.partners.partner import Partner

_FRESH_SECONDS = 60
_CURSOR_LENGTH = 200


routes = APIRouter(prefix="/v1", tags=["programmes"], responses=PROBLEMS)


@routes.get("/programmes/{pid}/broadcasts", responses={200: {"model": BroadcastsOfProgramme}})
async def get_broadcasts(
    call: Called,
    pid: Annotated[PidText, Path(description="The pid of an episode, a series or a brand.")],
    start: Annotated[
        AwareDatetime | None,
        Query(
            alias="from", description="Includes the broadcasts that are on air at this instant. Default: now."
        ),
    ] = None,
    end: Annotated[
        AwareDatetime | None,
        Query(
            alias="to",
            description=f"At most {MOST_DAYS} days after `from`. Default: {DEFAULT_DAYS} days after it.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BROADCASTS)] = 100,
    after: Annotated[
        str | None, Query(max_length=_CURSOR_LENGTH, description="`next` of the previous page.")
    ] = None,
) -> Response:
    """The broadcasts of an episode, or of all episodes of a series or brand, on the services of your key."""
    window = _window(start, end, call.delivery.clock())
    question = Question(Pid(pid), window, limit, None if after is None else parse_place(after))
    found = await call.serving.askers.run(_broadcasts, call.delivery, call.caller, question)
    return await answer(call.request, found)


@routes.post("/episodes/latest", responses={200: {"model": NewsOfBrands}})
async def post_latest_episodes(call: Called, followed: FollowedBrands) -> Response:
    """The latest episodes of brands since an instant, as new, changed and withdrawn ones.

    The service keeps no state of clients: send the episodes that you hold, each with its etag.
    """
    services = frozenset(chosen_services(call.delivery, call.caller, followed.sids))
    body = await call.serving.askers.run(_latest_episodes, call.delivery, followed, services)
    return Response(body, media_type="application/json", headers={"Cache-Control": NEVER_KEPT})


def _window(start: datetime | None, end: datetime | None, now: datetime) -> Interval:
    # Cut to the minute, so that requests within one minute share an answer.
    begins = now.replace(second=0, microsecond=0) if start is None else read_instant("from", start, now)
    ends = begins + timedelta(days=DEFAULT_DAYS) if end is None else read_instant("to", end, now)
    if not begins < ends <= begins + timedelta(days=MOST_DAYS):
        raise Problem(BAD_REQUEST, f"`to` must be after `from`, by at most {MOST_DAYS} days.")
    return Interval(begins, ends)


def _broadcasts(delivery: Delivery, caller: Partner, question: Question) -> Representation:
    references = delivery.store.references.references([question.pid])[question.pid]
    reads = plan_reads(references, question, caller.may_see)
    page = find_broadcasts(question, reads, delivery.mirror.schedule, Lineage(delivery.store.copies))
    body = render_json(page_fields(question, page))
    return json_representation("broadcasts", body, cache_control(_FRESH_SECONDS))


def _latest_episodes(delivery: Delivery, followed: FollowedBrands, services: frozenset[Sid]) -> bytes:
    now = delivery.clock()
    since = min(max(followed.since, earliest_since(delivery.policy.horizon, now)), now).astimezone(UTC)
    brands = [Pid(text) for text in dict.fromkeys(followed.brands)]
    references = delivery.store.references.references(brands)
    listed = [reference for of_brand in references.values() for reference in of_brand]
    keys = plan_schedules(listed, since, now, services.__contains__)
    if len(keys) > MOST_SCHEDULES:
        detail = f"Too many schedules ({len(keys)}) for one request: name fewer brands or services, or a later `since`."
        raise Problem(BAD_REQUEST, detail)
    schedules = [found for key in keys if (found := delivery.mirror.schedule(key)) is not None]
    given = [KnownEpisode(Pid(one.episode_pid), one.etag) for one in followed.given]
    episodes = find_episodes(schedules, brands, since, now)
    return render_json(changes_fields(compare_episodes(episodes, given, since, followed.count), since))
