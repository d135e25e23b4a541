"""Changes: the digest, and the change feed as pages, by long poll, and as a stream of server-sent events."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from datetime import date
from functools import partial
from time import time_ns
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from schedules_pipeline.delivery.changes import (
    SCANNED_AT_ONCE,
    Page,
    Scope,
    page_of,
    position_of,
    read_old_rows,
    render_json,
)
from schedules_pipeline.delivery.costs import cost_of_rows
from schedules_pipeline.delivery.freshness import NEVER_KEPT, cache_control
from schedules_pipeline.delivery.problems import BAD_REQUEST, CURSOR_TOO_OLD, Problem
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.routes.answering import answer
from schedules_pipeline.delivery.routes.documented import CURSOR_PROBLEMS, PAGED, PROBLEMS, Changes, Digest
from schedules_pipeline.delivery.routes.parameters import DATE, LastEventId, Sids, Since, read_day
from schedules_pipeline.delivery.routes.serving import Call, Called
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import FeedCursor, parse_cursor, render_cursor
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import FeedEntry, place

LONGEST_WAIT_SECONDS = 55
LONGEST_STREAM_SECONDS = 3_600
"""A client that has stopped reading looks like one that hears of no change, until buffers are full."""

_HEARTBEAT_SECONDS = 15
_STREAM_PAGE = 500
_SHORT_PAGE = 100
_RECONNECT_MILLISECONDS = 2_000
_STREAM_TYPE = "text/event-stream"
_EVENT = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "description": "One event. The data of `change` is a change.",
}
_STREAM_HEADERS = {"Cache-Control": NEVER_KEPT, "X-Accel-Buffering": "no"}


routes = APIRouter(prefix="/v1", tags=["changes"], responses=PROBLEMS)


@routes.get("/digest", responses={200: {"model": Digest}})
async def get_digest(
    call: Called,
    sids: Sids = [],  # noqa: B006 - FastAPI copies it
    first: Annotated[str | None, Query(alias="from", max_length=10, json_schema_extra=DATE)] = None,
    last: Annotated[str | None, Query(alias="to", max_length=10, json_schema_extra=DATE)] = None,
) -> Response:
    """The version of every schedule, removals included. Fetch each schedule whose version differs from yours."""
    chosen = frozenset(Sid(text) for text in sids) or None
    scope = Scope(chosen, read_day(first, date.min), read_day(last, date.max))
    if scope.last < scope.first:
        raise Problem(BAD_REQUEST, f"`to` {scope.last} is before `from` {scope.first}.")
    digest = await call.plan(partial(call.serving.digests.of, call.caller, scope))
    return await answer(
        call,
        Representation(
            digest.validator,
            "application/json",
            cache_control(0),
            partial(bytes, digest.body),
            cost=cost_of_rows(digest.rows),
        ),
    )


@routes.get("/changes", responses={200: {"model": Changes, "headers": PAGED}, **CURSOR_PROBLEMS})
async def get_changes(
    call: Called,
    since: Since,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    wait: Annotated[
        int,
        Query(
            ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for a change, if there is none yet."
        ),
    ] = 0,
) -> Response:
    """The changes since a cursor, in order, removals included, and the cursor to continue from."""
    page = await _page(call, call.caller, since, limit)
    if wait and not page.entries and not page.has_more:
        with call.delivery.admission.waiting(call.caller):
            page = await _wait_for_changes(call, page, limit, wait)
    call.charge(cost_of_rows(len(page.entries)))
    call.delivery.traced.announced(page.entries, call.caller.name, time_ns())
    render = partial(call.serving.rows.page, page)
    # A thousand long polls that end at once have short pages and take no turns.
    body = render() if len(page.entries) <= _SHORT_PAGE else await call.plan(render)
    headers = {"Cache-Control": NEVER_KEPT, "Link": call.next_page(since=render_cursor(page.after))}
    return Response(body, media_type="application/json", headers=headers)


@routes.get(
    "/changes/stream",
    responses={
        200: {"content": {_STREAM_TYPE: {"schema": _EVENT}}},
        **CURSOR_PROBLEMS,
    },
    response_class=StreamingResponse,
)
async def stream_changes(call: Called, since: Since = "", last_event_id: LastEventId = "") -> Response:
    """The changes as server-sent events of type `change`. The data of an event is a change, its id a cursor.

    Begins after `Last-Event-ID` (after an interruption), else after `since`, else now.
    An event `reset` means that the cursor is no longer valid: fetch the digest.
    """
    if since:
        parse_cursor(since)  # also where the header counts: an invalid parameter is never ignored
    begin = last_event_id or since or render_cursor(call.delivery.mirror.cursor)
    first = await _page(call, call.caller, begin, _STREAM_PAGE)
    if call.request.scope.get("is_head"):
        return Response(media_type=_STREAM_TYPE, headers=_STREAM_HEADERS)
    return _Stream(call.delivery.admission.waiting(call.caller), _events(call, first))


class _Stream(StreamingResponse):
    """Counts as a waiting request for as long as it lasts; rejected beyond the partner's limit."""

    def __init__(self, waiting: AbstractContextManager[None], events: AsyncIterator[bytes]) -> None:
        super().__init__(events, headers=_STREAM_HEADERS, media_type=_STREAM_TYPE)
        self._waiting = waiting

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        with self._waiting:
            await super().__call__(scope, receive, send)


