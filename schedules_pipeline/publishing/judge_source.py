"""Decides whether a fetched schedule document may replace the accepted one. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, accept
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.findings import has_shrunk
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports.rejections import Rejection, rejection
from schedules_pipeline.publishing.ports.upstream import SourceObject


@dataclass(frozen=True, slots=True)
class Accepted:
    schedule: AcceptedSchedule


@dataclass(frozen=True, slots=True)
class Removed:
    """The source has no document."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Partners keep the last good version."""

    rejection: Rejection


_OF_BROADCASTS = "broadcasts:"

Judgement = Accepted | Removed | Rejected


def judge_source(
    key: ScheduleKey,
    found: SourceObject | None,
    held_broadcasts: int,
    earlier: Rejection | None,
    policy: PublishingPolicy,
    now: datetime,
) -> Judgement:
    """Judge a document against the number of broadcasts that it would replace.

    An empty document, or one with less than the policy's smallest share of them, is rejected until the source puts
    the same broadcasts again or an operator confirms them. Reading the same put twice confirms nothing.
    """
    if found is None:
        return Removed()
    try:
        schedule = accept(parse_source_document(key, _whole_content(key, found)))
    except InvalidDocument as error:
        return Rejected(rejection(error, found.content, now, found.put_id))
    if not has_shrunk(len(schedule.slots), held_broadcasts, policy.smallest_share):
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
    """Whether the document is valid, and was rejected only because it has too few broadcasts."""
    return rejection.digest.startswith(_OF_BROADCASTS)


def _confirms(earlier: Rejection, digest: str, put_id: str) -> bool:
    """Whether another put has had the same broadcasts, or an operator has confirmed them."""
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
    """The digest of the broadcasts alone, because a source may repeat a document with a new time.

    The prefix keeps it apart from the digest of an invalid document: a rejected object without bytes must not confirm
    a document without broadcasts.
    """
    return _OF_BROADCASTS + hashlib.sha256(b"\n".join(schedule.slots)).hexdigest()
