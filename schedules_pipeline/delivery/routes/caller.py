"""Who asks: found by the gate before any route is."""

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request

from schedules_pipeline.partners.partner import Partner

# Coroutines, because FastAPI calls plain functions in a worker thread, at the cost of a switch each way.


async def _caller(request: Request) -> Partner:
    return cast("Partner", request.scope["partner"])


async def _caller_now(request: Request) -> Callable[[], Partner]:
    return cast("Callable[[], Partner]", request.scope["partner_now"])


Caller = Annotated[Partner, Depends(_caller)]
CallerNow = Annotated[Callable[[], Partner], Depends(_caller_now)]
"""For an answer that goes on: the partner as it is by now; raises Problem once its key does not hold any more."""
