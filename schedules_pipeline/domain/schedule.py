"""A schedule as its source gives it: which programme is shown when, by pid, with nothing joined to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self, TypeVar, cast

from schedules_pipeline.domain.identifiers import OptionalPid, Pid, ScheduleKey
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.printable import shorten

_SHOWN_REASONS = 3
_REASON_CHARACTERS = 200
_AnySlot = TypeVar("_AnySlot", bound="Slot")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What the source says of one broadcast. A blanked broadcast names neither episode nor version.

    Declaration order is the order of the fields in every document.
    """

    broadcast_pid: Pid = field(metadata={"description": "Stays the same when the time moves."})
    version_pid: OptionalPid = field(
        metadata={"description": "Empty if it is unknown or the broadcast is blanked."}
    )
    start: datetime
    end: datetime
    duration_seconds: int = field(metadata={"description": "Elapsed time."})
    is_repeat: bool
    is_blanked: bool = field(metadata={"description": "The broadcast keeps its slot and shows no programme."})
    is_signed: bool
    is_audio_described: bool
    episode_pid: OptionalPid = field(
        metadata={"description": "Empty if there is none or the broadcast is blanked."}
    )

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)

    def blanked(self) -> Self:
        """The same slot without its programme."""
        return replace(self, is_blanked=True, episode_pid=None, version_pid=None)


@dataclass(frozen=True, slots=True)
class SourceSchedule:
    """An accepted source document: its slots in order of start, then of pid."""

    key: ScheduleKey
    published_at: datetime
    slots: tuple[Slot, ...]


def in_order(slots: Iterable[_AnySlot]) -> tuple[_AnySlot, ...]:
    """Slots in the order of every document: by start, then by pid."""
    return tuple(sorted(slots, key=lambda slot: (slot.start, slot.broadcast_pid)))


@dataclass(frozen=True, slots=True)
class QuarantinedBroadcast:
    """A broadcast of a source document that has no obvious reading.

    ``broadcast_pid``: "" if that cannot be read either. ``reason``: for people. ``is_blanked``: the document blanks it,
    or may do so: what is shown in its place is blanked, too.
    """

    broadcast_pid: str
    reason: str
    is_blanked: bool


def describe_quarantined(quarantined: Sequence[QuarantinedBroadcast], mended: Sequence[str] = ()) -> str:
    """How many there are, and the first reasons; on further lines what else was mended. "" if none is quarantined."""
    if not quarantined:
        return ""
    reasons = [shorten(each.reason, _REASON_CHARACTERS) for each in quarantined[:_SHOWN_REASONS]]
    more = ["…"] if len(quarantined) > len(reasons) else []
    broadcasts = "1 broadcast" if len(quarantined) == 1 else f"{len(quarantined)} broadcasts"
    summary = f"{broadcasts} quarantined: {'; '.join(reasons + more)}"
    return "\n".join([summary, *(f"mended: {sentence}" for sentence in mended[:_SHOWN_REASONS])])


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """What a source document says. ``schedule`` has its usable broadcasts; ``mended`` tells what was put right, one
    sentence each.
    """

    schedule: SourceSchedule
    quarantined: tuple[QuarantinedBroadcast, ...] = ()
    mended: tuple[str, ...] = ()


def keep_last_good(document: SourceDocument, committed: Iterable[Slot]) -> SourceSchedule:
    """The schedule of a document, with the committed slots of its quarantined broadcasts that overlap no other slot."""
    known = {slot.broadcast_pid: slot for slot in committed}
    slots = list(document.schedule.slots)
    listed = {slot.broadcast_pid for slot in slots}
    for unusable in document.quarantined:
        last_good = known.get(cast("Pid", unusable.broadcast_pid))
        if last_good is None or last_good.broadcast_pid in listed:
            continue
        if any(last_good.interval.overlaps(slot.interval) for slot in slots):
            continue
        slots.append(last_good.blanked() if unusable.is_blanked else last_good)
        listed.add(last_good.broadcast_pid)
    return replace(document.schedule, slots=in_order(slots))
