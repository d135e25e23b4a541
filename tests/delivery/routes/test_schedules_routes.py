"""Services and schedules over HTTP."""

import asyncio
import gzip
import os
import threading
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
import zstandard
from delivery_stage import DeliveryStage
from pydantic import BaseModel
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.routes import answering, documented
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError

_ALDER, _NEXT, _BIRCH = KEYS
_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_PATH = "/v1/schedules/alder/2026-03-28"
_IDENTITY = {"Accept-Encoding": "identity"}


@pytest.fixture
def stage() -> DeliveryStage:
    """Three schedules of two services are published."""
    stage = DeliveryStage()
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.keep_up()
    return stage


def _stored(stage: DeliveryStage, key: ScheduleKey = _ALDER) -> bytes:
    return stage.store.schedules.documents([key])[key]


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_schedule_is_the_stored_document(stage: DeliveryStage, coding: str) -> None:
    """In every coding a schedule is, byte by byte, the document that was published."""
    with stage.client().stream("GET", _PATH, headers={"Accept-Encoding": coding}) as answer:
        raw = b"".join(answer.iter_raw())

    unpack: dict[str, Callable[[bytes], bytes]] = {
        "identity": bytes,
        "gzip": gzip.decompress,
        "zstd": zstandard.ZstdDecompressor().decompress,
    }
    assert unpack[coding](raw) == _stored(stage)
    assert answer.headers.get("content-encoding", "identity") == coding
    assert answer.headers["content-length"] == str(len(raw))
    assert answer.headers["content-type"] == "application/json"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.headers["last-modified"] == "Sat, 28 Mar 2026 12:00:00 GMT"


def test_schedule_that_is_held_is_not_sent_again(stage: DeliveryStage) -> None:
    """The tag of the same version and coding gives 304 with the headers of 200; a later version is sent."""
    acme = stage.client()
    tags = [
        acme.get(_PATH, headers={"Accept-Encoding": coding}).headers["etag"] for coding in ("gzip", "zstd")
    ]
    conditions = [(tags[0], "gzip"), (tags[1], "zstd"), (f'W/{tags[0]}, "x"', "gzip"), ("*", "zstd")]
    same = [
        acme.get(_PATH, headers={"If-None-Match": tag, "Accept-Encoding": coding})
        for tag, coding in conditions
    ]
    stage.publish([SchedulePut(_ALDER, _SLOTS, 7)])
    stage.keep_up()

    other = [acme.get(_PATH, headers={"If-None-Match": tag}) for tag in tags]

    assert len(set(tags)) == 2
    assert [answer.status_code for answer in same + other] == [304] * 4 + [200] * 2
    assert {answer.content for answer in same} == {b""}
    assert same[0].headers["etag"] == tags[0]
    assert {"cache-control", "vary", "last-modified"} <= same[0].headers.keys()


def test_nearer_the_air_is_kept_for_shorter(stage: DeliveryStage) -> None:
    """A day on the air is fresh for seconds, tomorrow for longer, and one that is over longest."""
    paths = (_PATH, "/v1/schedules/alder/2026-03-29")
    answers = [stage.client().get(path) for path in paths]
    stage.clock.advance(timedelta(days=2))
    stage.keep_up()

    answers.append(stage.client().get(_PATH))

    fresh = [answer.headers["cache-control"].split(", ")[1] for answer in answers]
    assert fresh == ["max-age=5", "max-age=30", "max-age=3600"]


def test_missing_and_removed_are_told_apart(stage: DeliveryStage) -> None:
    """A schedule that was never published is 404; a removed one tells when it was removed, and its number."""
    stage.publish([ScheduleRemoved(_ALDER)])
    stage.keep_up()

    missing, removed = (stage.client().get(path) for path in ("/v1/schedules/alder/2026-04-09", _PATH))

    assert [missing.status_code, removed.status_code] == [404, 404]
    assert "removed" not in missing.json()
    assert removed.json() | {"removed": True, "seq": 2} == removed.json()


