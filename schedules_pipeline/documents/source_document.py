"""The schedule documents that the external system writes to S3: parsing and judging, never writing.

One bad broadcast does not cost its day. What has one obvious reading is mended; a broadcast that has none is
quarantined, and the others are accepted.

Format: ``{"sid", "date", "published_at", "broadcasts": [...]}`` in JSON; unknown fields are ignored.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from schedules_pipeline.documents.validation import require_finite, summarise
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, is_pid, parse_date
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.domain.schedule import (
    QuarantinedBroadcast,
    Slot,
    SourceDocument,
    SourceSchedule,
    in_order,
)
from schedules_pipeline.errors import InvalidDocument

MAXIMUM_BROADCASTS = 2_000
"""More than one a minute for a radio day, far above any real schedule. It bounds the work of one build."""

LONGEST_BROADCAST = timedelta(hours=30)
"""A radio day, the longest broadcast day. A longer broadcast would hide a whole day of its service."""

_MOST_TOLD = 50

_PidField = Annotated[str, AfterValidator(Pid)]
_OptionalPid = Annotated[str | None, AfterValidator(lambda text: Pid(text) if text else None)]
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt _]24:00(?::00(?:\.0+)?)?(?=[Zz+-])")


def _written_out(instant: object) -> object:
    """Reject a number, also as a text: pydantic would guess seconds or milliseconds."""
    if not isinstance(instant, str) or instant[4:5] != "-":
        raise PydanticCustomError("instant", "Input should be a valid datetime, written as a text")
    return instant


def _utc(instant: datetime) -> datetime:
    """Whole seconds: no output shows fractions, so a changed fraction would publish an equal document."""
    try:
        return instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ValueError("beyond the years 1 to 9999 in UTC") from error


# A strict field would reject every text that a validator has read before.
_Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written_out), AfterValidator(_utc)]


class _BroadcastModel(BaseModel):
    # Strict, since pydantic would read "no" as a boolean. A null flag is false.
    model_config = ConfigDict(extra="ignore", strict=True)

    broadcast_pid: _PidField
    episode_pid: _OptionalPid = None
    version_pid: _OptionalPid = None
    start: _Instant
    end: _Instant
    is_repeat: bool | None = False
    is_blanked: bool | None = False
    is_signed: bool | None = False
    is_audio_described: bool | None = False

    @model_validator(mode="after")
    def _has_a_sensible_length(self) -> "_BroadcastModel":
        if self.end <= self.start:
            raise ValueError(f"broadcast {self.broadcast_pid} ends at or before its start")
        if self.end - self.start > LONGEST_BROADCAST:
            raise ValueError(f"broadcast {self.broadcast_pid} is longer than a broadcast day")
        return self


_FLAG: TypeAdapter[Any] = TypeAdapter(bool | None)
_OPTIONAL: dict[str, TypeAdapter[Any]] = {
    "version_pid": TypeAdapter(_OptionalPid),
    "is_repeat": _FLAG,
    "is_signed": _FLAG,
    "is_audio_described": _FLAG,
}
"""The fields whose loss changes little: an unusable one is left out. Not ``is_blanked``, a matter of rights, and not
``episode_pid``, without which the broadcast is empty.
"""


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    sid: str
    date: str
    published_at: _Instant


class _ScheduleModel(_Envelope):
    broadcasts: list[_BroadcastModel] = Field(max_length=MAXIMUM_BROADCASTS)


class _UnjudgedModel(_Envelope):
    broadcasts: list[Any] = Field(max_length=MAXIMUM_BROADCASTS)


def parse_source_document(key: ScheduleKey, content: bytes) -> SourceDocument:
    """Read the document that was found under ``key``, broadcast by broadcast.

    Raises :class:`InvalidDocument` if it does not parse, its head or its list of broadcasts is unusable, or it is of
    another service or day than its key.
    """
    try:
        require_finite(content)
    except ValueError as error:
        raise InvalidDocument(f"schedule {key}: {error}") from None
    # A sound document, which nearly all are, takes one call.
    with suppress(ValidationError):
        sound = _ScheduleModel.model_validate_json(content)
        if len({broadcast.broadcast_pid for broadcast in sound.broadcasts}) == len(sound.broadcasts):
            _require_key(key, sound)
            slots = in_order(map(_slot, sound.broadcasts))
            return SourceDocument(SourceSchedule(key, sound.published_at, slots))
    try:
        unjudged = _UnjudgedModel.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"schedule {key}: {summarise(error)}") from error
    _require_key(key, unjudged)
    return _judge(key, unjudged)


def _require_key(key: ScheduleKey, model: _Envelope) -> None:
    if _named_key(model.sid, model.date) != key:
        claimed = f"{model.sid}/{model.date}"[:100]
        raise InvalidDocument(f"schedule {key}: the document says that it is {claimed!r}")


def _named_key(sid: str, day: str) -> ScheduleKey | None:
    try:
        return ScheduleKey(Sid(sid), parse_date(day))
    except ValueError:
        return None


# Broadcast by broadcast


def _judge(key: ScheduleKey, unjudged: _UnjudgedModel) -> SourceDocument:
    """Judge each broadcast with its repetitions, so that no broadcast has a say in another."""
    listed: dict[str, list[_Listing]] = defaultdict(list)
    for number, raw in enumerate(unjudged.broadcasts, start=1):
        pid = _named_pid(raw)
        listed[pid or str(number)].append(_read_listing(raw, number, pid))
    slots: list[Slot] = []
    quarantined: list[QuarantinedBroadcast] = []
    mended: list[str] = []
    for listings in listed.values():
        match _unite(listings):
            case QuarantinedBroadcast() as unusable:
                quarantined.append(unusable)
            case slot:
                slots.append(slot)
                mended += [sentence for listing in listings for sentence in listing.mended]
                if len(listings) > 1:
                    mended.append(
                        f"broadcast {slot.broadcast_pid} is listed {len(listings)} times, always the same"
                    )
    schedule = SourceSchedule(key, unjudged.published_at, in_order(slots))
    return SourceDocument(schedule, tuple(quarantined), tuple(mended[:_MOST_TOLD]))


@dataclass(frozen=True, slots=True)
class _Listing:
    """One element of the list of broadcasts: its slot, or why it has none."""

    slot: Slot | QuarantinedBroadcast
    mended: Sequence[str] = ()


def _read_listing(raw: Any, number: int, pid: str) -> _Listing:
    repaired, mended = _repair(raw, number)
    try:
        return _Listing(_slot(_BroadcastModel.model_validate_json(to_json(repaired))), mended)
    except ValidationError as error:
        reason = f"broadcast {number}: {summarise(error)}"
        return _Listing(QuarantinedBroadcast(pid, reason, _may_be_blanked(raw)))


def _unite(listings: Sequence[_Listing]) -> Slot | QuarantinedBroadcast:
    """What all listings of one broadcast say. If they differ, none is certain."""
    first = listings[0].slot
    if len(listings) == 1 or all(listing.slot == first for listing in listings):
        return first
    is_blanked = any(listing.slot.is_blanked for listing in listings)
    unusable = [each.slot for each in listings if isinstance(each.slot, QuarantinedBroadcast)]
    if len(unusable) == len(listings):
        return replace(unusable[0], is_blanked=is_blanked)
    reasons = [f"broadcast {first.broadcast_pid} is listed {len(listings)} times, and differs"]
    reasons += [each.reason for each in unusable[:1]]
    return QuarantinedBroadcast(first.broadcast_pid, "; ".join(reasons), is_blanked)


def _repair(raw: Any, number: int) -> tuple[Any, list[str]]:
    """The broadcast as it can only be meant, and what was put right."""
    if not isinstance(raw, dict):
        return raw, []
    repaired, told = dict(raw), []
    for name, adapter in _OPTIONAL.items():
        try:
            adapter.validate_python(repaired.get(name), strict=True)
        except ValidationError:
            told.append(f"broadcast {number}: {name} is left out: {shorten(repr(repaired.pop(name)))}")
    for name in ("start", "end"):
        text = repaired.get(name)
        if isinstance(text, str) and _MIDNIGHT.match(text):
            repaired[name] = _MIDNIGHT.sub(_next_midnight, text)
            told.append(f"broadcast {number}: {name} at 24:00 is midnight of the next day")
    return repaired, told


def _next_midnight(match: re.Match[str]) -> str:
    try:
        return f"{date.fromisoformat(match[1]) + timedelta(days=1)}T00:00:00"
    except (ValueError, OverflowError):
        return match[0]


def _named_pid(raw: Any) -> str:
    """The pid in lower case as far as it can be read, else "": a last good slot may have it."""
    named = raw.get("broadcast_pid") if isinstance(raw, dict) else None
    return named.lower() if isinstance(named, str) and is_pid(named.lower()) else ""


def _may_be_blanked(raw: Any) -> bool:
    """Also where the flag cannot be read, because blanking may be a matter of rights."""
    flag = raw.get("is_blanked") if isinstance(raw, dict) else None
    return flag is not None and flag is not False


def _slot(model: _BroadcastModel) -> Slot:
    """The model's validators have made its pids."""
    is_blanked = bool(model.is_blanked)
    return Slot(
        broadcast_pid=cast("Pid", model.broadcast_pid),
        version_pid=None if is_blanked else cast("Pid | None", model.version_pid),
        start=model.start,
        end=model.end,
        duration_seconds=int((model.end - model.start).total_seconds()),
        is_repeat=bool(model.is_repeat),
        is_blanked=is_blanked,
        is_signed=bool(model.is_signed),
        is_audio_described=bool(model.is_audio_described),
        episode_pid=None if is_blanked else cast("Pid | None", model.episode_pid),
    )
