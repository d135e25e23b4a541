"""``Link`` header fields (RFC 8288) with registered relations, and the fields that tell the version of an answer."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.documents.guide_formats import GuideFormat

DESCRIPTIONS: Final = (
    '</openapi.json>; rel="service-desc"; type="application/json", '
    '</docs>; rel="service-doc"; type="text/html", </v1/status>; rel="status"; type="application/json"'
)


Query = Sequence[tuple[str, str]]


def next_page(path: str, query: Query, **changed: str) -> str:
    """The link to the same question with other values of these parameters."""
    kept = [(name, value) for name, value in query if name not in changed]
    return f'<{path}?{urlencode([*kept, *changed.items()])}>; rel="next"'


def alternates(path: str, query: Query, formats: Sequence[GuideFormat], chosen: str) -> str:
    """The links from one format of a resource to its others. ``path`` has no format's name in it.

    Leaves out formats that have days of their own, and so other broadcasts.
    """
    asked = f"?{urlencode(query)}" if query else ""
    return ", ".join(
        f'<{path}.{each.name}{asked}>; rel="alternate"; type="{each.media_type}"; title="{each.name}"'
        for each in formats
        if each.name != chosen and not each.is_of_utc_days
    )


def version_fields(held: MirroredSchedule) -> dict[str, str]:
    """Of an answer that is one schedule, in any format: ``seq``, ``etag`` and ``published_at`` of its document."""
    return {
        "Schedules-Seq": str(held.seq),
        "Schedules-Etag": held.etag,
        "Schedules-Published-At": f"{held.published_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
