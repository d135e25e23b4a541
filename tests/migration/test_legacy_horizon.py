"""The old system may have schedules that are none of ours any more."""

from datetime import UTC, date, datetime

from fakes import Conditions, FakeLegacyKeyspace

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.migration.legacy_horizon import LegacyWithinHorizon

_OLD, _RECENT = (ScheduleKey(Sid("alder"), date(2026, 3, day)) for day in (26, 27))


def test_what_is_past_the_horizon_is_not_there() -> None:
    """Neither in the list nor for who asks by name; everything else is as the old system has it."""
    legacy = FakeLegacyKeyspace(Conditions())
    legacy.documents = {_OLD: b"old", _RECENT: b"recent"}
    legacy.refreshed = "at noon"

    seen = LegacyWithinHorizon(legacy, RetentionHorizon(1), lambda: datetime(2026, 3, 28, tzinfo=UTC))

    assert list(seen.list_keys()) == [_RECENT]
    assert seen.read([_OLD, _RECENT]) == {_RECENT: b"recent"}
    assert seen.refreshed_at() == "at noon"
