"""The invented broadcaster: its documents are valid, and it has every shape that the demonstration shows."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.sample import Document, Sample, derive_pid, make_sample
from schedules_pipeline.documents.catalogue_document import parse_catalogue_document
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid

_LONDON = ZoneInfo("Europe/London")
# The window holds the day of 25 hours that begins on 24 October.
_FIRST_DATE = date(2026, 10, 19)
_LONG_DAY = date(2026, 10, 24)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Two weeks in which the clocks go back."""
    return make_sample(_FIRST_DATE)


def _broadcasts(sample: Sample) -> list[Document]:
    return [broadcast for schedule in sample.schedules.values() for broadcast in schedule["broadcasts"]]


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(_LONDON)


def _minutes(broadcast: Document) -> float:
    return (_local(broadcast["end"]).timestamp() - _local(broadcast["start"]).timestamp()) / 60


def _hours(schedule: Document) -> float:
    return sum(map(_minutes, schedule["broadcasts"])) / 60


def _lineage(sample: Sample, item: Document) -> list[str]:
    kinds = [item["type"]]
    while item := sample.catalogue.get(item.get("parent_pid") or "", {}):
        kinds.append(item["type"])
    return kinds


def test_sample_is_the_same_for_the_same_arguments() -> None:
    """Two samples of the same arguments hold the same documents."""
    first = make_sample(_FIRST_DATE, days=2, seed=3)

    second = make_sample(_FIRST_DATE, days=2, seed=3)

    assert first == second


def test_sample_depends_on_the_seed() -> None:
    """Another seed gives the same items other texts."""
    first = make_sample(_FIRST_DATE, days=1, seed=1)

    second = make_sample(_FIRST_DATE, days=1, seed=2)

    assert first.catalogue != second.catalogue


def test_sample_of_fewer_days_is_part_of_the_longer_one() -> None:
    """A day's documents do not depend on how many other days are made."""
    short = make_sample(_FIRST_DATE, days=1, clock_change_days=False)

    long = make_sample(_FIRST_DATE, days=2, clock_change_days=False)

    assert short.schedules.items() <= long.schedules.items()
    assert short.catalogue.items() <= long.catalogue.items()


def test_sample_covers_every_service_on_every_day(sample: Sample) -> None:
    """At least 44 services have a schedule on each of the 14 days."""
    days = {_FIRST_DATE + timedelta(days=n) for n in range(14)}

    services = {sid for sid, _ in sample.schedules}

    assert len(services) >= 44
    assert {(sid, day) for sid in services for day in days} <= sample.schedules.keys()


def test_sample_is_of_a_realistic_size(sample: Sample) -> None:
    """There are two to four thousand items, and some thirty broadcasts a schedule."""
    mean = len(_broadcasts(sample)) / len(sample.schedules)

    size = len(sample.catalogue)

    assert 2_000 <= size <= 4_000
    assert 25 <= mean <= 35


def test_sample_schedules_are_accepted(sample: Sample) -> None:
    """Each schedule document parses under its own key, with all its broadcasts."""
    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]

    parsed = [
        parse_source_document(key, orjson.dumps(document))
        for key, document in zip(keys, sample.schedules.values(), strict=True)
    ]

    assert not any(document.quarantined or document.mended for document in parsed)
    assert sum(len(document.schedule.slots) for document in parsed) == len(_broadcasts(sample))


def test_sample_catalogue_is_accepted(sample: Sample) -> None:
    """Each catalogue document parses as the item of its own pid."""
    items = sample.catalogue.items()

    parsed = [parse_catalogue_document(Pid(pid), orjson.dumps(document)) for pid, document in items]

    assert [item.pid for item in parsed] == [*sample.catalogue]


def test_sample_broadcast_pids_are_distinct(sample: Sample) -> None:
    """No two broadcasts of any service or day have the same pid."""
    pids = Counter(broadcast["broadcast_pid"] for broadcast in _broadcasts(sample))

    ((_, most),) = pids.most_common(1)

    assert most == 1


