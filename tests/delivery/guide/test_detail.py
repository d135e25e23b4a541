"""What the guide says of one schedule: its broadcasts, its versions, how it compares, and what changed lately."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import a_change
from delivery.guides import NOON, key, showing

from schedules_pipeline.delivery.guide.detail import (
    broadcasts_of,
    changed_lately,
    latest_of,
    parity_of,
    version_of,
)
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.migration.ports.comparisons import Comparison, Verdict

_ZONE = ZoneInfo("Europe/London")
_IMAGES = "https://images.example/{image_pid}.jpg"


def _change(causes: int = 1, minutes_ago: int = 0) -> Change:
    at = NOON - timedelta(minutes=minutes_ago)
    known = tuple(
        Cause(f"event-{n}", Origin.CATALOGUE, "b0000001", at - timedelta(seconds=2 + n), ("title",))
        for n in range(min(causes, 5))
    )
    return a_change(
        key(),
        7,
        etag="etag",
        published_at=at,
        broadcasts=20,
        source_changed=False,
        causes=known,
        cause_count=causes,
    )


def test_a_broadcast_shows_the_longest_synopsis_and_its_image() -> None:
    """The long one where there is one; the image by the template, and none without a template."""
    shown = showing(1, NOON)
    assert shown.episode is not None
    longer = replace(shown, episode=replace(shown.episode, synopses=Synopses("short", "medium", "")))

    with_images = next(broadcasts_of([longer], _ZONE, NOON, _IMAGES))
    without = next(broadcasts_of([longer], _ZONE, NOON, ""))

    assert with_images.synopsis == "medium"
    assert with_images.image_url == "https://images.example/p0000009.jpg"
    assert (without.image_url, with_images.is_on_air) == ("", True)


def test_gaps_and_overlaps_are_counted_in_minutes() -> None:
    """From the latest end of all that came before."""
    showings = [
        showing(1, NOON, 60),
        showing(2, NOON + timedelta(minutes=45), 5),
        showing(3, NOON + timedelta(minutes=70)),
    ]

    gaps = [broadcast.gap_minutes for broadcast in broadcasts_of(showings, _ZONE, NOON, "")]

    assert gaps == [0, -15, 10]


def test_a_version_names_its_causes_and_how_many_there_were() -> None:
    """Those that are kept, how many more there were, and the time since the oldest."""
    version = version_of(_change(causes=8), _ZONE)

    assert [cause.event_id for cause in version.causes] == [f"event-{n}" for n in range(5)]
    assert (version.further_causes, version.seconds) == (3, 6.0)
    assert version.causes[0].changed == ("title",)


def test_a_comparison_of_an_earlier_version_is_known_as_such() -> None:
    """Only the latest version's says something of what is shown."""
    comparison = Comparison(6, Verdict.DIFFERS, "2026-03-10T11:00:00Z", "", 1, (("w1", "title", "A", "B"),))

    assert not parity_of(comparison, 7, _ZONE).is_of_this
    assert parity_of(comparison, 6, _ZONE).differences == (("w1", "title", "A", "B"),)


@pytest.mark.parametrize(
    ("at", "written"), [("2026-03-10T11:00:00.25+00:00", "10 Mar 2026, 11:00:00 GMT"), ("", "")]
)
def test_the_old_system_s_time_is_written_as_all_others(at: str, written: str) -> None:
    """In the zone of the page and to the second; where nothing was compared there is none."""
    assert parity_of(Comparison(6, Verdict.DIFFERS, at), 6, _ZONE).generated_at == written


def test_partners_are_not_told_why() -> None:
    """What the upstreams' events are called is for operators."""
    told = latest_of(_change(causes=3), "Alder One", _ZONE, tells_why=True)
    not_told = latest_of(_change(causes=3), "Alder One", _ZONE, tells_why=False)

    assert (told.why, told.seconds) == ("catalogue b0000001 (title) and 2 more", 4.0)
    assert (not_told.why, not_told.seconds) == ("", None)


def test_lately_is_an_hour() -> None:
    """What is older ends it."""
    changes = [_change(minutes_ago=minutes) for minutes in (1, 60, 61, 2)]

    assert list(changed_lately(changes, NOON)) == changes[:2]
