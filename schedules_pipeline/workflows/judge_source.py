"""Decides whether a fetched schedule document may replace what partners see. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.findings import has_shrunk
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.formats.accepted_schedule import AcceptedSchedule, accept
from schedules_pipeline.formats.source_document import parse_source_document
from schedules_pipeline.ports.journal import Refusal
from schedules_pipeline.ports.upstream import SourceObject
from schedules_pipeline.workflows.refusals import refusal


@dataclass(frozen=True, slots=True)
class Accepted:
    schedule: AcceptedSchedule


@dataclass(frozen=True, slots=True)
class Removed:
    """The source has no document (any more)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changes for partners; the refusal is kept aside."""

    refusal: Refusal


Judgement = Accepted | Removed | Refused


def judge_source(
    key: ScheduleKey,
    found: SourceObject | None,
    held_broadcasts: int,
    earlier: Refusal | None,
    smallest_share: float,
    now: datetime,
) -> Judgement:
    """Judge one document against the number of broadcasts that it would replace.

    One that is empty, or has fewer than ``smallest_share`` of them, is refused until the source puts the
    same broadcasts again; the same put seen twice confirms nothing.
    """
    if found is None:
        return Removed()
    try:
        schedule = accept(parse_source_document(key, found.content))
    except InvalidDocument as error:
        return Refused(refusal(error, found.content, now, found.put_id))
    if not has_shrunk(len(schedule.slots), held_broadcasts, smallest_share):
        return Accepted(schedule)
    digest = _digest(schedule)
    if earlier is not None and earlier.digest == digest and earlier.put_id != found.put_id:
        return Accepted(schedule)
    complaint = InvalidDocument(
        f"schedule {key}: {len(schedule.slots)} broadcasts would replace {held_broadcasts}; "
        "put the same document again to confirm it"
    )
    return Refused(refusal(complaint, found.content, now, found.put_id, digest))


def _digest(schedule: AcceptedSchedule) -> str:
    """Of the broadcasts alone: a source that repeats itself may well do so under a new time.

    Named for what it is of, or a refused object of no bytes would confirm a document of no broadcasts.
    """
    return "broadcasts:" + hashlib.sha256(b"\n".join(schedule.slots)).hexdigest()
