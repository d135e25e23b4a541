"""The memory that a keyspace needs in Redis, by its services, days, changes and partners.

``python -m benchmarks sizing`` measures the constants; docs/operators/sizing.md explains them.
"""

from dataclasses import dataclass

from schedules_pipeline.publishing.ports.feed import MOST_ROWS
from schedules_pipeline.publishing.ports.rejections import MOST_REJECTIONS

ITEMS_OF_A_SCHEDULE = 6
"""Different episodes, series and brands for each schedule, where nothing else is known."""


@dataclass(frozen=True, slots=True)
class Constants:
    """Bytes. ``base``: scripts, buffers and an almost empty keyspace. ``schedule``: document, accepted source, state,
    latest row, and index entries. ``item``: the copy of a catalogue item, with its version token.
    ``version``: a replaced version with its row in the history. ``row``: of the change feed. ``partner``: its record,
    and its usage on twelve routes for as many days as are kept. ``rejection``: at its largest.
    """

    base: int
    schedule: int
    item: int
    version: int
    row: int
    partner: int
    rejection: int = 2_200


CONSTANTS = Constants(base=900_000, schedule=10_500, item=600, version=130, row=440, partner=31_000)


@dataclass(frozen=True, slots=True)
class Installation:
    """``days``: of schedules, past and to come. ``items``: different episodes, series and brands in them.
    ``changes``: of one schedule in a day, on average.
    """

    services: int
    days: int
    items: int
    changes: float
    partners: int
    versions_kept: int = 50
    versions_kept_days: float = 3
    feed_kept_days: float = 8

    @property
    def schedules(self) -> int:
        return self.services * self.days

    @property
    def versions(self) -> float:
        return self.schedules * min(self.versions_kept, self.changes * self.versions_kept_days)

    @property
    def rows(self) -> float:
        return min(MOST_ROWS, self.schedules * self.changes * self.feed_kept_days)


def estimate(of: Installation, constants: Constants = CONSTANTS, rejections: int = MOST_REJECTIONS) -> float:
    """The bytes of the keyspace."""
    return (
        constants.base
        + of.schedules * constants.schedule
        + of.items * constants.item
        + of.versions * constants.version
        + of.rows * constants.row
        + of.partners * constants.partner
        + rejections * constants.rejection
    )
