"""The catalogue feeds over HTTP."""

from datetime import timedelta

import orjson
import pytest
from delivery.asking import Stage, document_of
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, key, schedule, showing

from schedules_pipeline.domain.identifiers import Pid

_HOUR = timedelta(hours=1)
_OTHER = Pid("p0000002")


@pytest.fixture
def stage() -> Stage:
    """Two services: one that shows the episode now and later, one that shows another tomorrow."""
    stage = Stage()
    stage.publish(
        schedule(key(ALDER), [showing(1, NOON - _HOUR / 4), showing(2, NOON + 3 * _HOUR)]),
        schedule(key(BIRCH, 1), [showing(3, NOON + 24 * _HOUR, episode_pid=_OTHER)]),
    )
    return stage


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        ("available", {EPISODE: ["w0000001"]}),
        ("coming", {EPISODE: ["w0000002"], _OTHER: ["w0000003"]}),
    ],
)
def test_feeds_tell_each_episode_with_its_broadcasts(
    stage: Stage, feed: str, told: dict[Pid, list[str]]
) -> None:
    """An episode is available after a broadcast has begun, and coming before; each is listed once."""
    page = stage.get(f"/v1/catalogue/{feed}")

    assert {
        item["episode_pid"]: [shown["broadcast_pid"] for shown in item["broadcasts"]]
        for item in page["items"]
    } == told
    assert page["next"] is None


def test_feed_is_told_page_by_page(stage: Stage) -> None:
    """Following `next` leads through all items, each once."""
    first = stage.get("/v1/catalogue/coming", limit=1)
    second = stage.get("/v1/catalogue/coming", limit=1, after=first["next"])

    assert [item["episode_pid"] for page in (first, second) for item in page["items"]] == [EPISODE, _OTHER]
    assert second["next"] is None


def test_feed_is_of_the_services_that_are_named(stage: Stage) -> None:
    """With `sid`, an episode is told for its broadcasts on those services alone."""
    page = stage.get("/v1/catalogue/coming", sid=BIRCH)

    assert [item["episode_pid"] for item in page["items"]] == [_OTHER]


def test_item_says_what_the_document_says(stage: Stage) -> None:
    """An item has the episode, series, brand and titles of the published document."""
    listed = schedule(key(ALDER), [showing(1, NOON + _HOUR)], seq=2)
    stage.publish(listed)
    broadcast = orjson.loads(document_of(listed))["broadcasts"][0]

    item = stage.get("/v1/catalogue/coming", sid=ALDER)["items"][0]

    names = ("episode", "series", "brand", "title", "subtitle")
    assert {name: item[name] for name in names} == {name: broadcast[name] for name in names}
