"""The changes feed: requests that wait, and the stream."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from delivery.routes.asgi import GuideQuery
from delivery.routes.changes_feed import (
    ALDER,
    BIRCH,
    FEED,
    SLOTS,
    STREAM,
    cursor_at,
    get_json,
    rows_of,
    stage_with_feed,
)
from delivery_stage import DeliveryStage
from toy_world import SchedulePut, ScheduleRemoved

from schedules_pipeline.delivery import changes
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import Partner


@pytest.fixture
def stage() -> DeliveryStage:
    return stage_with_feed()


class Waiting:
    """Sends requests in an event loop, and knows when one of them begins to wait."""

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
        async with waiting.ask(FEED, since=cursor_at(5), wait=55) as asked:
            await waiting.begun()
            assert waiting.places == 1
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))

            assert await asked.status() == 200
            assert rows_of(orjson.loads(await asked.body())) == [("alder/2026-03-28", 3, False)]

    _run(stage, play)


def test_many_waits_end_at_once(stage: DeliveryStage) -> None:
    """A change ends the waits of hundreds of requests, also of one partner; none of them is rejected."""
    stage.add_partner(Partner("crowd", stage.clock(), waiting_at_once=300))
    stage.keep_up()

    async def play(waiting: Waiting) -> None:
        async with AsyncExitStack() as asked:
            polls = [
                await asked.enter_async_context(
                    waiting.ask(FEED, partner="crowd", since=cursor_at(5), wait=30)
                )
                for _ in range(250)
            ]
            while waiting.places < len(polls):  # noqa: ASYNC110 - admission has no event for it
                await asyncio.sleep(0.01)
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))

            assert {await poll.status() for poll in polls} == {200}

    _run(stage, play)


def test_wait_goes_on_over_changes_of_others(stage: DeliveryStage) -> None:
    """A change that a partner may not see does not end its wait."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, "birch-only", since=cursor_at(5), wait=55) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            await waiting.begun()
            waiting.publish(SchedulePut(BIRCH, SLOTS, 9))

            assert await asked.status() == 200
            assert rows_of(orjson.loads(await asked.body())) == [("birch_radio/2026-03-28", 2, False)]

    _run(stage, play)


def test_wait_ends_when_its_time_is_over(stage: DeliveryStage) -> None:
    """Where nothing changes, the wait ends with an empty page and the same cursor."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, since=cursor_at(5), wait=1) as asked:
            assert await asked.status() == 200
            page = orjson.loads(await asked.body())
            assert (page["changes"], page["cursor"], page["more"]) == ([], cursor_at(5), False)

    _run(stage, play)


def test_nobody_waits_where_there_is_something(stage: DeliveryStage) -> None:
    """With changes after the cursor the answer comes at once."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, since=cursor_at(4), wait=55) as asked:
            assert await asked.status() == 200
            assert len(orjson.loads(await asked.body())["changes"]) == 1

    _run(stage, play)


def test_wait_that_nobody_listens_to_frees_its_place(stage: DeliveryStage) -> None:
    """Who goes away while waiting takes no place any more."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, since=cursor_at(5), wait=55) as asked:
            await waiting.begun()
            assert waiting.places == 1
            asked.go_away()
            await asked.end()

    _run(stage, play)


def test_wait_ends_when_the_keyspace_is_another(stage: DeliveryStage) -> None:
    """Whose cursor means nothing any more while it waits is told to fetch the digest."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, since=cursor_at(5), wait=55) as asked:
            await waiting.begun()
            waiting.stage.store.coldstarts.renew_epoch("second")
            waiting.stage.follow()

            assert await asked.status() == 410

    _run(stage, play)