def test_sample_schedules_have_no_gap_and_no_overlap(sample: Sample) -> None:
    """In every schedule each broadcast starts when the one before it ends."""
    neighbours = [pair for schedule in sample.schedules.values() for pair in pairwise(schedule["broadcasts"])]

    torn = [after for before, after in neighbours if before["end"] != after["start"]]

    assert torn == []


def test_sample_television_days_run_from_six_to_six(sample: Sample) -> None:
    """Each television day begins and ends at 06:00 local time."""
    television = {key: document for key, document in sample.schedules.items() if "radio" not in key[0]}

    edges = {
        (day, _local(document["broadcasts"][0]["start"]), _local(document["broadcasts"][-1]["end"]))
        for (_, day), document in television.items()
    }

    assert all((start.date(), start.hour, start.minute) == (day, 6, 0) for day, start, _ in edges)
    assert all((end.date(), end.hour, end.minute) == (day + timedelta(days=1), 6, 0) for day, _, end in edges)


def test_sample_radio_days_follow_each_other(sample: Sample) -> None:
    """Radio programmes start within their day, the last runs past midnight, and the next goes on there."""
    days = [sample.schedules["alder_radio_one", _FIRST_DATE + timedelta(days=n)] for n in range(14)]

    starts = {(day["date"], _local(b["start"]).date().isoformat()) for day in days for b in day["broadcasts"]}

    assert all(day == start for day, start in starts)
    assert {f"{_local(day['broadcasts'][-1]['end']):%H:%M}" for day in days} == {"00:30"}
    assert all(
        before["broadcasts"][-1]["end"] == after["broadcasts"][0]["start"] for before, after in pairwise(days)
    )


def test_sample_day_is_longer_when_the_clocks_go_back(sample: Sample) -> None:
    """The day across the change has 25 hours on television, and the day before it 24."""
    sids = [sid for sid, day in sample.schedules if day == _LONG_DAY and "radio" not in sid]

    long = {_hours(sample.schedules[sid, _LONG_DAY]) for sid in sids}
    usual = {_hours(sample.schedules[sid, _LONG_DAY - timedelta(days=1)]) for sid in sids}

    assert long == {25}
    assert usual == {24}


def test_sample_adds_the_latest_clock_changes_for_one_pair() -> None:
    """Where the window has no clock change, one service pair has the latest days of 23 and 25 hours."""
    first_date = date(2026, 8, 1)

    sample = make_sample(first_date, days=1)

    added = {key: _hours(document) for key, document in sample.schedules.items() if key[1] != first_date}
    assert added == {
        ("alder_one_north", date(2026, 3, 28)): 23,
        ("alder_one_north_hd", date(2026, 3, 28)): 23,
        ("alder_one_north", date(2025, 10, 25)): 25,
        ("alder_one_north_hd", date(2025, 10, 25)): 25,
    }


def test_sample_without_clock_change_days_holds_the_window_only() -> None:
    """Without ``clock_change_days`` no day outside the window is added."""
    first_date = date(2026, 8, 1)

    sample = make_sample(first_date, days=1, clock_change_days=False)

    assert {day for _, day in sample.schedules} == {first_date}


def test_sample_regional_variants_differ_in_local_news_only(sample: Sample) -> None:
    """Two regions show the same versions at the same times, but for local news, under their own pids."""
    north = sample.schedules["alder_one_north", _FIRST_DATE]["broadcasts"]
    south = sample.schedules["alder_one_southern", _FIRST_DATE]["broadcasts"]

    differing = [(a, b) for a, b in zip(north, south, strict=True) if a["version_pid"] != b["version_pid"]]

    assert [sample.catalogue[a["episode_pid"]]["title"][:13] for a, _ in differing] == ["North Tonight"] * 3
    assert [a["start"] for a in north] == [b["start"] for b in south]
    assert {a["broadcast_pid"] for a in north}.isdisjoint(b["broadcast_pid"] for b in south)


def test_sample_long_running_soap_is_shown_by_hundreds_of_schedules(sample: Sample) -> None:
    """A change of the soap's brand touches hundreds of schedules, and the soap has no series."""
    (soap,) = [pid for pid, item in sample.catalogue.items() if item["title"] == "Fellgate Row"]

    episodes = {pid for pid, item in sample.catalogue.items() if item.get("parent_pid") == soap}

    showing = [s for s in sample.schedules.values() if episodes & {b["episode_pid"] for b in s["broadcasts"]}]
    assert len(episodes) >= 300
    assert len(showing) >= 300


