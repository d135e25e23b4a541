"""The old system's schedules as far as they are ours to have: what is past the horizon is not compared."""

from collections.abc import Iterator, Sequence

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace


class LegacyWithinHorizon:
    """Implements :class:`LegacyKeyspace` by another, without what is past
    the horizon. Otherwise every schedule that has left us would differ for as long as the old system has it.
    """

    def __init__(self, legacy: LegacyKeyspace, horizon: RetentionHorizon, clock: Clock) -> None:
        self._legacy = legacy
        self._horizon = horizon
        self._clock = clock

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        now = self._clock()
        return self._legacy.read([key for key in keys if self._horizon.keeps(key.date, now)])

    def list_keys(self) -> Iterator[ScheduleKey]:
        now = self._clock()
        return (key for key in self._legacy.list_keys() if self._horizon.keeps(key.date, now))

    def refreshed_at(self) -> str:
        return self._legacy.refreshed_at()
