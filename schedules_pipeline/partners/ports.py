"""The store of partners, and the lines in which their usage is counted."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from schedules_pipeline.partners.partner import Partner

NOBODY: Final = "(none)"
"""The partner of requests without a valid key; no partner can have this name."""

TOO_MANY: Final = "429"
"""The status of requests beyond a limit, which do not count as usage."""

USAGE_KEPT_DAYS: Final = 35


class UsageKind(StrEnum):
    """``REQUESTS`` by route and status. ``BYTES`` of answers. ``PROBLEMS`` by the problem's name. ``DEPRECATED``:
    requests of what will go, by route and parameter.
    """

    REQUESTS = "requests"
    BYTES = "bytes"
    PROBLEMS = "problems"
    DEPRECATED = "deprecated"


class UsageLine(NamedTuple):
    """The subject of a count. No part contains a space; ``route`` and ``detail`` may be "".

    ``detail``: of requests the status, of problems the name, of deprecated ones the parameter or "".
    """

    partner: str
    kind: UsageKind
    route: str = ""
    detail: str = ""


UsageCounts = Mapping[UsageLine, int]


def requests_used(counts: UsageCounts) -> dict[str, int]:
    """By partner, the requests that count towards its daily limit: all except those rejected for a limit."""
    used: Counter[str] = Counter()
    for line, count in counts.items():
        if line.kind is UsageKind.REQUESTS and line.detail != TOO_MANY:
            used[line.partner] += count
    return dict(used)


class PartnerStore(Protocol):
    def all(self) -> list[Partner]:
        """Every partner, by name, except those whose record cannot be decoded: one damaged record must not affect
        other partners.
        """

    def unreadable(self) -> list[str]:
        """Names of partners whose record cannot be decoded, sorted."""

    def was_ever_used(self) -> bool:
        """Whether a partner was ever created here. An empty directory with False means that the store was lost."""

    def one(self, name: str) -> Partner | None:
        """None if there is no such partner. Raises :class:`InvalidRecord` if its record cannot be decoded."""

    def create(self, partner: Partner) -> bool:
        """Create a partner. False if the name is taken; True if exactly this partner exists already."""

    def change(self, before: Partner, after: Partner) -> bool:
        """Put ``after`` in the place of ``before``, of the same name, in one atomic step.

        False if the stored partner differs from ``before``, or is gone. True if it equals ``after`` already, because
        the reply to the first attempt may have been lost.
        """

    def remove(self, name: str) -> bool:
        """Remove a partner and its totals, even if its record cannot be decoded; False if there is none.

        The usage of past days stays until it expires.
        """

    def add_usage(self, day: date, counts: UsageCounts) -> None:
        """Add counts to the day and to the totals. A call repeated after a lost reply may count twice."""

    def usage(self, day: date) -> dict[UsageLine, int]:
        """The counts of a day in UTC; kept for :data:`USAGE_KEPT_DAYS` days after the last count."""

    def usage_totals(self) -> dict[UsageLine, int]:
        """The counts since the keyspace began, or since the partner was created."""
