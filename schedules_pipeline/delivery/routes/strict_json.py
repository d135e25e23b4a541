"""Bodies of requests that are JSON by RFC 8259, and mean the same to every parser."""

import json
import math
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from schedules_pipeline.delivery.problems import BAD_REQUEST, Problem

_MEDIA_TYPE = "application/json"


async def require_strict_json(request: Request) -> None:
    """Reject ``NaN``, infinite numbers and repeated members, which Python's parser accepts, and other media types."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _MEDIA_TYPE:
        raise Problem(BAD_REQUEST, f"Send the body as {_MEDIA_TYPE}, with that `Content-Type`.")
    try:
        json.loads(
            await request.body(),
            parse_constant=_reject_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise Problem(BAD_REQUEST, "The body is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:
        raise Problem(BAD_REQUEST, f"The body is not valid JSON: {error}") from None


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _unique(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member of an object is repeated")
    return found
