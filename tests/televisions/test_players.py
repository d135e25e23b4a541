"""What players are answered: one XMLTV file under a secret address."""

import asyncio
import gzip
import zlib
from asyncio import gather
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing
from httpx import ASGITransport, AsyncClient, Response
from lxml import etree
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from televisions.stage import Televisions

from schedules_pipeline.delivery import player_guides
from schedules_pipeline.delivery.packing import Piece, deflate
from schedules_pipeline.delivery.player_guides import seconds_fixed
from schedules_pipeline.delivery.routes import players as routes
from schedules_pipeline.delivery.routes.addressed import printable_path
from schedules_pipeline.delivery.turns import Turns
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.partners.ports import UsageKind, UsageLine

_PUBLIC = "/players/televisions/guide.xml"


@pytest.fixture
def players() -> Televisions:
    """The stage of televisions: a public partner that sees alder, and a key that sees all."""
    return Televisions()


def _address(players: Televisions, name: str = "guide.xml") -> str:
    return f"/players/{players.key}/{name}"


def _channels(document: bytes) -> list[str]:
    return [str(channel.get("id")) for channel in etree.fromstring(document).iterfind("channel")]


def test_the_address_has_all_services_of_its_partner(players: Televisions) -> None:
    """A key those of its partner, a public name those that are public, and both without a header."""
    answer = players.client.get(_address(players))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    assert [name.partition(".")[0] for name in _channels(answer.content)] == [
        "alder-one",
        "birch-two",
        "cedar-silent",
    ]
    assert [name.partition(".")[0] for name in _channels(players.client.get(_PUBLIC).content)] == [
        "alder-one"
    ]


