"""What of the interface will go, and when: the one place where a route or a parameter is marked as deprecated.

From here follow the header fields of its answers, its mark in OpenAPI and ``/docs``, the table in the reference, and
the counts of the partners that still use it (ADR 46).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qsl

NOTICE: Final = timedelta(days=180)
"""What is documented works for so long after it is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """``route``: the path with its variables, as in OpenAPI. ``parameter``: of its query; "" for the whole route.
    ``since``, ``until``: from this day on it is deprecated, and may be gone. ``instead``: what to use, one sentence.

    Raises ``ValueError`` if that is earlier than :data:`NOTICE` allows.
    """

    route: str
    parameter: str = ""
    since: date
    until: date
    instead: str

    def __post_init__(self) -> None:
        if self.until - self.since < NOTICE:
            raise ValueError(f"{self.route}: partners need {NOTICE.days} days, until {self.since + NOTICE}")

    @property
    def note(self) -> str:
        return f"Deprecated since {self.since}; may be gone from {self.until} on. {self.instead}"


DEPRECATIONS: Final[Sequence[Deprecation]] = ()


def applying(of_route: Sequence[Deprecation], query: bytes) -> list[Deprecation]:
    """Those that a request uses. ``of_route``: those of its route."""
    if not of_route:
        return []
    given = {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    return [each for each in of_route if not each.parameter or each.parameter in given]


def fields_of(used: Sequence[Deprecation]) -> dict[str, str]:
    """``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and a link; of several the earliest dates."""
    if not used:
        return {}
    return {
        "Deprecation": f"@{int(_midnight(min(each.since for each in used)).timestamp())}",
        "Sunset": format_datetime(_midnight(min(each.until for each in used)), usegmt=True),
        "Link": '</docs#deprecated>; rel="deprecation"; type="text/html"',
    }


def deprecations_table() -> Iterator[str]:
    """For the reference."""
    if not DEPRECATIONS:
        yield "Nothing is deprecated at present."
        return
    yield from ("| deprecated | since | until | instead |", "|---|---|---|---|")
    for each in DEPRECATIONS:
        what = f"`{each.parameter}` of `{each.route}`" if each.parameter else f"`{each.route}`"
        yield f"| {what} | {each.since} | {each.until} | {each.instead} |"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
