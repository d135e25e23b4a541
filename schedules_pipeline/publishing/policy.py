"""What an installation may choose about publishing."""

from dataclasses import dataclass

from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon


@dataclass(frozen=True, slots=True)
class PublishingPolicy:
    """``smallest_share``: a document with a smaller share of the broadcasts that it replaces needs confirmation.
    ``maximum_catalogue_bytes``: a larger catalogue document is rejected. ``horizon``: a schedule past it counts
    as removed from its source.
    """

    smallest_share: float = 0.5
    maximum_catalogue_bytes: int = 1_000_000
    horizon: RetentionHorizon = KEEPS_EVERYTHING
