"""What both shells do alike: how a request looks, and what failures are called."""

import importlib.metadata
import logging
import random
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import httpx

from schedules_client.access import Access
from schedules_client.model import Change
from schedules_client.steps import Answer, Failure, Terms

LOG: Final = logging.getLogger("schedules_client")
CONNECT_SECONDS: Final = 10.0
SYNC_SECONDS: Final = 60.0
"""For how long ``sync`` asks a failing service again, unless told otherwise."""

UNREACHABLE: Final = (httpx.HTTPError, httpx.InvalidURL, OSError)
DEFAULT_STORE: Final = Path("schedules.db")


@cache
def user_agent() -> str:
    """Names the release if the package is installed."""
    try:
        return f"schedules-client/{importlib.metadata.version('schedules-client')}"
    except importlib.metadata.PackageNotFoundError:
        return "schedules-client"


def common_headers(access: Access) -> dict[str, str]:
    """One coding for all requests, because the tags of answers differ by coding."""
    return {
        "User-Agent": user_agent(),
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        **access.headers,
    }


def terms(access: Access, give_up_seconds: float | None, *, streams: bool) -> Terms:
    return Terms(access.address, time.time, random.random, give_up_seconds, streams=streams)


def timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_SECONDS)


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, body
    )


def failure_of(error: Exception) -> Failure:
    """In words without the request, which has the key in its headers."""
    if isinstance(error, httpx.TimeoutException):
        return Failure("no answer in time")
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        return Failure("the answer broke off")
    return Failure(str(error) or type(error).__name__)


def latest_of(changes: Iterable[Change]) -> list[Change]:
    """Each schedule once, with its latest change."""
    return list({(change.sid, change.date): change for change in changes}.values())
