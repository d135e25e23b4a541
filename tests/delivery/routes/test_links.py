"""Links between answers, and the header fields that tell the version of an answer in every format."""

from typing import Any
from urllib.parse import urlencode

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], EPISODES[1]))
_PATH = "/v1/schedules/alder/2026-03-28"
_VERSION = ("seq", "etag", "published_at")


@pytest.fixture(scope="module")
def stage() -> DeliveryStage:
    stage = DeliveryStage()
    items = [ItemPut(episode, "Harbour Lights") for episode in EPISODES[:2]]
    stage.publish([*items, *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.keep_up()
    return stage


def _all_pages(client: Any, address: str, members: str) -> list[Any]:
    page = client.get(address)
    found = page.json()[members]
    while "next" in page.links and (page := client.get(page.links["next"]["url"])).json()[members]:
        found += page.json()[members]
    return list(found)


@pytest.mark.parametrize(
    ("address", "members"),
    [
        ("/v1/changes?since={since}", "changes"),
        (
            "/v1/programmes/{pid}/broadcasts?from=2026-03-27T00:00:00Z&to=2026-04-05T00:00:00%2B00:00",
            "broadcasts",
        ),
        ("/v1/catalogue/coming?sid=alder", "items"),
    ],
)
def test_links_lead_through_all_pages(stage: DeliveryStage, address: str, members: str) -> None:
    """Pages of one, followed by `next` alone, have what one page of all has, in the same order."""
    client = stage.client()
    since = render_cursor(FeedCursor(stage.delivery.mirror.cursor.epoch, "0"))
    whole = client.get(address.format(since=since, pid=EPISODES[0]))

    found = _all_pages(client, f"{address.format(since=since, pid=EPISODES[0])}&limit=1", members)

    assert len(found) > 1
    assert found == whole.json()[members]


def test_services_lead_to_the_description(stage: DeliveryStage) -> None:
    """A client finds the description and the status from the list of services."""
    links = stage.client().get("/v1/services").links

    assert {rel: link["url"] for rel, link in links.items()} == {
        "service-desc": "/openapi.json",
        "service-doc": "/docs",
        "status": "/v1/status",
    }


def _alternates(answer: Any) -> dict[str, tuple[str, str]]:
    found = {}
    for part in answer.headers["link"].split(", <"):
        address, *parameters = part.strip("<").replace(">", "").split("; ")
        values = dict(each.split("=", 1) for each in parameters)
        assert values["rel"] == '"alternate"'
        found[values["title"].strip('"')] = (address, values["type"].strip('"'))
    return found


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (_PATH, {}),
        (_PATH, {"day": "05:30", "straddling": "overlaps"}),
        ("/v1/schedules/alder", {"from": "2026-03-28", "to": "2026-03-29"}),
        ("/v1/schedules", {"date": "2026-03-28", "sid": ["alder", "birch"]}),
    ],
)
def test_alternates_are_the_same_in_the_other_formats(
    stage: DeliveryStage, path: str, query: dict[str, str | list[str]]
) -> None:
    """From each format the others can be reached, with the same days and services and the type that is told."""
    client, asked = stage.client(), f"?{urlencode(query, doseq=True)}" if query else ""

    for name in ("json", "xmltv", "tva"):
        found = _alternates(client.get(f"{path}.{name}{asked}"))

        assert set(found) == {"json", "xmltv", "tva"} - {name}
        for other, (address, media_type) in found.items():
            assert address == f"{path}.{other}{asked}"
            assert client.get(address).headers["content-type"].startswith(media_type)
    assert set(_alternates(client.get(f"{path}{asked}"))) == {"xmltv", "tva"}


@pytest.mark.parametrize("form", ["", ".json", ".xmltv", ".tva", "?min_seq=1"])
def test_one_schedule_tells_its_version_in_every_format(stage: DeliveryStage, form: str) -> None:
    """The fields of the document are those of the header, so that a reader of XML can compare with the feed."""
    document = stage.client().get(_PATH).json()

    for answer in (stage.client().get(_PATH + form), stage.client().head(_PATH + form)):
        found = {name: answer.headers[f"schedules-{name.replace('_', '-')}"] for name in _VERSION}

        assert found == {name: str(document[name]) for name in _VERSION}
        assert "schedules-cursor" not in answer.headers


@pytest.mark.parametrize("form", ["", ".json", ".xmltv", ".tva", ".catalogue"])
def test_several_schedules_tell_the_cursor_from_which_to_follow(form: str) -> None:
    """Everything before the cursor is in the answer, and the next change is behind it."""
    stage = DeliveryStage()
    stage.publish([SchedulePut(key, _SLOTS) for key in KEYS])
    stage.keep_up()
    client = stage.client()

    for address in (f"/v1/schedules{form}?date=2026-03-28", f"{_PATH}{form}?day=utc"):
        answer = client.get(address)
        changes = f"/v1/changes?since={answer.headers['schedules-cursor']}"

        assert "schedules-seq" not in answer.headers
        assert client.get(changes).json()["changes"] == []
    stage.publish([SchedulePut(KEYS[0], _SLOTS[:1])])
    stage.follow()
    assert [each["seq"] for each in client.get(changes).json()["changes"]] == [2]


def test_unchanged_answers_carry_no_metadata_again(stage: DeliveryStage) -> None:
    """A 304 has what RFC 9110 wants of it, and neither links nor versions."""
    client = stage.client()
    first = client.get(_PATH)

    again = client.get(_PATH, headers={"If-None-Match": first.headers["etag"]})

    assert again.status_code == 304
    assert not {"link", "schedules-seq"} & again.headers.keys()
