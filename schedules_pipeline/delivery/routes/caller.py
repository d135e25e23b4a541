"""Who asks: found by the gate before any route is."""

from typing import Annotated, cast

from fastapi import Depends, Request

from schedules_pipeline.domain.partners import Partner


def _caller(request: Request) -> Partner:
    return cast("Partner", request.scope["partner"])


Caller = Annotated[Partner, Depends(_caller)]
