"""Where partners and their usage are kept.

Belongs here: what the store of partners promises, and the lines that usage is counted in.
Does not belong here: what a partner is (``domain.partners``), and letting a request in (``delivery.admission``).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from schedules_pipeline.partners.partner import Partner

NOBODY: Final = "(none)"
"""Stands for the partner where a request came without a valid key; no partner can have this name."""

TOO_MANY: Final = "429"
"""The status of what was refused for a limit, and is no part of what a partner has used."""

USAGE_KEPT_DAYS: Final = 35


class UsageKind(StrEnum):
    """``REQUESTS`` by route and status. ``BYTES`` of answers. ``PROBLEMS`` by the problem's name."""

    REQUESTS = "requests"
    BYTES = "bytes"
    PROBLEMS = "problems"


class UsageLine(NamedTuple):
    """What a number is a count of. No part has a space in it; ``route`` and ``detail`` are "" where there is none.

    ``detail``: of requests the status, of problems the name.
    """

    partner: str
    kind: UsageKind
    route: str = ""
    detail: str = ""


UsageCounts = Mapping[UsageLine, int]


def requests_used(counts: UsageCounts) -> dict[str, int]:
    """By partner, the requests that count towards its limit of a day: all but those that were refused for one."""
    used: Counter[str] = Counter()
    for line, count in counts.items():
        if line.kind is UsageKind.REQUESTS and line.detail != TOO_MANY:
            used[line.partner] += count
    return dict(used)


class PartnerStore(Protocol):
    def all(self) -> list[Partner]:
        """Every partner, by name; those whose record does not read back are left out: one damaged record must not
        hold up what concerns all others.
        """

    def unreadable(self) -> list[str]:
        """Names of partners whose record does not read back, sorted."""

    def was_ever_used(self) -> bool:
        """Whether anybody has ever been entered here. Where nobody is known and this is False, the store was lost."""

    def one(self, name: str) -> Partner | None:
        """None where there is no such partner; :class:`InvalidRecord` where its record does not read back."""

    def create(self, partner: Partner) -> bool:
        """Enter a new partner; False where the name is taken. Entering the very same again is True."""

    def change(self, before: Partner, after: Partner) -> bool:
        """Put ``after`` in the place of ``before``, of the same name, in one atomic step.

        False where the partner is no longer as it was before, or is gone: somebody else was first. Where it is
        as it shall be already it is True: the first reply may have been lost.
        """

    def remove(self, name: str) -> bool:
        """Remove a partner whatever its record says, and its totals; False where there is none.

        The usage of past days stays until it expires.
        """

    def add_usage(self, day: date, counts: UsageCounts) -> None:
        """Count up, in the day and in the totals. What is repeated after a lost reply may count twice."""

    def usage(self, day: date) -> dict[UsageLine, int]:
        """What was counted for a day in UTC, for :data:`USAGE_KEPT_DAYS` days from the last count on."""

    def usage_totals(self) -> dict[UsageLine, int]:
        """What was counted since the keyspace began, or since the partner was entered."""
