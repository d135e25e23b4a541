"""The digest, the feed in pages, waiting for it, and the feed as a stream."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from delivery.routes.asgi import GuideQuery
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery import changes
from schedules_pipeline.documents.cursors import FeedCursor, parse_cursor, render_cursor
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import Partner

_ALDER, _NEXT, _BIRCH = KEYS
_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_FEED, _STREAM = "/v1/changes", "/v1/changes/stream"


@pytest.fixture
def stage() -> DeliveryStage:
    """Five rows of the feed: two versions of a schedule, one of another that is removed then, and one of a second
    service.
    """
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")
    for change in (
        SchedulePut(_ALDER, _SLOTS),
        SchedulePut(_NEXT, _SLOTS),
        SchedulePut(_BIRCH, _SLOTS),
        SchedulePut(_ALDER, _SLOTS, 5),
        ScheduleRemoved(_NEXT),
    ):
        stage.publish([change])
    stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
    stage.keep_up()
    return stage


def _at(position: int | str, epoch: str = "first") -> str:
    return render_cursor(FeedCursor(epoch, str(position)))


def _get(stage: DeliveryStage, path: str, partner: str = "acme", **params: object) -> Any:
    answer = stage.client(partner).get(path, params=params)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


def _rows(page: Any) -> list[tuple[str, int, bool]]:
    return [(f"{row['sid']}/{row['date']}", row["seq"], row["removed"]) for row in page["changes"]]


_ALL = [
    ("alder/2026-03-28", 1, False),
    ("alder/2026-03-29", 1, False),
    ("birch_radio/2026-03-28", 1, False),
    ("alder/2026-03-28", 2, False),
    ("alder/2026-03-29", 2, True),
]


# The digest


def test_digest_has_every_version_and_where_to_go_on(stage: DeliveryStage) -> None:
    """The digest tells every service and day, removals too, and the cursor is after all of it."""
    digest = _get(stage, "/v1/digest")

    told = {
        (f"{sid}/{day['date']}", day["seq"], day["removed"])
        for sid, days in digest["services"].items()
        for day in days
    }
    assert told == {_ALL[2], _ALL[3], _ALL[4]}
    assert _get(stage, _FEED, since=digest["cursor"])["changes"] == []
    document = stage.client().get("/v1/schedules/alder/2026-03-28").json()
    entry = digest["services"]["alder"][0]
    assert (entry["etag"], entry["seq"]) == (document["etag"], document["seq"])


def test_digest_is_cut_to_services_and_days(stage: DeliveryStage) -> None:
    """Who names services or days gets those alone."""
    by_sid = _get(stage, "/v1/digest", sid="birch_radio")["services"]
    by_day = _get(stage, "/v1/digest", **{"from": "2026-03-29", "to": "2026-03-29"})["services"]

    assert list(by_sid) == ["birch_radio"]
    assert {sid: [day["date"] for day in days] for sid, days in by_day.items()} == {
        "alder": ["2026-03-29"],
        "birch_radio": [],
    }


def test_digest_follows_what_is_published(stage: DeliveryStage) -> None:
    """A digest that was asked for before is another one once something is published."""
    before = stage.client().get("/v1/digest").json()
    stage.publish([SchedulePut(_ALDER, _SLOTS, 9)])
    stage.follow()

    after = stage.client().get("/v1/digest").json()

    key = str(_ALDER.sid), _ALDER.date.isoformat()
    versions = [
        {(sid, day["date"]): day["seq"] for sid, days in digest["services"].items() for day in days}[key]
        for digest in (before, after)
    ]
    assert versions[1] == versions[0] + 1
    assert before["cursor"] != after["cursor"]


def test_digest_that_is_held_is_not_sent_again(stage: DeliveryStage) -> None:
    """While nothing changes, the digest is 304; its age is asked about each time."""
    first = stage.client().get("/v1/digest")

    again = stage.client().get("/v1/digest", headers={"If-None-Match": first.headers["etag"]})
    stage.publish([SchedulePut(_ALDER, _SLOTS, 9)])
    stage.keep_up()
    later = stage.client().get("/v1/digest", headers={"If-None-Match": first.headers["etag"]})

    assert [again.status_code, later.status_code] == [304, 200]
    assert "max-age=0" in first.headers["cache-control"]


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 1_000])
def test_pages_of_any_size_give_every_row_once(stage: DeliveryStage, limit: int) -> None:
    """Whatever the size of a page, whoever goes on from each gets every row, in order, once; and hears when it ends."""
    since, has_more = _at(0), True
    rows: list[tuple[str, int, bool]] = []
    while has_more:
        page = _get(stage, _FEED, since=since, limit=limit)
        assert len(page["changes"]) <= limit
        rows, since, has_more = rows + _rows(page), page["cursor"], page["more"]

    assert rows == _ALL
    assert parse_cursor(since) == stage.delivery.mirror.cursor


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_rows_that_are_too_old_for_memory_come_from_the_store(stage: DeliveryStage, limit: int) -> None:
    """A process that has just begun gives all that the store has, page by page."""
    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()

    since, has_more = _at(0), True
    rows: list[tuple[str, int, bool]] = []
    while has_more:
        page = _get(stage, _FEED, since=since, limit=limit)
        rows, since, has_more = rows + _rows(page), page["cursor"], page["more"]

    assert stage.delivery.tail.after("0", 1) is None
    assert rows == _ALL


def test_partner_gets_rows_of_its_services(stage: DeliveryStage) -> None:
    """Rows of other services are passed over, and not counted as more."""
    page = _get(stage, _FEED, "birch-only", since=_at(0), limit=1)

    assert (_rows(page), page["more"]) == ([_ALL[2]], False)
    assert parse_cursor(page["cursor"]) == stage.delivery.mirror.cursor


def test_page_looks_at_so_many_rows(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request looks at a bounded number of rows; who sees few services may get an empty page that has more."""
    for module in ("schedules_pipeline.delivery.changes", "schedules_pipeline.delivery.routes.changes"):
        monkeypatch.setattr(f"{module}.SCANNED_AT_ONCE", 2)

    first = _get(stage, _FEED, "birch-only", since=_at(0))
    second = _get(stage, _FEED, "birch-only", since=first["cursor"])

    assert (first["changes"], first["more"]) == ([], True)
    assert _rows(second) == [_ALL[2]]


