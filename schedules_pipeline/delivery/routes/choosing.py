"""Parameters of all questions across services: the services and an instant."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem
from schedules_pipeline.delivery.questions.now_next import MOST_SERVICES
from schedules_pipeline.delivery.routes.documented_queries import SidText
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.partners.partner import Partner

_FIRST, _LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)

AnySids = Annotated[
    list[SidText],
    Query(
        alias="sid",
        max_length=MOST_SERVICES,
        description="Service ids. Default: all services that your key may read.",
    ),
]


def chosen_services(delivery: Delivery, caller: Partner, texts: list[str]) -> list[Sid]:
    """The named services, or all, that the partner may see and that have published schedules; sorted."""
    named = frozenset(texts)
    sids = [sid for sid in delivery.services_of(caller) if not named or sid in named]
    if len(sids) > MOST_SERVICES:
        detail = f"Your key may read {len(sids)} services: name at most {MOST_SERVICES} of them as `sid`."
        raise Problem(BAD_REQUEST, detail)
    return sids


def read_instant(instant: datetime) -> datetime:
    """In UTC; an instant without a whole year before and after it is moved to where there is one, because nothing can
    be published of either.
    """
    return min(max(instant, _FIRST), _LAST).astimezone(UTC)
