"""A version's row of the change feed, on the page of the guide that compares it."""

import html
import re
from datetime import timedelta

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.guide import feed_rows
from schedules_pipeline.partners.partner import Partner

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], EPISODES[1]))
_ALDER, _TOMORROW, _RADIO = KEYS
_LINK = re.compile(r'href="(/v1/changes[^"]*)"')


@pytest.fixture
def stage() -> DeliveryStage:
    """Three schedules; the first has three versions, and others were published between them and in the same moment."""
    stage = DeliveryStage()
    stage.add_partner(Partner("narrow", stage.clock(), ("alder",), is_preview=True))
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
    for title in ("Quiet Viaduct", "Salt and Slate"):
        stage.clock.advance(timedelta(seconds=10))
        stage.publish([ItemPut(EPISODES[0], title)])
    stage.keep_up()
    return stage


@pytest.mark.parametrize("partner", ["acme", "narrow"])
@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_version_links_to_its_row_of_the_feed(stage: DeliveryStage, partner: str, seq: int) -> None:
    """The address gives this row alone, also to a partner who sees few services; the page shows the same text, and the
    second address gives what follows.
    """
    client = stage.client(partner)

    page = client.get(f"/guide/{_TOMORROW}/versions?after={seq}").text
    row, following = (client.get(html.unescape(address)) for address in _LINK.findall(page))

    (change,) = row.json()["changes"]
    assert (f"{change['sid']}/{change['date']}", change["seq"]) == (str(_TOMORROW), seq)
    assert re.search(r"<pre><code>(.*)</code></pre>", page.replace("&#34;", '"')).group(1) in row.text  # type: ignore[union-attr]
    assert change not in following.json()["changes"]
    assert row.json()["cursor"] in page
    assert (seq < 3) == any(each["seq"] == seq + 1 for each in following.json()["changes"])


def test_a_row_is_found_behind_many_that_are_older(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others published seconds before it is not read, so a busy feed hides no row."""
    monkeypatch.setattr(feed_rows, "_MOST_ROWS", len(KEYS))

    page = stage.client().get(f"/guide/{_TOMORROW}/versions?after=3").text

    assert _LINK.search(page) is not None


def test_a_removal_has_a_row(stage: DeliveryStage) -> None:
    """It is compared and linked as versions are."""
    stage.publish([ScheduleRemoved(_ALDER)])
    stage.keep_up()

    page = stage.client().get(f"/guide/{_ALDER}/versions").text

    assert '"removed":true' in page.replace("&#34;", '"')


def test_a_row_that_was_deleted_is_said_to_be_gone(stage: DeliveryStage) -> None:
    """The versions are compared all the same; later rows are found, and linked,
    although the feed begins among those that are searched.
    """
    (second,) = (v for v in stage.store.versions.versions(_ALDER) if v.seq == 2)
    stage.store.feed.trim(second.published_at)
    client = stage.client()

    first, later = (client.get(f"/guide/{_ALDER}/versions?after={seq}").text for seq in (1, 2))

    assert "It was not found" in first
    assert "<table" in first
    assert client.get(html.unescape(_LINK.findall(later)[0])).json()["changes"][0]["seq"] == 2