def test_nothing_is_told_that_cannot_be_fetched_yet(stage: DeliveryStage) -> None:
    """A row that the mirror has not taken in is told later, though the store has it."""
    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()
    stage.publish([SchedulePut(_ALDER, _SLOTS, 9)])

    before = _get(stage, _FEED, since=_at(0))
    stage.follow()
    after = _get(stage, _FEED, since=before["cursor"])

    assert _rows(before) == _ALL
    assert _rows(after) == [("alder/2026-03-28", 3, False)]


def test_version_can_be_read_where_the_row_says(stage: DeliveryStage) -> None:
    """The address in a row is that of the version, or of a later one."""
    row = _get(stage, _FEED, since=_at(3))["changes"][0]

    answer = stage.client().get(row["href"]).json()

    assert (answer["seq"], answer["etag"], answer["published_at"][:19]) == (
        row["seq"],
        row["etag"],
        row["published_at"][:19],
    )
    assert row["broadcasts"] == len(answer["broadcasts"])


def test_cursor_too_old_is_told_where_to_begin(stage: DeliveryStage) -> None:
    """Where rows after a cursor are gone, the answer is 410 with the digest's address, and its cursor holds."""
    stage.clock.advance(timedelta(hours=5))
    stage.store.feed.trim(stage.clock())
    stage.begin_delivery()

    answer = stage.client().get(_FEED, params={"since": _at(2)})

    assert (answer.status_code, answer.json()["digest"]) == (410, "/v1/digest")
    assert answer.json()["type"] == "/problems/cursor-too-old"
    assert _get(stage, _FEED, since=_get(stage, "/v1/digest")["cursor"])["changes"] == []


def test_cursor_at_the_end_is_never_too_old(stage: DeliveryStage) -> None:
    """Who has read everything has missed nothing, though every row be gone by now."""
    stage.clock.advance(timedelta(days=30))
    stage.store.feed.trim(stage.clock())
    stage.begin_delivery()

    assert _get(stage, _FEED, since=_at(5))["changes"] == []


@pytest.mark.parametrize("path", [_FEED, _STREAM])
def test_cursor_of_another_keyspace_is_gone(stage: DeliveryStage, path: str) -> None:
    """What was read in a keyspace that was lost means nothing in this one."""
    answer = stage.client().get(path, params={"since": _at(2, "lost")})

    assert (answer.status_code, answer.json()["digest"]) == (410, "/v1/digest")


@pytest.mark.parametrize("since", ["", "x", "MXwyfA==", "é", "0", "A" * 201])
def test_what_is_no_cursor_is_rejected(stage: DeliveryStage, since: str) -> None:
    """A text that was never given as a cursor is a bad request, and no defect."""
    answers = [stage.client().get(_FEED, params={"since": since})]
    if since.isascii() and since:
        answers.append(stage.client().get(_STREAM, headers={"Last-Event-ID": since}))

    assert {answer.status_code for answer in answers} == {400}


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1_001}, {"wait": -1}, {"wait": 56}, {"wait": "long"}]
)
def test_pages_have_limits(stage: DeliveryStage, query: dict[str, object]) -> None:
    """Neither the size of a page nor the time to wait can be more than is said."""
    answer = stage.client().get(_FEED, params={"since": _at(0), **query})  # type: ignore[dict-item]

    assert answer.status_code == 400


