"""Keeping refused input aside, with enough to look into it and nothing that grows without bound."""

import hashlib
from datetime import datetime

from schedules_pipeline.errors import ContentError
from schedules_pipeline.publishing.ports.rejections import Rejection

_EXCERPT_CHARACTERS = 2_000


def rejection(
    error: ContentError, content: bytes, now: datetime, put_id: str = "", digest: str = ""
) -> Rejection:
    """The record of a refusal; ``digest`` where the caller has a better one than the bytes' own.

    Of a document that was refused for its size ``content`` is only the beginning.
    """
    return Rejection(
        reason=str(error),
        refused_at=now,
        digest=digest or hashlib.sha256(content).hexdigest(),
        put_id=put_id,
        excerpt=content[:_EXCERPT_CHARACTERS].decode(errors="replace"),
    )
