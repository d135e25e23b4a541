"""Broadcasts of a programme, and the latest episodes of brands."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from schedules_pipeline.delivery.costs import cost_of_rendering
from schedules_pipeline.delivery.freshness import NEVER_KEPT, cache_control
from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.questions.answers import (
    Followed,
    render_broadcasts_of,
    render_latest_episodes,
)
from schedules_pipeline.delivery.questions.broadcasts_of import (
    DEFAULT_DAYS,
    MOST_BROADCASTS,
    MOST_DAYS,
    Question,
    parse_place,
    plan_reads,
)
from schedules_pipeline.delivery.questions.latest_episodes import (
    MOST_SCHEDULES,
    KnownEpisode,
    earliest_since,
    plan_schedules,
)
from schedules_pipeline.delivery.routes.answering import answer_with_next
from schedules_pipeline.delivery.routes.choosing import chosen_services, read_instant
from schedules_pipeline.delivery.routes.documented import PAGED, PROBLEMS, TOO_LARGE_BODY
from schedules_pipeline.delivery.routes.documented_queries import (
    BroadcastsOfProgramme,
    FollowedBrands,
    Instant,
    NewsOfBrands,
    PidText,
)
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.delivery.routes.strict_json import require_strict_json
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval

_FRESH_SECONDS = 60
_CURSOR_LENGTH = 200


routes = APIRouter(prefix="/v1", tags=["programmes"], responses=PROBLEMS)


@routes.get(
    "/programmes/{pid}/broadcasts", responses={200: {"model": BroadcastsOfProgramme, "headers": PAGED}}
)
async def get_broadcasts(
    call: Called,
    pid: Annotated[PidText, Path(description="The pid of an episode, a series or a brand.")],
    start: Annotated[
        Instant | None,
        Query(
            alias="from", description="Includes the broadcasts that are on air at this instant. Default: now."
        ),
    ] = None,
    end: Annotated[
        Instant | None,
        Query(
            alias="to",
            description=f"At most {MOST_DAYS} days after `from`. Default: {DEFAULT_DAYS} days after it.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BROADCASTS)] = 100,
    after: Annotated[
        str | None,
        Query(
            max_length=_CURSOR_LENGTH,
            description="`next` of the previous page.",
            json_schema_extra={"format": "place", "pattern": "^[A-Za-z0-9_-]*$"},
        ),
    ] = None,
) -> Response:
    """The broadcasts of an episode, or of all episodes of a series or brand, on the services of your key."""
    window = _window(start, end, call.delivery.clock())
    question = Question(Pid(pid), window, limit, None if after is None else parse_place(after))
    references = await _references(call, [question.pid])
    reads = plan_reads(references[question.pid], question, call.caller.may_see)
    copies = call.delivery.copies_elsewhere or call.delivery.store.copies
    extract = call.delivery.mirror.extract(key for _, keys in reads for key in keys)
    task = partial(render_broadcasts_of, question, reads, extract, copies)
    found = await call.render(cost_of_rendering(min(len(extract), MOST_SCHEDULES)), task)
    return await answer_with_next(call, found, cache_control(_FRESH_SECONDS))


@routes.post(
    "/episodes/latest",
    responses={200: {"model": NewsOfBrands}, **TOO_LARGE_BODY},
    dependencies=[Depends(require_strict_json)],
)
async def post_latest_episodes(call: Called, followed: FollowedBrands) -> Response:
    """The latest episodes of brands since an instant, as new, changed and withdrawn ones.

    The service keeps no state of clients: send the episodes that you hold, each with its etag.
    """
    delivery, now = call.delivery, call.delivery.clock()
    services = frozenset(chosen_services(delivery, call.caller, followed.sids))
    since = min(max(followed.since, earliest_since(delivery.policy.horizon, now)), now).astimezone(UTC)
    brands = [Pid(text) for text in dict.fromkeys(followed.brands)]
    keys = await _plan_latest(call, brands, services, since, now)
    extract = delivery.mirror.extract(keys)
    given = [KnownEpisode(Pid(one.episode_pid), one.etag) for one in followed.given]
    task = partial(render_latest_episodes, Followed(brands, since, followed.count, given), keys, extract, now)
    body = await call.render(cost_of_rendering(len(extract)), task)
    return Response(body, media_type="application/json", headers={"Cache-Control": NEVER_KEPT})


def _window(start: datetime | None, end: datetime | None, now: datetime) -> Interval:
    # Cut to the minute, so that requests within one minute share an answer.
    begins = now.replace(second=0, microsecond=0) if start is None else read_instant(start)
    ends = begins + timedelta(days=DEFAULT_DAYS) if end is None else read_instant(end)
    if not begins < ends <= begins + timedelta(days=MOST_DAYS):
        raise Problem(BAD_REQUEST, f"`to` must be after `from`, by at most {MOST_DAYS} days.")
    return Interval(begins, ends)


async def _references(call: Call, pids: list[Pid]) -> Mapping[Pid, Iterable[Reference]]:
    return await call.read(call.delivery.store.references.references, pids)


async def _plan_latest(
    call: Call, brands: list[Pid], services: frozenset[Sid], since: datetime, now: datetime
) -> list[ScheduleKey]:
    references = await _references(call, brands)
    listed = [reference for of_brand in references.values() for reference in of_brand]
    keys = plan_schedules(listed, since, now, services.__contains__)
    if len(keys) > MOST_SCHEDULES:
        detail = f"Too many schedules ({len(keys)}) for one request: name fewer brands or services, or a later `since`."
        raise Problem(BAD_REQUEST, detail)
    return keys