def test_old_rows_cannot_be_told_without_the_store(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the store has is 503 while it is away; the latest rows are told all the same."""

    def fail(*_: object) -> None:
        raise ServiceError("away")

    stage.clock.advance(timedelta(hours=5))
    stage.begin_delivery()
    monkeypatch.setattr(stage.store.feed, "read_after", fail)

    statuses = [stage.client().get(_FEED, params={"since": _at(since)}).status_code for since in (2, 5)]

    assert statuses == [503, 200]


# Waiting


class Waiting:
    """Asks in an event loop, and knows when somebody begins to wait."""

    def __init__(self, stage: DeliveryStage) -> None:
        self.stage = stage
        self._begun = asyncio.Event()
        self._original = stage.delivery.tail.next_change
        stage.delivery.tail.next_change = self._next_change  # type: ignore[method-assign]

    def ask(self, path: str, partner: str = "acme", last_event_id: str = "", **query: object) -> GuideQuery:
        headers = {"Authorization": self.stage.client(partner).headers["authorization"]}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        return GuideQuery(self.stage.application, path, query, headers)

    async def begun(self) -> None:
        async with asyncio.timeout(30):
            await self._begun.wait()
        self._begun.clear()

    def publish(self, *changes: SchedulePut | ScheduleRemoved) -> None:
        self.stage.publish(changes)
        self.stage.follow()

    @property
    def places(self) -> int:
        return self.stage.delivery.admission._waiting

    def _next_change(self) -> asyncio.Future[None]:
        self._begun.set()
        return self._original()


def _run(stage: DeliveryStage, play: Callable[[Waiting], Awaitable[None]]) -> None:
    async def run() -> None:
        waiting = Waiting(stage)
        await play(waiting)
        assert waiting.places == 0

    asyncio.run(run())


def test_wait_ends_when_a_change_comes(stage: DeliveryStage) -> None:
    """Who waits at the end of the feed gets the next change as soon as it is published."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, since=_at(5), wait=55) as asked:
            await waiting.begun()
            assert waiting.places == 1
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))

            assert await asked.status() == 200
            assert _rows(orjson.loads(await asked.body())) == [("alder/2026-03-28", 3, False)]

    _run(stage, play)


def test_wait_goes_on_over_changes_of_others(stage: DeliveryStage) -> None:
    """A change that a partner may not see does not end its wait."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, "birch-only", since=_at(5), wait=55) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))
            await waiting.begun()
            waiting.publish(SchedulePut(_BIRCH, _SLOTS, 9))

            assert await asked.status() == 200
            assert _rows(orjson.loads(await asked.body())) == [("birch_radio/2026-03-28", 2, False)]

    _run(stage, play)


def test_wait_ends_when_its_time_is_over(stage: DeliveryStage) -> None:
    """Where nothing changes, the wait ends with an empty page and the same cursor."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, since=_at(5), wait=1) as asked:
            assert await asked.status() == 200
            page = orjson.loads(await asked.body())
            assert (page["changes"], page["cursor"], page["more"]) == ([], _at(5), False)

    _run(stage, play)


def test_nobody_waits_where_there_is_something(stage: DeliveryStage) -> None:
    """With changes after the cursor the answer comes at once."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, since=_at(4), wait=55) as asked:
            assert await asked.status() == 200
            assert len(orjson.loads(await asked.body())["changes"]) == 1

    _run(stage, play)


def test_wait_that_nobody_listens_to_frees_its_place(stage: DeliveryStage) -> None:
    """Who goes away while waiting takes no place any more."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, since=_at(5), wait=55) as asked:
            await waiting.begun()
            assert waiting.places == 1
            asked.go_away()
            await asked.end()

    _run(stage, play)


