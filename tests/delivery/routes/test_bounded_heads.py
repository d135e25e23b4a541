"""Requests whose head does not end, against uvicorn's own protocol on loopback."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from schedules_pipeline.delivery.routes.bounded_heads import MOST_HEAD_BYTES, BoundedHeads

_BEGIN = b"GET / HTTP/1.1\r\nHost: a\r\n"
_FIELD = b"X-More: " + b"y" * 1_000 + b"\r\n"
_IN_PIECES = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _take_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with how many bytes of a body came, once they are all there."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d bytes" % size})


async def _exchange(pieces: Iterator[bytes]) -> bytes:
    """Send everything, or until the server closes the connection; returns the part of the answer that arrived."""
    config, state = Config(_take_all, lifespan="off", log_config=None), ServerState()
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHeads(config, state, {}), "127.0.0.1", 0
    )
    async with asyncio.timeout(30), server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.mark.parametrize(
    "endless",
    [
        chain([b"GET /"], repeat(b"y" * 1_000)),
        chain([_BEGIN], repeat(_FIELD)),
        chain([_BEGIN, b"X-More: "], repeat(b"y" * 1_000)),
        chain([_IN_PIECES, b"2\r\nok\r\n0\r\n"], repeat(_FIELD)),
        chain([_IN_PIECES, b"2;"], repeat(b"y" * 1_000)),
    ],
    ids=["address", "fields", "one field", "fields behind the body", "what is said of a piece"],
)
def test_what_does_not_end_is_cut_off(endless: Iterator[bytes]) -> None:
    """The connection is ended, however long more would have come, and the application answers nothing."""
    answer = asyncio.run(_exchange(endless))

    assert b"200 OK" not in answer


def test_large_head_and_body_are_taken() -> None:
    """A head of half the limit, and a body of many times as much, are no reason to refuse a request."""
    fields = _FIELD * (MOST_HEAD_BYTES // 2 // len(_FIELD))
    size = 10 * MOST_HEAD_BYTES
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n" % size

    answer = asyncio.run(
        _exchange(iter([head, fields, b"\r\n", *repeat(b"z" * 1_000, size // 1_000), b"z" * (size % 1_000)]))
    )

    assert b"%d bytes" % size in answer