def test_version_that_is_not_here_yet_is_read_from_the_store(stage: DeliveryStage) -> None:
    """A version that the mirror lacks is read from the store; a request without a number gets the mirror's."""
    before = _stored(stage)
    stage.publish([SchedulePut(_ALDER, _SLOTS, 7)])

    told, held = stage.client().get(f"{_PATH}?min_seq=2"), stage.client().get(_PATH)

    assert (told.content, held.content) == (_stored(stage), before)
    assert told.json()["seq"] == 2


@pytest.mark.parametrize("document", [None, b'{"sid":'])
def test_version_that_cannot_be_read_leaves_what_is_held(
    stage: DeliveryStage, document: bytes | None
) -> None:
    """A version that is gone from the store, or damaged there, takes away nothing that is held here."""
    before = _stored(stage)
    stage.store.schedules.kept[_ALDER].document = document

    answer = stage.client().get(f"{_PATH}?min_seq=2")

    assert (answer.status_code, answer.content) == (200, before)


def test_store_that_lost_its_latest_writes_takes_nothing_away(stage: DeliveryStage) -> None:
    """Where the store knows an older version than is held, as after a failover, the newer one is told."""
    before = _stored(stage)
    stage.publish([SchedulePut(_ALDER, _SLOTS, 7)])
    stage.keep_up()
    newer = _stored(stage)
    stage.store.schedules.kept[_ALDER].document = before

    answer = stage.client().get(f"{_PATH}?min_seq=3")

    assert answer.content == newer


def test_what_is_kept_goes_by_the_key_wherever_it_stands(stage: DeliveryStage) -> None:
    """A browser's cache gives one who signs in after another nothing that was the other's."""
    answer = stage.client().get(_PATH)

    assert {"Authorization", "Cookie"} <= set(answer.headers["vary"].split(", "))