def test_the_file_is_gzipped_too(players: Televisions) -> None:
    """The same document as a file, whatever codings the client accepts, with a tag of its own."""
    plain = players.client.get(_address(players))
    file = players.client.get(_address(players, "guide.xml.gz"), headers={"Accept-Encoding": "identity"})

    assert gzip.decompress(file.content) == plain.content
    assert file.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in file.headers
    assert file.headers["etag"] != plain.headers["etag"]
    again = players.client.get(
        _address(players, "guide.xml.gz"), headers={"If-None-Match": file.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_player_that_has_the_file_is_told_so(players: Televisions) -> None:
    """By its tag or, without one, by its date; a tag of another version counts before a date."""
    first = players.client.get(_address(players))
    date = first.headers["last-modified"]

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return players.client.get(_address(players), headers=named).status_code

    assert status(if_none_match=first.headers["etag"]) == 304
    assert status(if_modified_since=date) == 304
    assert status(if_modified_since="Tue, 10 Mar 1998 00:00:00 GMT") == 200
    assert status(if_modified_since="yesterday") == 200
    assert status(if_modified_since=date, if_none_match='"other"') == 200


def test_the_file_is_of_the_latest_midnight(players: Televisions) -> None:
    """If nothing was published since, because its days moved on then."""
    today = players.client.get(_address(players)).headers["last-modified"]
    players.stage.advance(timedelta(days=1))

    answer = players.client.get(_address(players), headers={"If-Modified-Since": today})

    assert today == "Tue, 10 Mar 2026 00:00:00 GMT"
    assert (answer.status_code, answer.headers["last-modified"]) == (200, "Wed, 11 Mar 2026 00:00:00 GMT")


def test_a_change_is_in_the_file_after_a_minute(players: Televisions) -> None:
    """Until then the file is fixed, so that it is rendered once however often something changes."""
    first = players.client.get(_address(players))
    changed = schedule(key(), [showing(1, NOON, title="News")], seq=2, published_at=NOON)
    players.stage.publish(changed)
    fixed = players.client.get(_address(players))
    players.stage.advance(timedelta(seconds=60))
    later = players.client.get(
        _address(players), headers={"If-Modified-Since": first.headers["last-modified"]}
    )

    assert fixed.content == first.content
    assert (later.status_code, b"News" in later.content) == (200, True)
    assert b'date="2026-03-10" seq="2"' in later.content


def test_a_publication_of_this_second_has_no_date_yet(players: Televisions) -> None:
    """Another one in the same second would have the same."""
    players.stage.publish(schedule(key(), [showing(1, NOON)], seq=2, published_at=NOON))

    assert "last-modified" not in players.client.get(_address(players)).headers


def test_the_file_is_rendered_once_for_all_who_see_the_same(players: Televisions) -> None:
    """The first request pays for the rendering, those after it one token each."""
    first, again = (players.client.get(_address(players)) for _ in range(2))

    assert "schedules-cost" in first.headers
    assert "schedules-cost" not in again.headers
    assert again.headers["cache-control"].startswith("private, max-age=60")


def test_only_public_answers_are_shared_by_caches(players: Televisions) -> None:
    """Also where a key sees the same services as the public."""
    client = players.stage.ask_as("willow", ("alder*",))
    address = f"/players/{client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"

    private, public = players.client.get(address), players.client.get(_PUBLIC)

    assert private.content == public.content
    assert private.headers["cache-control"].startswith("private, ")
    assert public.headers["cache-control"].startswith("public, ")


def test_days_can_be_chosen(players: Televisions) -> None:
    """`from` and `to`, both included, at most 31 days."""
    tomorrow = key(days=1)
    players.stage.publish(schedule(tomorrow, [showing(77, NOON + timedelta(days=1))]))

    def get(**params: str) -> bytes:
        answer = players.client.get(_address(players), params=params)
        assert answer.status_code == (400 if "to" in params and params["to"] > "2026-04" else 200)
        return answer.content

    only = etree.fromstring(get(**{"from": "2026-03-11", "to": "2026-03-11"}))
    assert [one.get("start") for one in only.iterfind("programme")] == ["20260311120000 +0000"]
    assert get(**{"from": "2027-01-01"})
    assert get(**{"from": "2026-03-11", "to": "2026-05-11"})


def test_a_revoked_address_ends_at_once(players: Televisions) -> None:
    """It is a key: revoked, rotated and counted like one, and no name opens what is not public."""
    assert players.client.get("/players/everyone/guide.xml").status_code == 401
    assert players.client.get(_address(players)).status_code == 200
    players.stage.partners[0] = replace(players.stage.partners[0], keys=())
    players.refresh()

    assert players.client.get(_address(players)).status_code == 401
    counts = players.stage.delivery.admission.collect_usage(NOON.date())[NOON.date()]
    line = UsageLine("everyone", UsageKind.REQUESTS, "/players/{access}/guide.xml", "200")
    assert counts[line] == 1


def test_the_address_is_in_no_log(players: Televisions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect is logged with the path without the key, and the problem does not repeat it."""

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(routes, "_represent", fail)
    client = TestClient(players.stage.client.app, raise_server_exceptions=False)

    with capture_logs() as logs:
        answer = client.get(_address(players))

    assert answer.status_code == 500
    assert players.key not in answer.text
    assert [log["path"] for log in logs] == ["/players/{access}/guide.xml"]
    assert printable_path(_address(players)) == "/players/{access}/guide.xml"


def test_more_than_a_hundred_services_are_one_request() -> None:
    """Of a day in any format, and of the file for players."""
    stage = Stage()
    sids = [Sid(f"alder_{number}") for number in range(104)]
    stage.publish(*(schedule(key(sid), [showing(1, NOON)]) for sid in (*sids, ALDER, BIRCH)))
    path = f"/players/{stage.client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"

    for asked in ("/v1/schedules", "/v1/schedules.xmltv", path):
        assert stage.client.get(asked).status_code == 200, asked
    assert len(_channels(stage.client.get(path).content)) == 106
    named = stage.client.get("/v1/schedules", params=[("sid", sid) for sid in sids])
    assert len(named.json()["schedules"]) == 104


def _recorded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The pieces that are rendered from now on."""
    rendered: list[bytes] = []

    def record(plain: bytes) -> Piece:
        rendered.append(plain)
        return deflate(plain)

    monkeypatch.setattr("schedules_pipeline.delivery.routes.answering.deflate", record)
    return rendered


def test_a_change_renders_its_day_again(players: Televisions, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the days beside it, for which its schedule is read too. All others, the channels of equal versions, and the
    end are remembered.
    """
    players.client.get(_address(players))
    players.stage.publish(schedule(key(), [showing(1, NOON, title="News")], seq=2, published_at=NOON))
    players.stage.advance(timedelta(seconds=60))
    rendered = _recorded(monkeypatch)

    later = players.client.get(_address(players))

    start, *days = rendered
    assert b"<channel" in start
    assert [b"News" in day for day in days] == [False, True, False, False]
    assert len(_channels(later.content)) == 3
    assert later.headers["schedules-cost"] == "2"


def test_answers_for_ever_other_days_are_not_kept(
    players: Televisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the latest of them, so that memory is bounded whatever days are asked for."""
    monkeypatch.setattr(player_guides, "_MOST_SCHEDULES_FIXED", 10)
    for day in range(10, 20):
        asked = {"from": f"2026-03-{day}", "to": f"2026-03-{day}"}
        assert players.client.get(_address(players), params=asked).status_code == 200

    guides = cast("Any", players.stage.client.app).state.serving.player_guides

    assert [days.first.day for _, days, _ in guides._fixed] == [17, 18, 19]
    assert {days.first.day for _, days in guides._services} == {17, 18, 19}


def test_midnight_renders_one_day_of_each_service(
    players: Televisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file then has one day more and one less; what both have is remembered."""
    far = NOON + timedelta(days=14)
    players.stage.publish(
        schedule(key(days=14), [showing(91, far)]), schedule(key(BIRCH, 14), [showing(92, far)])
    )
    before = players.client.get(_address(players))
    players.stage.advance(timedelta(days=1))
    rendered = _recorded(monkeypatch)

    after = players.client.get(_address(players))

    start_of_the_day = b'start="20260324120000 +0000"'
    assert (before.content.count(start_of_the_day), after.content.count(start_of_the_day)) == (0, 2)
    assert len(rendered) == 3
    assert sum(start_of_the_day in piece for piece in rendered) == 2
    assert after.headers["schedules-cost"] == "2"
    guides = cast("Any", players.stage.client.app).state.serving.player_guides
    assert {days.last.isoformat() for _, days in guides._services} == {"2026-03-24"}


def test_a_file_of_pieces_is_one_member_of_gzip(players: Televisions) -> None:
    """Its checksum and length are those of the whole, and it ends with the member."""
    plain = players.client.get(_address(players), headers={"Accept-Encoding": "identity"})
    file = players.client.get(_address(players, "guide.xml.gz"))
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)

    assert "content-encoding" not in plain.headers
    assert reader.decompress(file.content) == plain.content
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_a_large_guide_has_all_days_and_is_fixed_for_longer() -> None:
    """Three hundred services on fifteen days are one file, which takes at most five minutes to follow."""
    stage = Stage()
    sids = [Sid(f"alder_{number}") for number in range(300)]
    stage.publish(*(schedule(key(sid, 13), [showing(1, NOON + timedelta(days=13))]) for sid in sids))
    path = f"/players/{stage.client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"

    answer = stage.client.get(path)

    assert answer.content.count(b'start="20260323120000 +0000"') == 300
    assert answer.headers["cache-control"].startswith("private, max-age=300")
    assert (seconds_fixed(300), seconds_fixed(1_200), seconds_fixed(4_500)) == (60, 240, 300)


def _large_stage(limit: int, days: int = 1) -> tuple[Stage, str]:
    """Of a hundred services, with so many schedules each; their guide costs a token for each four."""
    stage = Stage()
    for number in range(100):
        sid = Sid(f"alder_{number}")
        stage.publish(*(schedule(key(sid, day), [showing(1, NOON + timedelta(day))]) for day in range(days)))
    stage.partners[0] = replace(stage.partners[0], requests_per_minute=limit)
    stage.delivery.admission.refresh(stage.partners, {}, NOON)
    return stage, f"/players/{stage.client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"


def test_a_player_is_answered_when_other_programs_have_used_up_the_tokens() -> None:
    """With a tenth of them that is kept for players, and of the day's; the programs are rejected all the time."""
    stage, address = _large_stage(100)
    stage.client.get(address)
    stage.delivery.admission.charge(stage.partners[0], 150)

    programs, players = (
        [stage.client.get(path).status_code for _ in range(11)] for path in ("/v1/services", address)
    )
    stage.advance(timedelta(seconds=6))

    assert programs == [429] * 11
    assert players == [200] * 10 + [429]
    assert [stage.client.get(path).status_code for path in ("/v1/services", address, address)] == [
        429,
        200,
        429,
    ]
    assert stage.delivery.admission.limits(stage.partners[0], stage.clock())["minute"]["left"] == 0


def test_a_player_is_answered_when_the_days_requests_are_used_up() -> None:
    """A tenth more than the day's limit, with those of other processes."""
    stage, address = _large_stage(1_000)
    stage.partners[0] = replace(stage.partners[0], requests_per_day=50)
    stage.delivery.admission.refresh(stage.partners, {"everyone": 50}, NOON)

    assert stage.client.get("/v1/services").status_code == 429
    assert [stage.client.get(address).status_code for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize("is_rendering", [True, False])
def test_a_player_waits_however_many_requests_wait(*, is_rendering: bool) -> None:
    """Where any other request would be rejected, for rendering and for planning."""
    stage, address = _large_stage(1_000)
    serving = cast("Any", stage.client.app).state.serving
    turns: Turns = stage.delivery.rendering._turns if is_rendering else serving.planners
    turns._free, turns._each_most_waiting = 1, 0

    async def ask() -> list[Response]:
        transport = ASGITransport(cast("Any", stage.client.app))
        headers = stage.client.headers
        async with AsyncClient(transport=transport, base_url="http://stage", headers=headers) as client:
            async with turns.turn("everyone"):
                rejected = await client.get("/v1/schedules.xmltv", params={"date": f"{TODAY}"})
                player = asyncio.ensure_future(client.get(address))
                while not (turns._waiting or player.done()):  # noqa: ASYNC110 - nobody is told who waits
                    await asyncio.sleep(0)
            return [rejected, await player]

    assert [answer.status_code for answer in asyncio.run(ask())] == [429, 200]


def test_players_that_begin_at_once_pay_once() -> None:
    """Each piece is paid for by the request that has it made, however many wait for it."""
    stage, address = _large_stage(1_000)

    async def both() -> tuple[Response, Response]:
        transport = ASGITransport(cast("Any", stage.client.app))
        async with AsyncClient(transport=transport, base_url="http://stage") as client:
            return await gather(client.get(address), client.get(f"{address}.gz"))

    answers = asyncio.run(both())

    left = stage.delivery.admission.limits(stage.partners[0], NOON)["minute"]["left"]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert left == 1_000 - 2 - 25


def test_a_large_guide_leaves_tokens_for_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once half of the minute's tokens are gone its pieces wait for new ones, at most a second each."""
    stage, address = _large_stage(120, days=8)
    pauses: list[float] = []

    async def advance(seconds: float) -> None:
        pauses.append(seconds)
        stage.advance(timedelta(seconds=seconds))

    monkeypatch.setattr("schedules_pipeline.delivery.routes.answering.sleep", advance)

    first = stage.client.get(address)
    left = stage.delivery.admission.limits(stage.partners[0], stage.clock())["minute"]["left"]
    again = stage.client.get(address)

    assert first.headers["schedules-cost"] == "201"
    assert left >= 58
    assert max(pauses) == 1
    assert (again.status_code, again.content) == (200, first.content)
