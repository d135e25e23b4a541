"""The questions that partners ask over HTTP: now and next, where it is shown, and the latest episodes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from builders import BRAND, SERIES
from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, key, schedule, showing
from pydantic import BaseModel

from schedules_pipeline.delivery.questions import latest_episodes
from schedules_pipeline.delivery.routes import documented_queries as documented
from schedules_pipeline.delivery.routes import programmes
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.settings import Settings

_HOUR = timedelta(hours=1)
_OTHER = Pid("p0000002")
_PATHS = (
    "/v1/now-next",
    f"/v1/programmes/{EPISODE}/broadcasts",
    "/v1/catalogue/available",
    "/v1/catalogue/coming",
)


@pytest.fixture
def stage() -> Stage:
    """Two services: one that shows the episode now and later, one that shows another tomorrow."""
    stage = Stage()
    stage.publish(
        schedule(key(ALDER), [showing(1, NOON - _HOUR / 4), showing(2, NOON + 3 * _HOUR)]),
        schedule(key(BIRCH, 1), [showing(3, NOON + 24 * _HOUR, episode_pid=_OTHER)]),
    )
    return stage


def _broadcasts(page: Any) -> list[str]:
    return [airing["broadcast"]["broadcast_pid"] for airing in page["broadcasts"]]


# All questions


@pytest.mark.parametrize("path", _PATHS)
def test_answer_that_is_held_is_not_sent_again(stage: Stage, path: str) -> None:
    """A client that sends the etag gets 304 until the answer changes."""
    first = stage.client.get(path)
    again = stage.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    stage.publish(schedule(key(ALDER), [showing(1, NOON - _HOUR / 5), showing(2, NOON + _HOUR)], seq=2))
    stage.advance(timedelta(seconds=6))
    changed = stage.client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert [first.status_code, again.status_code, changed.status_code] == [200, 304, 200]
    assert "private" in first.headers["cache-control"]


@pytest.mark.parametrize("path", _PATHS)
def test_answer_is_packed_for_who_takes_it(stage: Stage, path: str) -> None:
    """An answer worth packing comes packed, and is the same when it is unpacked."""
    plain = stage.client.get(path, headers={"Accept-Encoding": "identity"})
    packed = stage.client.get(path, headers={"Accept-Encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


@pytest.mark.parametrize("path", _PATHS)
def test_services_of_others_do_not_exist(stage: Stage, path: str) -> None:
    """A partner is told nothing of a service that it may not see, not even when it names it."""
    partner = stage.ask_as("birch-only", ("birch*",))

    told = [partner.get(path)]
    if not path.startswith("/v1/programmes/"):
        told.append(partner.get(path, params={"sid": ALDER}))

    assert all(response.status_code == 200 for response in told)
    assert not any(ALDER in response.text for response in told)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (_PATHS[0], documented.NowNextOfServices),
        (_PATHS[1], documented.BroadcastsOfProgramme),
        (_PATHS[2], documented.CatalogueItems),
        (_PATHS[3], documented.CatalogueItems),
    ],
)
def test_answer_is_as_it_is_documented(stage: Stage, path: str, model: type[BaseModel]) -> None:
    """Answers have exactly the fields of their OpenAPI models."""
    answer = stage.client.get(path)

    read = model.model_validate_json(answer.content)

    assert read.model_dump(mode="json", by_alias=True, exclude_defaults=True) == answer.json()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/now-next", {"count": 0}),
        ("/v1/now-next", {"count": 11}),
        ("/v1/now-next", {"sid": ["alder one"]}),
        ("/v1/now-next", {"sid": ["a"] * 501}),
        ("/v1/now-next", {"at": "2026-03-10T12:00:00"}),
        ("/v1/now-next", {"at": "0"}),
        ("/v1/now-next", {"at": "2026-03-10T12:00Z"}),
        (_PATHS[1], {"limit": 501}),
        (_PATHS[1], {"after": "?"}),
        (_PATHS[1], {"after": "x" * 201}),
        (_PATHS[1], {"from": "2026-03-10T12:00:00Z", "to": "2026-03-10T12:00:00Z"}),
        (_PATHS[1], {"from": "2026-03-10T12:00:00Z", "to": "2026-04-11T12:00:00Z"}),
        ("/v1/programmes/vowels/broadcasts", {}),
        ("/v1/catalogue/coming", {"limit": 201}),
        ("/v1/catalogue/coming", {"after": "vowels"}),
    ],
)
def test_parameter_out_of_bounds_is_a_problem(stage: Stage, path: str, params: dict[str, Any]) -> None:
    """Parameters that are malformed or beyond a limit are rejected with a problem document."""
    rejected = stage.client.get(path, params=params)

    assert (rejected.status_code, rejected.headers["content-type"]) == (400, "application/problem+json")
    assert rejected.json()["type"] == "/problems/bad-request"


def test_only_what_needs_the_index_fails_without_the_store(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the store, questions are answered from memory; those that need the index get 503."""

    def away(pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        raise ServiceError("redis is away")

    monkeypatch.setattr(stage.store.references, "references", away)

    told = [stage.client.get(path) for path in _PATHS]
    latest = stage.client.post(
        "/v1/episodes/latest", json={"brands": [BRAND.pid], "since": "2026-03-08T00:00:00Z"}
    )

    assert [response.status_code for response in (*told, latest)] == [200, 503, 200, 200, 503]
    assert latest.json()["type"] == "/problems/unavailable"
    assert "redis" not in latest.text


# Now and next.


def test_what_is_on_is_told_as_its_document_has_it(stage: Stage) -> None:
    """Of each service the showing that is on, and the next, in the very words of the published document."""
    mirrored = stage.delivery.mirror.held(key(ALDER))
    assert mirrored is not None
    held = mirrored.document() or b""

    services = stage.get("/v1/now-next")["services"]

    alder, birch = services
    assert [alder["now"], *alder["next"]] == orjson.loads(held)["broadcasts"]
    assert (alder["sid"], alder["name"], alder["until"]) == (ALDER, "Alder One", "2026-03-10T12:15:00Z")
    assert (birch["now"], [shown["broadcast_pid"] for shown in birch["next"]]) == (None, ["w0000003"])


def test_now_is_kept_until_the_next_boundary(stage: Stage) -> None:
    """A cache may keep the answer for a minute, or until the next boundary, and not for when we do not answer."""
    early = stage.client.get("/v1/now-next")
    stage.advance(timedelta(minutes=14, seconds=20))
    late = stage.client.get("/v1/now-next")

    kept = [response.headers["cache-control"] for response in (early, late)]

    assert kept == ["private, max-age=60", "private, max-age=40"]


def test_next_becomes_now(stage: Stage) -> None:
    """The remembered result of a service is used before its boundary, and not at it."""
    told = [stage.get("/v1/now-next", sid=ALDER)["services"][0]["now"]]
    for hours in (0.25, 2.75):
        stage.advance(hours * _HOUR)
        told.append(stage.get("/v1/now-next", sid=ALDER)["services"][0]["now"])

    pids = [shown and shown["broadcast_pid"] for shown in told]

    assert pids == ["w0000001", None, "w0000002"]


def test_another_instant_can_be_asked_about(stage: Stage) -> None:
    """With `at`, the answer is about that instant; unknown services are left out."""
    services = stage.get("/v1/now-next", at="2026-03-10T15:00:00Z", sid=[ALDER, "nobody"])["services"]

    assert [(one["sid"], one["now"]["broadcast_pid"], one["next"]) for one in services] == [
        (ALDER, "w0000002", [])
    ]


def test_edit_shows_at_once(stage: Stage) -> None:
    """A new version of a schedule replaces the remembered result of its service."""
    before = stage.get("/v1/now-next", sid=ALDER)
    stage.publish(schedule(key(ALDER), [showing(1, NOON - _HOUR / 4, title="Late Change")], seq=2))

    after = stage.get("/v1/now-next", sid=ALDER)

    titles = [told["services"][0]["now"]["episode"]["title"] for told in (before, after)]
    assert titles == ["The Lantern", "Late Change"]


def test_name_that_is_set_is_told() -> None:
    """The name that the operators gave a service is the one that partners read."""
    stage = Stage(settings=Settings(service_names=((ALDER, "Alder First"),)))
    stage.publish(schedule(key(ALDER), [showing(1, NOON)]))

    told = stage.get("/v1/now-next")

    assert told["services"][0]["name"] == "Alder First"


# Where it is shown.


@pytest.mark.parametrize(
    ("pid", "found"),
    [
        (EPISODE, ["w0000001", "w0000002"]),
        (SERIES.pid, ["w0000001", "w0000002", "w0000003"]),
        (BRAND.pid, ["w0000001", "w0000002", "w0000003"]),
        ("p0000009", []),
    ],
)
def test_broadcasts_of_a_programme_are_told(stage: Stage, pid: Pid, found: list[str]) -> None:
    """An episode, a series and a brand lead to their coming broadcasts; an unknown pid to none."""
    page = stage.get(f"/v1/programmes/{pid}/broadcasts")

    assert _broadcasts(page) == found
    assert [page[name] for name in ("pid", "from", "to", "next")] == [
        pid,
        "2026-03-10T12:00:00Z",
        "2026-03-18T12:00:00Z",
        None,
    ]


def test_broadcasts_are_told_page_by_page(stage: Stage) -> None:
    """Following `next` leads through all broadcasts, each once."""
    path = f"/v1/programmes/{BRAND.pid}/broadcasts"
    pages = [stage.get(path, limit=1)]
    while (after := pages[-1]["next"]) is not None:
        assert len(pages) < 200, "the pages lead nowhere"
        pages.append(stage.get(path, limit=1, after=after))

    found = [pid for page in pages for pid in _broadcasts(page)]

    assert found == ["w0000001", "w0000002", "w0000003"]


def test_series_between_is_found_by_our_copies(stage: Stage) -> None:
    """A series that holds a series is named by no document, and leads to its broadcasts all the same."""
    outer = Pid("s0000009")
    listed = schedule(key(BIRCH, 2), [showing(9, NOON + 48 * _HOUR)])
    stage.publish(listed)
    stage.copy(CatalogueItem(outer, Kind.SERIES, parent_pid=BRAND.pid), above=[listed])
    stage.copy(
        CatalogueItem(EPISODE, Kind.EPISODE, parent_pid=SERIES.pid),
        CatalogueItem(SERIES.pid, Kind.SERIES, parent_pid=outer),
    )

    page = stage.get(f"/v1/programmes/{outer}/broadcasts")

    assert "w0000009" in _broadcasts(page)


# The latest episodes.


def _latest(stage: Stage, **body: Any) -> Any:
    asked = {"brands": [BRAND.pid], "since": "2026-03-08T00:00:00Z", **body}
    response = stage.client.post("/v1/episodes/latest", json=asked)
    response.raise_for_status()
    return response.json()


def test_follower_is_told_the_difference(stage: Stage) -> None:
    """A client that sends its episodes gets only the new, changed and withdrawn ones."""
    first = _latest(stage)
    held = [{"episode_pid": one["episode_pid"], "etag": one["etag"]} for one in first["new"]]
    nothing = _latest(stage, given=held)
    stage.publish(
        schedule(
            key(ALDER),
            [showing(1, NOON - _HOUR / 4, title="Retitled"), showing(7, NOON - _HOUR, episode_pid=_OTHER)],
            seq=2,
        )
    )
    edited = _latest(stage, given=held)
    stage.publish(schedule(key(ALDER), [showing(1, NOON - _HOUR / 4, episode_pid=None)], seq=3))
    blanked = _latest(stage, given=held)

    assert [one["episode_pid"] for one in first["new"]] == [EPISODE]
    assert nothing == {
        "since": "2026-03-08T00:00:00Z",
        "new": [],
        "changed": [],
        "withdrawn": [],
        "unchanged": 1,
    }
    assert [one["episode_pid"] for one in edited["new"]] == [_OTHER]
    assert [one["broadcast"]["episode"]["title"] for one in edited["changed"]] == ["Retitled"]
    assert (blanked["new"], blanked["changed"], blanked["withdrawn"]) == ([], [], [EPISODE])


def test_latest_is_told_as_documented_and_never_kept(stage: Stage) -> None:
    """The answer is what OpenAPI says of it, and no cache keeps it."""
    response = stage.client.post(
        "/v1/episodes/latest", json={"brands": [BRAND.pid], "since": "2026-03-08T00:00:00+00:00"}
    )

    read = documented.NewsOfBrands.model_validate_json(response.content)

    assert read.model_dump(mode="json", exclude_defaults=True) == response.json()
    assert read.new
    assert response.headers["cache-control"] == "no-store"


def test_example_of_the_body_is_taken(stage: Stage) -> None:
    """The body that OpenAPI shows as an example is one that is answered."""
    schema = stage.client.get("/openapi.json").json()["components"]["schemas"]["FollowedBrands"]

    response = stage.client.post("/v1/episodes/latest", json=schema["examples"][0])

    assert response.status_code == 200
    assert [one["episode_pid"] for one in response.json()["changed"]] == [EPISODE]


def test_since_is_not_before_what_is_kept(stage: Stage) -> None:
    """A ``since`` of long ago is taken for the earliest from which on everything is kept, and told so."""
    told = _latest(stage, since="0001-01-01T00:00:00Z")

    assert told["since"] == "2026-02-10T00:00:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {"brands": []},
        {"brands": ["b0000001"] * 51},
        {"brands": ["vowels"]},
        {"since": "2026-03-08T00:00:00"},
        {"count": 51},
        {"given": [{"episode_pid": EPISODE, "etag": "nonsense"}]},
        {"given": [{"episode_pid": EPISODE, "etag": "0-0123456789abcdef"}] * 1_001},
        {"sids": ["no sid"]},
        {"unknown": 1},
    ],
)
def test_body_out_of_bounds_is_a_problem(stage: Stage, body: dict[str, Any]) -> None:
    """A body with anything beyond its limit, or that means nothing, is refused with a problem document."""
    asked = {"brands": [BRAND.pid], "since": "2026-03-08T00:00:00Z", **body}

    rejected = stage.client.post("/v1/episodes/latest", json=asked)

    assert (rejected.status_code, rejected.headers["content-type"]) == (400, "application/problem+json")


def test_too_many_schedules_are_rejected(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brands that are in more schedules than one request may look into are refused, and it is said what to do."""
    monkeypatch.setattr(programmes, "MOST_SCHEDULES", 2)

    rejected = stage.client.post(
        "/v1/episodes/latest", json={"brands": [BRAND.pid], "since": "2026-03-08T00:00:00Z"}
    )

    assert rejected.status_code == 400
    assert "fewer brands" in rejected.json()["detail"]
    assert latest_episodes.MOST_SCHEDULES > 2


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "2031-03-10T12:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_any_instant_may_be_asked_about(stage: Stage, at: str) -> None:
    """Nothing is on at an instant of which nothing is published, however far away."""
    told = stage.get("/v1/now-next", at=at)["services"]

    assert told
    assert all(each["now"] is None and each["next"] == [] for each in told)
