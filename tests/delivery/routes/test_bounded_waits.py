"""Clients that send or read slowly, as raw sockets against uvicorn's own protocol on loopback, with short limits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from schedules_pipeline.delivery.routes.bounded_waits import BoundedWaits

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
_LARGE = b"x" * 4_000_000
_PIECE = b"y" * 100_000


class _Impatient(BoundedWaits):
    head_seconds = 0.3
    body_seconds = 0.5
    read_seconds = 0.4


class _Application:
    """Answers with ``pieces``; records whether it has ended and what it received."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.received: list[Message] = []
        self.has_ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while True:
                self.received.append(await receive())
                if not self.received[-1].get("more_body"):
                    break
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for piece in self.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.has_ended.set()


class _Server:
    def __init__(self, application: _Application, idle_seconds: int) -> None:
        config = Config(application, lifespan="off", log_config=None, timeout_keep_alive=idle_seconds)
        config.load()
        self.application = application
        self.state = ServerState()
        self._make = lambda: _Impatient(config, self.state, {})

    async def talk(self, talk: Callable[["_Server", Any, Any], Awaitable[None]]) -> None:
        server = await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0)
        async with asyncio.timeout(20), server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1_000)
            try:
                await talk(self, reader, writer)
            finally:
                writer.transport.abort()

    async def is_free_of_connections(self) -> None:
        while self.state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)


def _run(
    talk: Callable[[_Server, Any, Any], Awaitable[None]], *pieces: bytes, idle_seconds: int = 30
) -> _Application:
    async def run() -> _Application:
        server = _Server(_Application(*pieces), idle_seconds)
        await server.talk(talk)
        return server.application

    return uvloop.run(run())


async def _send_slowly(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        if writer.transport.is_closing():
            return
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /", _GET, b"\r\n" * 100], ids=["none", "line", "fields", "blank"]
)
def test_head_that_takes_too_long_is_cut_off(sent: bytes) -> None:
    """A client that sends nothing, or a byte at a time, gets 408, and its connection ends after the limit."""

    async def talk(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sending = asyncio.ensure_future(_send_slowly(writer, sent + b"X" * 1_000 if sent else b""))
        assert (await reader.read(100)).startswith(b"HTTP/1.1 408 ")
        await server.is_free_of_connections()
        sending.cancel()

    application = _run(talk)

    assert not application.received


def test_body_that_takes_too_long_is_cut_off() -> None:
    """The application hears of a disconnect, so the request holds no slot; the client gets 408."""

    async def talk(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_POST)
        sending = asyncio.ensure_future(_send_slowly(writer, b"z" * 990))
        assert (await reader.read(100)).startswith(b"HTTP/1.1 408 ")
        await server.application.has_ended.wait()
        await server.is_free_of_connections()
        sending.cancel()

    application = _run(talk)

    assert application.received[-1]["type"] == "http.disconnect"


@pytest.mark.parametrize("pieces", [(_LARGE,), (_PIECE,) * 40], ids=["at once", "in pieces"])
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["kept alive", "closed"])
def test_reader_that_stops_is_cut_off(pieces: tuple[bytes, ...], field: bytes) -> None:
    """A client that asks for a large answer and reads a few bytes at a time holds neither memory nor the request."""

    async def talk(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GET + field + b"\r\n")
        while server.state.connections or not server.application.received:
            await reader.read(1)
            await asyncio.sleep(0.02)
        await server.application.has_ended.wait()

    _run(talk, *pieces)


def test_rest_that_is_never_read_ends_with_the_idle_connection() -> None:
    """An answer that fits into the buffers is complete for the application; the connection ends all the same."""

    async def talk(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(_GET + b"\r\n")
        await server.application.has_ended.wait()
        await server.is_free_of_connections()

    _run(talk, b"x" * 1_000, idle_seconds=1)


def test_slow_clients_within_the_limits_are_served() -> None:
    """Requests in pieces, pauses between requests, and an answer that is read steadily but slowly."""

    async def talk(server: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            for piece in (_GET[:5], _GET[5:], b"\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.05)
            left = len(_LARGE)
            await reader.readuntil(b"\r\n\r\n")
            while left > 0:
                size = int(await reader.readuntil(b"\r\n"), 16)
                left -= len(await reader.readexactly(size))
                await reader.readexactly(2)
                await asyncio.sleep(0.02)
            await reader.readuntil(b"0\r\n\r\n")
            await asyncio.sleep(0.5)

    _run(talk, *[_PIECE] * 40)


def test_request_behind_one_that_waits_is_not_cut_off() -> None:
    """While an answer is being made, nothing is read, so a pipelined request may be incomplete for longer."""
    application_waits = asyncio.Event()

    class _Waiting(_Application):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.8)
            application_waits.set()
            await super().__call__(scope, receive, send)

    async def run() -> bytes:
        server, answers = _Server(_Waiting(b"ok"), 30), b""

        async def talk(_: _Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal answers
            writer.write(_GET + b"\r\n" + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nz")
            await application_waits.wait()
            writer.write(b"z")
            while answers.count(b"0\r\n\r\n") < 2:
                answers += await reader.read(1_000)

        await server.talk(talk)
        return answers

    assert uvloop.run(run()).count(b"200 OK") == 2
