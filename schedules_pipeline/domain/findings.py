"""What is noteworthy about a schedule that is published all the same, and what is too odd to accept."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Broadcast


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


def find_timing_concerns(broadcasts: Sequence[Broadcast], day: Interval) -> list[Finding]:
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


def has_shrunk(new_count: int, old_count: int, smallest_share: float) -> bool:
    """Whether a document has lost so many broadcasts that it must be confirmed; an empty one always."""
    return new_count == 0 or new_count < old_count * smallest_share


def _find_outside(broadcasts: Iterable[Broadcast], day: Interval) -> Iterable[Finding]:
    for broadcast in broadcasts:
        if not day.contains(broadcast.start):
            yield Finding(Concern.OUTSIDE_DAY, broadcast.broadcast_pid, f"starts at {broadcast.start:%FT%TZ}")


def _find_seams(broadcasts: Sequence[Broadcast]) -> Iterable[Finding]:
    """Compare each start with the latest end so far: a long programme may overlap several others."""
    latest_end = None
    for broadcast in broadcasts:
        if latest_end is not None and broadcast.start != latest_end:
            yield _seam(broadcast, broadcast.start - latest_end)
        latest_end = broadcast.end if latest_end is None else max(latest_end, broadcast.end)


def _seam(broadcast: Broadcast, distance: timedelta) -> Finding:
    concern = Concern.GAP if distance > timedelta(0) else Concern.OVERLAP
    seconds = int(abs(distance.total_seconds()))
    return Finding(concern, broadcast.broadcast_pid, f"{seconds} s before {broadcast.start:%FT%TZ}")
