"""What an installation may choose about publishing."""

from dataclasses import dataclass, field
from datetime import timedelta

from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon


@dataclass(frozen=True, slots=True)
class LossPolicy:
    """Which losses of airtime are held.

    ``smallest_share``: a document that covers a smaller share of the airtime to come than the schedule did lately.
    ``largest_quarantined_share``: one with a greater share of unusable broadcasts. ``confirm_after``: how much later
    another put of similar coverage confirms a document. ``whole_hours``, ``service_hours``: the airtime that may be
    lost within an hour, by all services together and by each. ``tolerated``: a smaller loss of one document is never
    held for its share.
    """

    smallest_share: float = 0.7
    largest_quarantined_share: float = 0.25
    confirm_after: timedelta = timedelta(minutes=10)
    whole_hours: float = 36
    service_hours: float = 30
    tolerated: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class PublishingPolicy:
    """``maximum_catalogue_bytes``: a larger catalogue document is rejected. ``horizon``: a schedule past it counts
    as removed from its source.
    """

    losses: LossPolicy = field(default_factory=LossPolicy)
    maximum_catalogue_bytes: int = 1_000_000
    horizon: RetentionHorizon = KEEPS_EVERYTHING