@pytest.mark.parametrize(
    "kinds",
    [
        ["episode"],
        ["episode", "brand"],
        ["episode", "series"],
        ["episode", "series", "brand"],
        ["episode", "series", "series", "brand"],
    ],
    ids="-".join,
)
def test_sample_shows_every_shape_of_ancestry(sample: Sample, kinds: list[str]) -> None:
    """Some schedule shows an episode with this ancestry."""
    shown = {broadcast["episode_pid"] for broadcast in _broadcasts(sample)} & sample.catalogue.keys()

    lineages = [_lineage(sample, sample.catalogue[pid]) for pid in shown]

    assert kinds in lineages


@pytest.mark.parametrize("flag", ["is_repeat", "is_blanked", "is_signed", "is_audio_described"])
def test_sample_broadcasts_have_each_flag(sample: Sample, flag: str) -> None:
    """Some broadcasts have the flag and others have not."""
    broadcasts = _broadcasts(sample)

    values = {broadcast[flag] for broadcast in broadcasts}

    assert values == {True, False}


def test_sample_has_short_fillers_and_programmes_across_midnight(sample: Sample) -> None:
    """Some broadcasts last three minutes, and some of more than an hour run across midnight."""
    broadcasts = _broadcasts(sample)

    across = [
        b for b in broadcasts if _local(b["start"]).date() < _local(b["end"]).date() and _minutes(b) > 60
    ]

    assert any(_minutes(broadcast) == 3 for broadcast in broadcasts)
    assert across


def test_sample_shows_some_episodes_that_are_not_in_the_catalogue(sample: Sample) -> None:
    """A few episodes that schedules show are unknown, and one parent."""
    shown = {broadcast["episode_pid"] for broadcast in _broadcasts(sample)}

    parents = {item["parent_pid"] for item in sample.catalogue.values() if item.get("parent_pid")}

    assert 1 <= len(shown - sample.catalogue.keys()) <= 5
    assert len(parents - sample.catalogue.keys()) == 1


@pytest.mark.parametrize(
    "is_meant",
    [
        pytest.param(lambda item: item["title"] == "" and item["type"] == "episode", id="untitled episode"),
        pytest.param(lambda item: item["title"] == "" and item["type"] == "series", id="untitled series"),
        pytest.param(lambda item: item["image_pid"] == "", id="empty image"),
        pytest.param(lambda item: item["image_pid"] is None, id="null image"),
        pytest.param(lambda item: "synopses" not in item, id="no synopses"),
        pytest.param(lambda item: item.get("warning_text"), id="warning"),
        pytest.param(lambda item: item.get("parent_pid", "") is None, id="null parent"),
        pytest.param(lambda item: "parent_pid" not in item, id="no parent"),
        pytest.param(lambda item: re.search(r" - \d\d/\d\d/\d{4}$", item["title"]), id="placeholder title"),
    ],
)
def test_sample_catalogue_has_items_with(sample: Sample, is_meant: Callable[[Document], object]) -> None:
    """Some items have this peculiarity and others have not."""
    items = sample.catalogue.values()

    found = Counter(bool(is_meant(item)) for item in items)

    assert found[True] > 0
    assert found[False] > 0


def test_sample_synopses_come_in_three_lengths(sample: Sample) -> None:
    """Where an item has all three synopses, each is longer than the one before."""
    synopses = [item["synopses"] for item in sample.catalogue.values() if "synopses" in item]

    full = [[len(s["short"]), len(s["medium"]), len(s["long"])] for s in synopses if s["long"]]

    assert full
    assert all(lengths == sorted(lengths) for lengths in full)


@given(name=st.text(), prefix=st.sampled_from("bpv"))
def test_derived_pid_is_a_pid(name: str, prefix: str) -> None:
    """Every name gives a valid pid with the prefix."""
    pid = derive_pid(name, prefix)

    assert Pid(pid).startswith(prefix)
