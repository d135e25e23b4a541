"""Concerns about a schedule that is published nevertheless."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot


class Concern(StrEnum):
    OVERLAP = "overlap"
    GAP = "gap"
    OUTSIDE_DAY = "outside the broadcast day"
    UNKNOWN_EPISODE = "unknown episode"
    UNKNOWN_ANCESTOR = "unknown ancestor"


@dataclass(frozen=True, slots=True)
class Finding:
    """One concern, at one broadcast unless it is about the whole schedule; ``detail`` is for people."""

    concern: Concern
    broadcast_pid: Pid | None
    detail: str


def find_timing_concerns(broadcasts: Sequence[Slot], day: Interval) -> list[Finding]:
    """Overlaps and gaps between neighbours, and broadcasts that do not start within the day."""
    return [*_find_outside(broadcasts, day), *_find_seams(broadcasts)]


def find_unresolved(
    shown: Iterable[EpisodeMention], ancestors: Iterable[Pid], unknown: AbstractSet[Pid]
) -> list[Finding]:
    """Episodes and ancestors that the catalogue does not hold, out of those that a schedule depends on."""
    episodes = [
        Finding(Concern.UNKNOWN_EPISODE, mention.broadcast_pid, mention.episode_pid)
        for mention in shown
        if mention.episode_pid in unknown
    ]
    return episodes + [
        Finding(Concern.UNKNOWN_ANCESTOR, None, pid) for pid in sorted(ancestors) if pid in unknown
    ]


def _find_outside(slots: Iterable[Slot], day: Interval) -> Iterable[Finding]:
    for slot in slots:
        if not day.contains(slot.start):
            yield Finding(Concern.OUTSIDE_DAY, slot.broadcast_pid, f"starts at {slot.start:%FT%TZ}")


def _find_seams(slots: Sequence[Slot]) -> Iterable[Finding]:
    """Compare each start with the latest end so far: a long programme may overlap several others."""
    latest_end = None
    for slot in slots:
        if latest_end is not None and slot.start != latest_end:
            yield _seam(slot, slot.start - latest_end)
        latest_end = slot.end if latest_end is None else max(latest_end, slot.end)


def _seam(slot: Slot, distance: timedelta) -> Finding:
    concern = Concern.GAP if distance > timedelta(0) else Concern.OVERLAP
    seconds = int(abs(distance.total_seconds()))
    return Finding(concern, slot.broadcast_pid, f"{seconds} s before {slot.start:%FT%TZ}")
