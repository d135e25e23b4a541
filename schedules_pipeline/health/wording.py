"""Phrases of summaries and evidence: counts, durations, instants, and the first few examples. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.condition import Details

EXAMPLES = 5
_EXAMPLE_CHARACTERS = 200


def examples(reasons: Mapping[str, str]) -> Details:
    """The first few by name, so that two checks of the same facts agree."""
    return {example(name): example(reasons[name]) for name in sorted(reasons)[:EXAMPLES]}


def example(text: str) -> str:
    return shorten(printable(text), _EXAMPLE_CHARACTERS)


def instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def count(amount: int, what: str) -> str:
    return f"{amount:,} {what}" if amount == 1 else f"{amount:,} {what}s"


def duration(length: timedelta) -> str:
    """In the largest unit of which there are two or more, rounded down."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
