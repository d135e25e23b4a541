"""The schedule documents that the external system writes to S3: parsing and rejecting, never writing.

Format: ``{"sid", "date", "published_at", "broadcasts": [...]}`` in JSON; unknown fields are ignored.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schedules_pipeline.documents.validation import summarise
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.domain.schedule import Slot, SourceDocument, SourceSchedule, in_order
from schedules_pipeline.errors import InvalidDocument

MAXIMUM_BROADCASTS = 2_000
"""More than one a minute for a radio day, far above any real schedule. It bounds the work of one build."""

_PidField = Annotated[str, AfterValidator(Pid)]
_OptionalPid = Annotated[str | None, AfterValidator(lambda text: Pid(text) if text else None)]


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
    # Strict, since pydantic would read "no" as a boolean.
    model_config = ConfigDict(extra="ignore", strict=True)

    broadcast_pid: _PidField
    episode_pid: _OptionalPid = None
    version_pid: _OptionalPid = None
    start: _Instant
    end: _Instant
    is_repeat: bool = False
    is_blanked: bool = False
    is_signed: bool = False
    is_audio_described: bool = False

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "_BroadcastModel":
        if self.end <= self.start:
            raise ValueError(f"broadcast {self.broadcast_pid} ends at or before its start")
        return self


class _ScheduleModel(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    sid: str
    date: str
    published_at: _Instant
    broadcasts: list[_BroadcastModel] = Field(max_length=MAXIMUM_BROADCASTS)


def parse_source_document(key: ScheduleKey, content: bytes) -> SourceDocument:
    """Read the document that was found under ``key``.

    Raises :class:`InvalidDocument` if it does not parse or validate, repeats a broadcast pid (a partner would show
    that programme twice), or is of another service or day than its key.
    """
    try:
        model = _ScheduleModel.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(f"schedule {key}: {summarise(error)}") from error
    named = _named_key(model.sid, model.date)
    if named != key:
        claimed = f"{model.sid}/{model.date}"[:100]
        raise InvalidDocument(f"schedule {key}: the document says that it is {claimed!r}")
    _reject_repeats(key, model.broadcasts)
    return SourceDocument(
        SourceSchedule(key, model.published_at, in_order(map(_slot, model.broadcasts))), (), ()
    )


def _named_key(sid: str, day: str) -> ScheduleKey | None:
    try:
        return ScheduleKey(Sid(sid), parse_date(day))
    except ValueError:
        return None


def _reject_repeats(key: ScheduleKey, broadcasts: list[_BroadcastModel]) -> None:
    seen: set[str] = set()
    for broadcast in broadcasts:
        if broadcast.broadcast_pid in seen:
            raise InvalidDocument(f"schedule {key}: broadcast {broadcast.broadcast_pid} is listed twice")
        seen.add(broadcast.broadcast_pid)


def _slot(model: _BroadcastModel) -> Slot:
    return Slot(
        broadcast_pid=Pid(model.broadcast_pid),
        version_pid=None if model.is_blanked else _optional_pid(model.version_pid),
        start=model.start,
        end=model.end,
        duration_seconds=int((model.end - model.start).total_seconds()),
        is_repeat=model.is_repeat,
        is_blanked=model.is_blanked,
        is_signed=model.is_signed,
        is_audio_described=model.is_audio_described,
        episode_pid=None if model.is_blanked else _optional_pid(model.episode_pid),
    )


def _optional_pid(text: str | None) -> Pid | None:
    return Pid(text) if text else None