def test_what_is_held_needs_no_store(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules, ranges, services and the digest are told while the store is away."""

    def fail(*_: object) -> None:
        raise ServiceError("away")

    monkeypatch.setattr(stage.store.schedules, "documents", fail)
    monkeypatch.setattr(stage.store.feed, "read_after", fail)

    paths = (_PATH, f"{_PATH}?min_seq=1", "/v1/services", "/v1/schedules?date=2026-03-28", "/v1/digest")
    statuses = [stage.client().get(path).status_code for path in paths]

    assert statuses == [200] * 5


def test_range_has_documents_and_what_is_missing(stage: DeliveryStage) -> None:
    """A service over days is its documents in order of date, and the names of the days that have none."""
    answer = stage.client().get("/v1/schedules/alder?from=2026-03-27&to=2026-03-29", headers=_IDENTITY)

    documents = _stored(stage) + b"," + _stored(stage, _NEXT)
    assert answer.content == b'{"schedules":[' + documents + b'],"missing":["alder/2026-03-27"]}'


def test_week_from_today_is_given_if_none_is_named(stage: DeliveryStage) -> None:
    """Without dates a service is told from today where the broadcaster is, and for seven days."""
    answer = stage.client().get("/v1/schedules/alder").json()

    assert [each["date"] for each in answer["schedules"]] == ["2026-03-28", "2026-03-29"]
    assert answer["missing"][-1] == "alder/2026-04-03"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=2026-03-28&to=2026-04-27", 200),
        ("from=2026-03-28&to=2026-04-28", 400),
        ("from=2026-03-28&to=2026-03-27", 400),
        ("from=0001-01-01", 400),
        ("from=9999-01-01", 400),
        ("from=9998-12-31", 404),
        ("from=2026-02-30", 400),
        ("from=20260328", 400),
        ("from=2026-03-28&to=9998-01-01", 400),
        ("from=2026-03-28&day=25:00", 400),
        ("from=2026-03-28&straddling=sometimes", 400),
    ],
)
def test_range_has_limits(stage: DeliveryStage, query: str, status: int) -> None:
    """At most 31 days are told at once, and only of dates that there are."""
    assert stage.client().get(f"/v1/schedules/alder?{query}").status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/v1/schedules/alder/2026-3-28",
        "/v1/schedules/alder/2026-13-01",
        "/v1/schedules/alder/0001-01-01",
        "/v1/schedules/ALDER/2026-03-28",
        "/v1/schedules/al.der/2026-03-28",
        "/v1/schedules/" + "a" * 65 + "/2026-03-28",
        "/v1/schedules/" + "a" * 91 + "/2026-03-28",
        "/v1/schedules/%00/2026-03-28",
        "/v1/schedules/%F0%9F%93%BA/2026-03-28",
        f"{_PATH}?day=midnight",
        f"{_PATH}?min_seq=-1",
        f"{_PATH}?min_seq=" + str(2**53 + 1),
        "/v1/schedules?sid=alder%20one",
        "/v1/schedules?" + "&".join(["sid=alder"] * 501),
        "/v1/schedules?date=today",
    ],
)
def test_what_no_schedule_can_be_called_is_rejected(stage: DeliveryStage, path: str) -> None:
    """Ids, dates, numbers and cuts are checked before anything is looked for."""
    answer = stage.client().get(path)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")


def test_many_services_of_one_day(stage: DeliveryStage) -> None:
    """Named services are given in the order in which they are named, each once; unnamed, all that one may see."""
    named = stage.client().get(
        "/v1/schedules?date=2026-03-28&sid=birch_radio&sid=alder&sid=birch_radio&sid=cedar"
    )
    every = stage.client().get("/v1/schedules?date=2026-03-28")

    assert [each["sid"] for each in named.json()["schedules"]] == ["birch_radio", "alder"]
    assert named.json()["missing"] == ["cedar/2026-03-28"]
    assert [each["sid"] for each in every.json()["schedules"]] == ["alder", "birch_radio"]


@pytest.mark.parametrize("path", [_PATH, "/v1/schedules/alder", "/v1/schedules"])
@pytest.mark.parametrize(("name", "root"), [("xmltv", b"<tv"), ("tva", b"<TVAMain")])
def test_format_of_the_path_is_that_of_accept(
    stage: DeliveryStage, path: str, name: str, root: bytes
) -> None:
    """Every format is given by its name behind a path, and by its media type."""
    accept = {"Accept": f"application/vnd.schedules.{name}+xml, */*;q=0.1"}

    by_path, by_accept = stage.client().get(f"{path}.{name}"), stage.client().get(path, headers=accept)

    assert root in by_path.content
    assert by_path.headers["content-type"].startswith("application/xml")
    assert (by_accept.content, by_accept.headers["etag"]) == (by_path.content, by_path.headers["etag"])
    assert "Accept" in by_accept.headers["vary"].split(", ")


@pytest.mark.parametrize("path", [_PATH, "/v1/schedules/alder", "/v1/schedules"])
def test_format_that_there_is_not_is_rejected(stage: DeliveryStage, path: str) -> None:
    """No other format is made up: neither for a media type, nor for a name."""
    by_accept = stage.client().get(path, headers={"Accept": "audio/mpeg"})
    by_path = stage.client().get(f"{path}.mp3")

    assert (by_accept.status_code, by_accept.json()["offered"][0]) == (406, "application/json")
    assert (by_path.status_code, "xmltv" in by_path.json()["detail"]) == (404, True)


def test_format_of_the_path_wins(stage: DeliveryStage) -> None:
    """The format in the path wins over the Accept header."""
    answer = stage.client().get(f"{_PATH}.json", headers={"Accept": "audio/mpeg"})

    assert answer.content == _stored(stage)


def test_day_is_cut_as_the_partner_cuts_it(stage: DeliveryStage) -> None:
    """A day in UTC, or from a local time on, is a guide of that window."""
    # The next day's schedule lists the same broadcasts, and would show them on its own day.
    stage.publish([ScheduleRemoved(_NEXT)])
    stage.keep_up()
    paths = (f"{_PATH}?day=utc", f"{_PATH}?day=18:15", f"{_PATH}?day=18:15&straddling=overlaps")
    guides = [stage.client().get(path).json()["guides"][0] for path in paths]

    assert [(guide["start"], guide["end"]) for guide in guides[:2]] == [
        ("2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z"),
        ("2026-03-28T18:15:00Z", "2026-03-29T17:15:00Z"),
    ]
    assert [len(guide["broadcasts"]) for guide in guides] == [2, 1, 2]


def test_services_have_what_is_published_of_them(stage: DeliveryStage) -> None:
    """Services are listed with the first and last of their days; removed days do not count."""
    stage.publish([ScheduleRemoved(_NEXT), ScheduleRemoved(_BIRCH)])
    stage.keep_up()

    answer = stage.client().get("/v1/services").json()

    assert answer == {
        "services": [
            {
                "sid": "alder",
                "name": "Alder",
                "is_radio": False,
                "first_date": "2026-03-28",
                "last_date": "2026-03-28",
                "schedules": 1,
            }
        ]
    }


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/services", documented.Services),
        (_PATH, documented.Schedule),
        ("/v1/schedules/alder", documented.Schedules),
        ("/v1/schedules", documented.Schedules),
        (f"{_PATH}?day=utc", documented.Guides),
        ("/v1/schedules/alder?day=05:30", documented.Guides),
        ("/v1/schedules?day=utc", documented.Guides),
        ("/v1/digest", documented.Digest),
        ("/v1/changes?since=MXwwfA", documented.Changes),
        ("/v1/nothing", documented.ProblemDocument),
    ],
)
def test_answer_is_as_it_is_documented(stage: DeliveryStage, path: str, model: type[BaseModel]) -> None:
    """An answer has exactly the fields that OpenAPI describes, in every part."""
    answer = stage.client().get(path).json()

    read = model.model_validate(answer)

    assert _fields(read.model_dump(exclude_defaults=True)) == _fields(answer)


def _fields(value: object) -> object:
    """The names of all members, without their values."""
    match value:
        case dict():
            return {name: _fields(member) for name, member in value.items()}
        case list():
            return [_fields(member) for member in value]
        case _:
            return None


def test_what_many_ask_for_at_once_is_rendered_once(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests for the same representation wait for one rendering, and later requests get its result."""
    rendered, may_go_on, began = [], threading.Event(), threading.Event()

    def render(*_: object) -> bytes:
        rendered.append(1)
        began.set()
        may_go_on.wait(10)
        return os.urandom(2_000)

    async def ask_all() -> set[bytes]:
        transport = httpx2.ASGITransport(stage.application)
        headers = {"Authorization": stage.client().headers["authorization"]}
        async with httpx2.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
            asked = [asyncio.ensure_future(client.get(f"{_PATH}.xmltv")) for _ in range(5)]
            await asyncio.to_thread(began.wait, 10)
            may_go_on.set()
            answers = [*await asyncio.gather(*asked), await client.get(f"{_PATH}.xmltv")]
            return {answer.content for answer in answers}

    monkeypatch.setattr("schedules_pipeline.delivery.selections.render_guide", render)

    contents = asyncio.run(ask_all())

    assert (len(contents), len(rendered)) == (1, 1)


def test_large_plain_answers_come_in_pieces(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large answer without compression has the same bytes and a Content-Length, and is sent in pieces."""
    whole = stage.client().get("/v1/schedules/alder?from=2026-03-28", headers={"Accept-Encoding": "identity"})
    monkeypatch.setattr(answering, "_LARGE_BYTES", 100)

    in_pieces = stage.client().get(
        "/v1/schedules/alder?from=2026-03-28", headers={"Accept-Encoding": "identity"}
    )

    assert in_pieces.content == whole.content
    assert in_pieces.headers["content-length"] == str(len(whole.content))
    assert in_pieces.headers["etag"] == whole.headers["etag"]