async def _page(call: Call, caller: Partner, since: str, limit: int) -> Page:
    """From memory if the tail goes back so far, else from the store."""
    delivery = call.delivery
    end = delivery.mirror.cursor
    position = position_of(since, end)
    rows = delivery.tail.after(position, SCANNED_AT_ONCE)
    if rows is None:
        # The cursor from before the read: rows that arrive during it belong to the next page.
        rows = await call.read(read_old_rows, delivery.store.feed, position, caller, limit)
    return page_of(rows, position, end, caller, limit)


def _is_at_end(delivery: Delivery, page: Page) -> bool:
    """Whether the page ends where the mirrored feed ends; otherwise waiting would skip rows."""
    end = delivery.mirror.cursor
    return page.after.epoch == end.epoch and place(page.after.position) >= place(end.position)


async def _wait_for_changes(call: Call, page: Page, limit: int, wait: float) -> Page:
    """The first page that is not empty; an empty one after ``wait`` seconds, a disconnect, or a shutdown."""
    delivery, loop = call.delivery, asyncio.get_running_loop()
    deadline = loop.time() + wait
    gone = asyncio.ensure_future(_disconnected(call.request))
    try:
        while (
            not (page.entries or gone.done() or delivery.tail.is_closed)
            and (left := deadline - loop.time()) > 0
        ):
            if _is_at_end(delivery, page):
                upcoming = [gone, delivery.tail.next_change()]
                await asyncio.wait(upcoming, timeout=left, return_when=FIRST_COMPLETED)
            page = await _page(call, call.caller, render_cursor(page.after), limit)
    finally:
        gone.cancel()
    return page


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(call: Call, page: Page) -> AsyncIterator[bytes]:
    """Ends when the client disconnects, its key expires, the next rows cannot be read, the process stops, or after
    :data:`LONGEST_STREAM_SECONDS`. The client then reconnects with its cursor.
    """
    delivery, loop = call.delivery, asyncio.get_running_loop()
    ends_at = loop.time() + LONGEST_STREAM_SECONDS
    yield b"retry: %d\n\n" % _RECONNECT_MILLISECONDS
    # The position is sent at the start and after quiet periods only: its pace must not reveal other services' changes.
    is_place_due = True
    while True:
        if page.entries:
            rows, began = call.serving.rows, time_ns()
            yield b"".join(_event(page.after.epoch, entry, rows.row(entry)) for entry in page.entries)
            delivery.traced.announced(page.entries, call.caller.name, began)
        if is_place_due:
            yield _place(page.after)
        is_place_due = False
        if _is_at_end(delivery, page):
            came, _ = await asyncio.wait([delivery.tail.next_change()], timeout=_HEARTBEAT_SECONDS)
            is_place_due = not came
        if delivery.tail.is_closed or loop.time() >= ends_at:
            return
        try:
            page = await _page(call, call.caller_now(), render_cursor(page.after), _STREAM_PAGE)
        except Problem as problem:
            if problem.kind is CURSOR_TOO_OLD:
                yield b"event: reset\ndata: " + render_json(problem.document()) + b"\n\n"
            return
        except ServiceError:
            # The next rows are only in the store, which does not answer; the client reconnects with its cursor.
            return


def _event(epoch: str, entry: FeedEntry, row: bytes) -> bytes:
    cursor = render_cursor(FeedCursor(epoch, entry.position)).encode()
    return b"id: %b\nevent: change\ndata: %b\n\n" % (cursor, row)


def _place(end: FeedCursor) -> bytes:
    """An id without data: the client stores the position without an event, and the connection stays alive."""
    return b"id: %b\n\n" % render_cursor(end).encode()
