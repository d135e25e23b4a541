"""Concerns about a schedule that is published nevertheless."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.identifiers import Pid


class Concern(StrEnum):
    OVERLAP = "overlap"
    GAP = "gap"
    OUTSIDE_DAY = "outside the broadcast day"
    GAP_AT_SEAM = "gap between days"
    OVERLAP_AT_SEAM = "overlap between days"
    IN_TWO_DAYS = "listed in two days"
    OTHER_TIMES = "other times in a neighbouring day"
    OTHER_PROGRAMME = "other programme in a neighbouring day"
    UNKNOWN_EPISODE = "unknown episode"
    UNKNOWN_ANCESTOR = "unknown ancestor"

    @property
    def is_at_seam(self) -> bool:
        """Whether it is a gap or overlap between this day and a neighbouring one."""
        return self in (Concern.GAP_AT_SEAM, Concern.OVERLAP_AT_SEAM)


@dataclass(frozen=True, slots=True)
class Finding:
    """One concern, at one broadcast unless it is about the whole schedule; ``detail`` is for people."""

    concern: Concern
    broadcast_pid: Pid | None
    detail: str


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
