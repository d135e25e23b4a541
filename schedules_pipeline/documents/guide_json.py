"""Guides as JSON, where a partner's days are not broadcast days; those are served as they were published.

An object with the list ``guides``; times in UTC, whole seconds but for ``published_at``, which is spelled as in the
published documents.
"""

from typing import Final

from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.domain.service_guide import ServiceGuide

START: Final = b'{"guides":['
BETWEEN: Final = b","
END: Final = b"]}"


def render_guide(guide: ServiceGuide) -> bytes:
    """One of the list, which stands between :data:`START` and :data:`END`."""
    published_at = f"{guide.published_at:%Y-%m-%dT%H:%M:%S.%fZ}" if guide.published_at else None
    return render_json(
        {
            "sid": guide.sid,
            "name": guide.name,
            "start": guide.window.start,
            "end": guide.window.end,
            "version": guide.version,
            "published_at": published_at,
            "broadcasts": [broadcast_fields(broadcast) for broadcast in guide.broadcasts],
        }
    )