def test_wait_ends_when_the_keyspace_is_another(stage: DeliveryStage) -> None:
    """Whose cursor means nothing any more while it waits is told to fetch the digest."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, since=_at(5), wait=55) as asked:
            await waiting.begun()
            waiting.stage.store.coldstarts.renew_epoch("second")
            waiting.stage.follow()

            assert await asked.status() == 410

    _run(stage, play)


@pytest.mark.parametrize("path", [_FEED, _STREAM])
def test_no_more_wait_than_agreed(stage: DeliveryStage, path: str) -> None:
    """A partner that has as many waiting as it may is refused another, and again has a place when one ends."""
    stage.add_partner(Partner("single", stage.clock(), waiting_at_once=1))
    stage.keep_up()

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_FEED, "single", since=_at(5), wait=55):
            await waiting.begun()
            async with waiting.ask(path, "single", since=_at(5), wait=55) as rejected:
                assert await rejected.status() == 429
                assert b"too-many-requests" in await rejected.body()
        async with waiting.ask(path, "single", since=_at(5), wait=55) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))
            assert await asked.status() == 200

    _run(stage, play)


# The stream


def _events(pieces: bytes) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in pieces.decode().split("\n\n")
        if block
    ]


async def _event(asked: GuideQuery, kind: str = "change") -> list[dict[str, str]]:
    """The events of the first piece that has any of this kind."""
    while piece := await asked.piece():
        if found := [event for event in _events(piece) if event.get("event") == kind]:
            return found
    raise AssertionError("the stream ended")


def test_stream_gives_what_is_there_then_what_comes(stage: DeliveryStage) -> None:
    """A stream begins after its cursor, each event with the cursor after it; and goes on with what is published."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(3)) as asked:
            assert await asked.status() == 200
            first = await _event(asked)
            await waiting.begun()
            assert waiting.places == 1
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))
            second = await _event(asked)

        assert [event["id"] for event in first + second] == [_at(4), _at(5), _at(6)]
        page = _get(stage, _FEED, since=_at(3))
        assert [orjson.loads(event["data"]) for event in first + second] == page["changes"]

    _run(stage, play)


def test_stream_goes_on_after_the_last_event(stage: DeliveryStage) -> None:
    """A reader that comes back with the last id that it has gets what follows, whatever its first cursor was."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(0), last_event_id=_at(4)) as asked:
            assert await asked.status() == 200
            assert [event["id"] for event in await _event(asked)] == [_at(5)]

    _run(stage, play)


def test_stream_without_a_cursor_begins_now(stage: DeliveryStage) -> None:
    """Who names no place hears of what changes from now on."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))
            assert [event["id"] for event in await _event(asked)] == [_at(6)]

    _run(stage, play)


def test_stream_says_nothing_of_changes_of_others(stage: DeliveryStage) -> None:
    """Where only others' services change, nothing is sent, so nobody can tell that anything has happened."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, "birch-only", since=_at(5)) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))
            await waiting.begun()
            waiting.publish(SchedulePut(_BIRCH, _SLOTS, 9))
            assert await asked.status() == 200
            pieces = [await asked.piece() for _ in range(3)]

        assert [event["id"] for event in _events(b"".join(pieces))[-2:]] == [_at(5), _at(7)]

    _run(stage, play)


def test_stream_is_reset_when_the_keyspace_is_another(stage: DeliveryStage) -> None:
    """Whose place means nothing any more gets one event that says where to begin, and the stream ends."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(5)) as asked:
            await waiting.begun()
            waiting.stage.store.coldstarts.renew_epoch("second")
            waiting.stage.follow()

            reset = await _event(asked, "reset")
            assert orjson.loads(reset[0]["data"])["digest"] == "/v1/digest"
            assert await asked.piece() == b""

    _run(stage, play)


def test_stream_ends_when_its_key_does(stage: DeliveryStage) -> None:
    """A key that was revoked gets nothing of what comes after."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(5)) as asked:
            await waiting.begun()
            stage.store.partners.remove("acme")
            stage.keep_up()
            waiting.publish(SchedulePut(_ALDER, _SLOTS, 9))

            assert b"event" not in await asked.body()

    _run(stage, play)


def test_stream_that_nobody_reads_frees_its_place(stage: DeliveryStage) -> None:
    """A reader that goes away takes no place any more."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(5)) as asked:
            await waiting.begun()
            asked.go_away()
            await asked.end()
            assert waiting.places == 0

    _run(stage, play)


def test_stream_ends_where_the_store_is_needed_and_away(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader far behind, while the store is away, is let go, to come back with its place."""
    monkeypatch.setattr("schedules_pipeline.delivery.routes.changes._STREAM_PAGE", 1)
    asked_for: list[str] = []

    def after(position: str, _: int) -> None:
        asked_for.append(position)

    def read_after(position: str, limit: int) -> Any:
        if len(asked_for) > 1:
            raise ServiceError("away")
        return original(position, limit)

    original = stage.store.feed.read_after
    monkeypatch.setattr(stage.delivery.tail, "after", after)
    monkeypatch.setattr(stage.store.feed, "read_after", read_after)

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(_STREAM, since=_at(0)) as asked:
            assert await asked.status() == 200
            events = [event for event in _events(await asked.body()) if "event" in event]
            assert [event["id"] for event in events] == [_at(1)]

    _run(stage, play)


def test_rows_scanned_at_once_are_enough_for_any_page() -> None:
    """The largest page can be filled by one look at the feed."""
    assert changes.SCANNED_AT_ONCE > 1_000
