"""What the guide says of a broadcast beyond its own fields. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from hashlib import blake2b
from zoneinfo import ZoneInfo

from schedules_pipeline.domain.published import Broadcast

_MINUTE = timedelta(minutes=1)


class Kind(StrEnum):
    """``BLANKED``: the slot is kept and shows no programme. ``UNKNOWN``: the catalogue lacks the episode."""

    PROGRAMME = "programme"
    BLANKED = "blanked"
    UNKNOWN = "unknown"


def kind_of(broadcast: Broadcast) -> Kind:
    if broadcast.is_blanked:
        return Kind.BLANKED
    return Kind.PROGRAMME if broadcast.episode else Kind.UNKNOWN


def title_of(broadcast: Broadcast) -> str:
    """The displayed title, with a placeholder if the broadcast has none."""
    match kind_of(broadcast):
        case Kind.BLANKED:
            return "Blanked"
        case Kind.UNKNOWN:
            return f"Unknown programme {broadcast.episode_pid or ''}".rstrip()
        case Kind.PROGRAMME:
            return broadcast.title or "Untitled"


def synopsis_of(broadcast: Broadcast) -> str:
    """The longest synopsis; "" without one."""
    texts = broadcast.episode.synopses.texts if broadcast.episode else ()
    return next((text for text in reversed(texts) if text), "")


def fingerprint(broadcast: Broadcast) -> str:
    """Equal for equal broadcasts, in every process."""
    return blake2b(repr(broadcast).encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def gaps_before(broadcasts: Iterable[Broadcast]) -> Iterator[int]:
    """For each broadcast, in order of start, the minutes since the latest end before it; negative for an overlap."""
    covered = None
    for broadcast in broadcasts:
        gap = timedelta(0) if covered is None else broadcast.start - covered
        yield int(gap / _MINUTE)
        covered = broadcast.end if covered is None else max(covered, broadcast.end)


def new_days(broadcasts: Iterable[Broadcast], on: date, zone: ZoneInfo) -> Iterator[date | None]:
    """For each broadcast of the schedule of the day ``on``, in order of start, its local day if that is not the day of
    the one before.
    """
    before = on
    for broadcast in broadcasts:
        day = broadcast.start.astimezone(zone).date()
        yield None if day == before else day
        before = day
