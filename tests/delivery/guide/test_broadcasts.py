"""What the guide says of a broadcast, of the gaps between broadcasts, and of times."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from delivery.guides import NOON, showing

from schedules_pipeline.delivery.guide.broadcasts import gaps_before, synopsis_of
from schedules_pipeline.delivery.guide.times import format_moment
from schedules_pipeline.domain.catalogue import Synopses


def test_the_longest_synopsis_is_shown() -> None:
    """A missing long synopsis is replaced by the medium one; an unknown episode has none."""
    shown = showing(1, NOON)
    assert shown.episode is not None
    longer = replace(shown, episode=replace(shown.episode, synopses=Synopses("short", "medium", "")))

    assert synopsis_of(longer) == "medium"
    assert synopsis_of(showing(1, NOON, is_known=False)) == ""


def test_gaps_and_overlaps_are_counted_in_minutes() -> None:
    """A gap is counted from the latest end of all earlier broadcasts; an overlap is negative."""
    broadcasts = [
        showing(1, NOON, 60),
        showing(2, NOON + timedelta(minutes=45), 5),
        showing(3, NOON + timedelta(minutes=70)),
    ]

    assert list(gaps_before(broadcasts)) == [0, -15, 10]


@pytest.mark.parametrize(
    ("at", "written"), [("2026-03-10T11:00:00.25+00:00", "10 Mar 2026, 11:00:00 GMT"), ("", "")]
)
def test_the_old_system_s_time_is_written_as_all_others(at: str, written: str) -> None:
    """The time is in the zone of the page and in whole seconds; it is empty if nothing was compared."""
    assert format_moment(at, ZoneInfo("Europe/London")) == written
