"""Guides as JSON, where a partner's days are not broadcast days; those are served as they were published."""

from collections.abc import Sequence
from typing import Any

from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.domain.service_guide import ServiceGuide


def render_guides(guides: Sequence[ServiceGuide]) -> bytes:
    """An object with the list ``guides``; times in UTC, whole seconds but for ``published_at``, which is
    spelled as in the published documents.
    """
    return render_json({"guides": [_guide(guide) for guide in guides]})


def _guide(guide: ServiceGuide) -> dict[str, Any]:
    published_at = f"{guide.published_at:%Y-%m-%dT%H:%M:%S.%fZ}" if guide.published_at else None
    return {
        "sid": guide.sid,
        "name": guide.name,
        "start": guide.window.start,
        "end": guide.window.end,
        "version": guide.version,
        "published_at": published_at,
        "broadcasts": [broadcast_fields(broadcast) for broadcast in guide.broadcasts],
    }
