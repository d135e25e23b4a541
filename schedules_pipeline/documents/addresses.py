"""Paths of the delivery service, as the feed and webhooks name them."""

from schedules_pipeline.domain.changes import Change

DIGEST = "/v1/digest"


def version_address(change: Change) -> str:
    """The path of this version, or of a later one."""
    return f"/v1/schedules/{change.key}?min_seq={change.seq}"
