"""Rejected input: the latest rejection of every subject."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schedules_pipeline.errors import ContentError

_EXCERPT_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """``digest`` and ``put_id`` identify the document; ``excerpt`` is its beginning."""

    reason: str
    refused_at: datetime
    digest: str
    put_id: str
    excerpt: str


def rejection(error: ContentError, content: bytes, now: datetime, put_id: str = "") -> Rejection:
    """The rejection of this content."""
    return Rejection(
        reason=str(error),
        refused_at=now,
        digest=hashlib.sha256(content).hexdigest(),
        put_id=put_id,
        excerpt=content[:_EXCERPT_CHARACTERS].decode(errors="replace"),
    )


class RejectionStore(Protocol):
    """A subject is a schedule key, a pid, or a message id."""

    def keep(self, rejections: Mapping[str, Rejection]) -> None: ...

    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]: ...

    def forget(self, subjects: Sequence[str]) -> None:
        """Acceptable input has replaced the rejected input."""

    def count(self) -> int:
        """The number of subjects with a rejection."""

    def all(self) -> dict[str, Rejection]: ...
