"""Rejected input: the latest rejection of every subject."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import is_pid
from schedules_pipeline.errors import ContentError

MOST_REJECTIONS = 1_000
"""Rejections of messages and catalogue items that are kept. Those of schedules are bounded by the schedules."""

_REASON_BYTES, _EXCERPT_BYTES = 400, 1_400
"""As JSON. With the other members a rejection takes at most 2,000 bytes, and all of them 2 MB."""


class RejectedKind(StrEnum):
    """What was rejected."""

    MESSAGE = "message"
    ITEM = "item"
    SCHEDULE = "schedule"

    @classmethod
    def of(cls, subject: str) -> "RejectedKind":
        if "/" in subject:
            return cls.SCHEDULE
        return cls.ITEM if is_pid(subject) else cls.MESSAGE


@dataclass(frozen=True, slots=True)
class Rejection:
    """``digest`` and ``put_id`` identify the document; ``excerpt`` is its beginning."""

    reason: str
    refused_at: datetime
    digest: str
    put_id: str
    excerpt: str


def rejection(error: ContentError, content: bytes, now: datetime, put_id: str = "") -> Rejection:
    """The rejection of this content. Its texts are cut, so that the size of a rejection is bounded."""
    return Rejection(
        reason=_beginning(str(error), _REASON_BYTES),
        refused_at=now,
        digest=hashlib.sha256(content).hexdigest(),
        put_id=put_id,
        excerpt=_beginning(content[:_EXCERPT_BYTES].decode(errors="replace"), _EXCERPT_BYTES),
    )


def _beginning(text: str, most_bytes: int) -> str:
    """The longest beginning found that takes at most so many bytes as JSON."""
    cut = text[:most_bytes]
    while (size := len(json.dumps(cut, ensure_ascii=False).encode(errors="replace"))) > most_bytes:
        cut = cut[: len(cut) * most_bytes // size]
    return cut


@dataclass(frozen=True, slots=True)
class RejectionSummary:
    """``counts``: of every kind. ``latest``: a few, schedules first, then items, each latest first."""

    counts: Mapping[RejectedKind, int]
    latest: Mapping[str, Rejection]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


NOTHING_REJECTED = RejectionSummary({}, {})


class RejectionStore(Protocol):
    """A subject is a schedule key, a pid, or a message id.

    Of messages and items together, the latest :data:`MOST_REJECTIONS` are kept, and messages are evicted first.
    Evictions are counted (:class:`~schedules_pipeline.publishing.ports.counters.Counter`).
    """

    def keep(self, rejections: Mapping[str, Rejection]) -> None: ...

    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]: ...

    def forget(self, subjects: Sequence[str]) -> None:
        """Acceptable input has replaced the rejected input."""

    def summary(self, examples: int) -> RejectionSummary:
        """Counts, and at most ``examples`` rejections: what a reader that asks often may read."""

    def times(self) -> dict[str, datetime]:
        """When each subject was rejected, without the rejections."""

    def all(self) -> dict[str, Rejection]: ...
