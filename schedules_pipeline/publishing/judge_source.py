"""Decides whether a fetched schedule document may replace what partners see. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, accept
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.findings import has_shrunk
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.rejections import rejection


@dataclass(frozen=True, slots=True)
class Accepted:
    schedule: AcceptedSchedule


@dataclass(frozen=True, slots=True)
class Removed:
    """The source has no document (any more)."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing changes for partners; the refusal is kept aside."""

    rejection: Rejection


_OF_BROADCASTS = "broadcasts:"

Judgement = Accepted | Removed | Rejected


def judge_source(
    key: ScheduleKey,
    found: SourceObject | None,
    held_broadcasts: int,
    earlier: Rejection | None,
    smallest_share: float,
    now: datetime,
) -> Judgement:
    """Judge one document against the number of broadcasts that it would replace.

    One that is empty, or has fewer than ``smallest_share`` of them, is refused until the source puts the
    same broadcasts again, or an operator has confirmed them; the same put seen twice confirms nothing.
    """
    if found is None:
        return Removed()
    try:
        schedule = accept(parse_source_document(key, _whole_content(key, found)))
    except InvalidDocument as error:
        return Rejected(rejection(error, found.content, now, found.put_id))
    if not has_shrunk(len(schedule.slots), held_broadcasts, smallest_share):
        return Accepted(schedule)
    digest = _digest(schedule)
    if earlier is not None and _confirms(earlier, digest, found.put_id):
        return Accepted(schedule)
    complaint = InvalidDocument(
        f"schedule {key}: {len(schedule.slots)} broadcasts would replace {held_broadcasts}; "
        "put the same document again to confirm it"
    )
    return Rejected(rejection(complaint, found.content, now, found.put_id, digest))


def can_be_confirmed(rejection: Rejection) -> bool:
    """Whether it was refused for being shrunken alone, and not because it is invalid."""
    return rejection.digest.startswith(_OF_BROADCASTS)


def _confirms(earlier: Rejection, digest: str, put_id: str) -> bool:
    """Whether these very broadcasts were put before, by another put, or confirmed by an operator."""
    return earlier.confirmed_digest == digest or (earlier.digest == digest and earlier.put_id != put_id)


def _whole_content(key: ScheduleKey, found: SourceObject) -> bytes:
    if found.unread_bytes:
        size = len(found.content) + found.unread_bytes
        raise InvalidDocument(
            f"schedule {key}: {size:,} bytes are more than a document may have "
            "(the setting SCHEDULES_MAXIMUM_SCHEDULE_BYTES)"
        )
    return found.content


def _digest(schedule: AcceptedSchedule) -> str:
    """Of the broadcasts alone: a source that repeats itself may well do so under a new time.

    Named for what it is of, or a refused object of no bytes would confirm a document of no broadcasts.
    """
    return _OF_BROADCASTS + hashlib.sha256(b"\n".join(schedule.slots)).hexdigest()
