"""Where partners read what they are told of, as the feed and webhooks name it: below the address of the service."""

from schedules_pipeline.domain.changes import Change

DIGEST = "/v1/digest"


def version_address(change: Change) -> str:
    """Where this version can be read, or a later one."""
    return f"/v1/schedules/{change.key}?min_seq={change.seq}"
