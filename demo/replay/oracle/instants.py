"""Instants of documents as seconds since 1970."""

from datetime import datetime
from functools import lru_cache


@lru_cache(1 << 16)
def seconds_of(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