@pytest.mark.parametrize(("path", "query"), [(FEED, {"wait": 55}), (STREAM, {})])
def test_no_more_wait_than_agreed(stage: DeliveryStage, path: str, query: Mapping[str, Any]) -> None:
    """A partner that has as many waiting as it may is refused another, and again has a place when one ends."""
    stage.add_partner(Partner("single", stage.clock(), waiting_at_once=1))
    stage.keep_up()

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(FEED, "single", since=cursor_at(5), wait=55):
            await waiting.begun()
            async with waiting.ask(path, "single", since=cursor_at(5), **query) as rejected:
                assert await rejected.status() == 429
                assert b"too-many-requests" in await rejected.body()
        async with waiting.ask(path, "single", since=cursor_at(5), **query) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            assert await asked.status() == 200

    _run(stage, play)


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
    """A stream begins after its cursor and continues with new publications; each event has the cursor after it."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, since=cursor_at(3)) as asked:
            assert await asked.status() == 200
            first = await _event(asked)
            await waiting.begun()
            assert waiting.places == 1
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            second = await _event(asked)

        assert [event["id"] for event in first + second] == [cursor_at(4), cursor_at(5), cursor_at(6)]
        page = get_json(stage, FEED, since=cursor_at(3))
        assert [orjson.loads(event["data"]) for event in first + second] == page["changes"]

    _run(stage, play)


def test_stream_goes_on_after_the_last_event(stage: DeliveryStage) -> None:
    """A reader that reconnects with its last event id gets the events after it, and its first cursor is ignored."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, since=cursor_at(0), last_event_id=cursor_at(4)) as asked:
            assert await asked.status() == 200
            assert [event["id"] for event in await _event(asked)] == [cursor_at(5)]

    _run(stage, play)


def test_stream_without_a_cursor_begins_now(stage: DeliveryStage) -> None:
    """Who names no place hears of what changes from now on."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            assert [event["id"] for event in await _event(asked)] == [cursor_at(6)]

    _run(stage, play)


def test_stream_says_nothing_of_changes_of_others(stage: DeliveryStage) -> None:
    """Changes of services that the partner may not see send nothing, so the partner cannot notice them."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, "birch-only", since=cursor_at(5)) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            await waiting.begun()
            waiting.publish(SchedulePut(BIRCH, SLOTS, 9))
            assert await asked.status() == 200
            pieces = [await asked.piece() for _ in range(3)]

        assert [event["id"] for event in _events(b"".join(pieces))[-2:]] == [cursor_at(5), cursor_at(7)]

    _run(stage, play)


def test_stream_is_reset_when_the_keyspace_is_another(stage: DeliveryStage) -> None:
    """Whose place means nothing any more gets one event that says where to begin, and the stream ends."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, since=cursor_at(5)) as asked:
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
        async with waiting.ask(STREAM, since=cursor_at(5)) as asked:
            await waiting.begun()
            stage.store.partners.remove("acme")
            stage.keep_up()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))

            assert b"event" not in await asked.body()

    _run(stage, play)


def test_stream_ends_after_its_longest_time(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends and frees its place; the reader comes back with its cursor and misses nothing."""
    monkeypatch.setattr("schedules_pipeline.delivery.routes.changes.LONGEST_STREAM_SECONDS", 0)
    monkeypatch.setattr("schedules_pipeline.delivery.routes.changes._HEARTBEAT_SECONDS", 0.1)

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, since=cursor_at(5)) as asked:
            await waiting.begun()
            waiting.publish(SchedulePut(ALDER, SLOTS, 9))
            before = await asked.body()
        async with waiting.ask(STREAM, since=cursor_at(5)) as again:
            assert b"event: change" in await again.body()

        assert b"event" not in before
        assert waiting.places == 0

    _run(stage, play)


def test_stream_that_nobody_reads_frees_its_place(stage: DeliveryStage) -> None:
    """A reader that goes away takes no place any more."""

    async def play(waiting: Waiting) -> None:
        async with waiting.ask(STREAM, since=cursor_at(5)) as asked:
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
        async with waiting.ask(STREAM, since=cursor_at(0)) as asked:
            assert await asked.status() == 200
            events = [event for event in _events(await asked.body()) if "event" in event]
            assert [event["id"] for event in events] == [cursor_at(1)]

    _run(stage, play)


def test_rows_scanned_at_once_are_enough_for_any_page() -> None:
    """The largest page can be filled by one look at the feed."""
    assert changes.SCANNED_AT_ONCE > 1_000
