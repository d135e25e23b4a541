"""Paths of the delivery service, as the feed and webhooks name them."""

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey

DIGEST = "/v1/digest"


def schedule_address(key: ScheduleKey) -> str:
    return f"/v1/schedules/{key}"


def version_address(change: Change) -> str:
    """The path of this version, or of a later one."""
    return f"{schedule_address(change.key)}?min_seq={change.seq}"
