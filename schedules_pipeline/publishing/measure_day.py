"""Measures published broadcast days, to learn expected ranges and to compare days with them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, parse_accepted, read_source
from schedules_pipeline.domain.airtime import length_within, union
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.expectations import ExpectedRange, Measure

_AN_HOUR = timedelta(hours=1)


def measure(
    slots: Sequence[Slot], unknown: int, versions: Sequence[Change], day: Interval
) -> dict[Measure, float]:
    """Measure one day. ``unknown``: how many broadcasts show an episode that the catalogue lacks. ``versions``: the
    rows of the schedule; those that were published during its day count as changes.
    """
    count = len(slots)
    covered = length_within(union(slot.interval for slot in slots), day)
    during = sum(day.contains(version.published_at) for version in versions)
    return {
        Measure.BROADCASTS: float(count),
        Measure.HOURS: round(covered / _AN_HOUR, 2),
        Measure.CHANGES: round(during / (day.length / _AN_HOUR), 3),
        Measure.REPEATS: round(sum(slot.is_repeat for slot in slots) / count, 3) if count else 0.0,
        Measure.UNKNOWN: round(unknown / count, 3) if count else 0.0,
    }


class DayMeasurer:
    """Measures schedules from their accepted sources and the copies of their episodes."""

    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar) -> None:
        self._store = store
        self._calendar = calendar

    def measure(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, dict[Measure, float]]:
        """Schedules without an accepted source, or with one that cannot be decoded, are left out."""
        sources = dict(self._sources(keys))
        episodes = sorted(set().union(*[source.episodes() for source, _ in sources.values()]))
        known = self._store.copies.read(episodes).keys()
        return {
            key: measure(
                slots,
                sum(pid is not None and pid not in known for pid in source.episode_pids),
                self._store.versions.versions(key),
                self._calendar.window(key),
            )
            for key, (source, slots) in sources.items()
        }

    def _sources(
        self, keys: Sequence[ScheduleKey]
    ) -> Iterator[tuple[ScheduleKey, tuple[AcceptedSchedule, Sequence[Slot]]]]:
        for key, state in self._store.schedules.read(keys).items():
            if state.accepted is not None:
                with suppress(InvalidRecord):
                    source = parse_accepted(state.accepted)
                    yield key, (source, read_source(key, source).slots)


def outside(values: Mapping[Measure, float], ranges: Mapping[Measure, ExpectedRange]) -> dict[Measure, float]:
    """The values that lie outside their ranges; measures without a range are left out."""
    return {
        name: value
        for name, value in values.items()
        if (normal := ranges.get(name)) is not None and not normal.contains(value)
    }
