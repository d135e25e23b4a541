"""One timeline of a service over neighbouring broadcast days: gaps, overlaps, and broadcasts that two days list.

Viewers see a service, not a document, so a day is judged together with the days before and after it. A broadcast that
two days list alike counts once. Nothing is changed here: :mod:`~schedules_pipeline.domain.continuous_day` makes a day
continuous for the formats that need it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from schedules_pipeline.domain.findings import Concern, Finding
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot


@dataclass(frozen=True, slots=True)
class Day:
    """One broadcast day of a service. ``broadcasts``: by start; empty if the day has no schedule.

    ``was_removed``: the day had a schedule, which was removed.
    """

    window: Interval
    broadcasts: Sequence[Slot] = ()
    was_removed: bool = False


class _Place(NamedTuple):
    """A broadcast in the timeline, and which of the days list it: -1 the previous one, 0 this one, 1 the next one."""

    slot: Slot
    days: frozenset[int]


def find_timing_concerns(before: Day, day: Day, after: Day) -> list[Finding]:
    """What is wrong with the times of a day, first with its seams to the days before and after it.

    The begin of the day is judged only against broadcasts of the previous day: they may run on into this one. Its end
    is judged in any case, because only this day may list what starts in its last hours.
    """
    if not day.broadcasts:
        return [Finding(Concern.GAP, None, "has no broadcasts")]
    timeline = list(_find_in_timeline(before, day, after))
    return [
        *_find_missing_next(day, after),
        *(finding for finding in timeline if finding.concern.is_at_seam),
        *_find_listed_twice(day, before, "previous"),
        *_find_listed_twice(day, after, "next"),
        *_find_outside(day),
        *(finding for finding in timeline if not finding.concern.is_at_seam),
    ]


def _find_missing_next(day: Day, after: Day) -> Iterator[Finding]:
    if after.broadcasts:
        return
    last = max(day.broadcasts, key=lambda slot: slot.end)
    if last.end < after.window.start:
        missing = _minutes(after.window.start - last.end)
        detail = f"ends {missing} before the next broadcast day begins, at {after.window.start:%FT%TZ}"
        yield Finding(Concern.GAP_AT_SEAM, last.broadcast_pid, detail)
    if after.was_removed:
        yield Finding(Concern.GAP_AT_SEAM, None, "the schedule of the next day was removed")


def _find_in_timeline(before: Day, day: Day, after: Day) -> Iterator[Finding]:
    """Compare each start with the latest end so far: a long programme may overlap several others."""
    latest = None
    for place in _line_up(before, day, after):
        if latest is not None and place.slot.start != latest.slot.end:
            if 0 in latest.days and 0 in place.days:
                yield _within(latest, place)
            elif 0 in latest.days or 0 in place.days:
                yield _at_seam(latest, place, (before, day, after))
        if latest is None or place.slot.end > latest.slot.end:
            latest = place


def _line_up(*days: Day) -> list[_Place]:
    """The broadcasts of all three days by start, then by pid; one that two days list at the same times counts once."""
    found: dict[tuple[datetime, Pid, datetime], _Place] = {}
    for number, day in enumerate(days, start=-1):
        for slot in day.broadcasts:
            spot = slot.start, slot.broadcast_pid, slot.end
            known = found[spot].days if spot in found else frozenset()
            found[spot] = _Place(slot, known | {number})
    return [found[spot] for spot in sorted(found)]


def _within(last: _Place, this: _Place) -> Finding:
    distance = this.slot.start - last.slot.end
    concern = Concern.GAP if distance > timedelta(0) else Concern.OVERLAP
    seconds = int(abs(distance.total_seconds()))
    return Finding(concern, this.slot.broadcast_pid, f"{seconds} s before {this.slot.start:%FT%TZ}")


def _at_seam(last: _Place, this: _Place, days: tuple[Day, Day, Day]) -> Finding:
    """A gap or overlap between a broadcast of this day and one of another day."""
    is_gap = this.slot.start > last.slot.end
    minutes = _minutes(abs(this.slot.start - last.slot.end))
    own, other = (this, last) if 0 in this.days else (last, this)
    name = "next" if 1 in other.days else "previous"
    earlier, later = days[max(last.days) + 1], days[min(this.days) + 1]
    if last.slot.end != max(slot.end for slot in earlier.broadcasts) or this.slot != later.broadcasts[0]:
        text = f"{'gap' if is_gap else 'overlap'} of {minutes} with a broadcast of the {name} day"
    elif own is this:
        text = f"begins {minutes} {'after' if is_gap else 'before'} the {name} day ends"
    else:
        text = f"ends {minutes} {'before' if is_gap else 'after'} the {name} day begins"
    concern = Concern.GAP_AT_SEAM if is_gap else Concern.OVERLAP_AT_SEAM
    return Finding(concern, own.slot.broadcast_pid, f"{text}, at {this.slot.start:%FT%TZ}")


def _find_listed_twice(day: Day, other: Day, name: str) -> Iterator[Finding]:
    """Broadcasts that both days list, unless they say the same and it starts within both, as the days of radio do."""
    listed = {slot.broadcast_pid: slot for slot in other.broadcasts}
    for slot in day.broadcasts:
        twin = listed.get(slot.broadcast_pid)
        if twin is None:
            continue
        if twin.interval != slot.interval:
            detail = f"{slot.start:%FT%TZ} here, {twin.start:%FT%TZ} in the {name} day"
            if twin.start == slot.start:
                detail = f"until {slot.end:%FT%TZ} here, until {twin.end:%FT%TZ} in the {name} day"
            yield Finding(Concern.OTHER_TIMES, slot.broadcast_pid, detail)
        elif _shown(twin) != _shown(slot):
            detail = f"at {slot.start:%FT%TZ}: {_shown(slot)} here, {_shown(twin)} in the {name} day"
            yield Finding(Concern.OTHER_PROGRAMME, slot.broadcast_pid, detail)
        elif not (day.window.contains(slot.start) and other.window.contains(slot.start)):
            detail = f"at {slot.start:%FT%TZ}, also in the {name} day"
            yield Finding(Concern.IN_TWO_DAYS, slot.broadcast_pid, detail)


def _shown(slot: Slot) -> str:
    return "blanked" if slot.is_blanked else slot.episode_pid or "no episode"


def _find_outside(day: Day) -> Iterator[Finding]:
    for slot in day.broadcasts:
        if not day.window.contains(slot.start):
            yield Finding(Concern.OUTSIDE_DAY, slot.broadcast_pid, f"starts at {slot.start:%FT%TZ}")


def _minutes(length: timedelta) -> str:
    """For people, to the second."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    if seconds:
        return f"{minutes} min {seconds} s"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
