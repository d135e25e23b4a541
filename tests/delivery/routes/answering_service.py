"""A delivery service over fakes whose connections are those of the real server, with direct answers or without."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from unittest.mock import Mock

from delivery_stage import DeliveryStage
from starlette.types import Receive, Scope, Send
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot
from uvicorn import Config
from uvicorn.server import ServerState

from schedules_pipeline.delivery.__main__ import protocol_of
from schedules_pipeline.delivery.routes.bounded_waits import BoundedWaits
from schedules_pipeline.partners.partner import Partner

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
PATH = "/v1/schedules/alder/2026-03-28"


class Answer(NamedTuple):
    status: str
    headers: Mapping[str, str]
    body: bytes


class AnsweringService:
    """Three schedules were published, the last of them was removed. One partner sees one service of two, and one may
    send two requests a minute. ``asked``: paths of the requests that reached the application.
    """

    def __init__(self, *, is_direct: bool, **config: Any) -> None:
        self.stage = stage = DeliveryStage()
        stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
        stage.add_partner(Partner("slow", stage.clock(), requests_per_minute=2))
        stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
        stage.publish([ScheduleRemoved(KEYS[-1])])
        stage.keep_up()
        self.asked: list[str] = []
        self._config = Config(
            self._application, interface="asgi3", lifespan="off", ws="none", log_config=None, **config
        )
        self._config.load()
        self._protocol = protocol_of(stage.delivery) if is_direct else BoundedWaits

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        await self.stage.application(scope, receive, send)

    def connect(self, state: ServerState) -> BoundedWaits:
        return self._protocol(self._config, state, {})

    def request(self, path: str = PATH, partner: str = "acme", method: str = "GET", **fields: str) -> bytes:
        """Underscores in names of fields become hyphens."""
        key = self.stage.client(partner).headers["authorization"] if partner else ""
        sent = {"Host": "test", **({"Authorization": key} if key else {}), **fields}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()

    def over_one_connection(
        self, use: Callable[["Connection"], Awaitable[None]], client: str = "127.0.0.1"
    ) -> list[Answer]:
        """The answers on a connection that carries no bytes: its user calls the protocol."""

        async def run() -> list[Answer]:
            connection = Connection(self.connect(ServerState()), client)
            await use(connection)
            return [answer async for answer in _each(b"".join(connection.written))]

        return asyncio.run(run())

    def exchange(self, requests: Sequence[bytes], *, at_once: bool = False) -> list[Answer]:
        """The answers, over one connection. ``at_once``: all requests are sent before an answer is read."""

        async def talk() -> list[Answer]:
            state = ServerState()
            state.default_headers = [(b"date", b"Sat, 28 Mar 2026 12:00:00 GMT")]
            server = await asyncio.get_running_loop().create_server(
                lambda: self.connect(state), "127.0.0.1", 0
            )
            async with asyncio.timeout(30), server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                try:
                    return await self._talk(reader, writer, requests, at_once=at_once)
                finally:
                    writer.close()
                    await writer.wait_closed()

        return asyncio.run(talk())

    @staticmethod
    async def _talk(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        requests: Sequence[bytes],
        *,
        at_once: bool,
    ) -> list[Answer]:
        answers = []
        if at_once:
            writer.write(b"".join(requests))
        for request in requests:
            if not at_once:
                writer.write(request)
            answers.append(await _read(reader, is_head=request.startswith(b"HEAD")))
        return answers


async def _each(written: bytes) -> AsyncIterator[Answer]:
    reader = asyncio.StreamReader()
    reader.feed_data(written)
    reader.feed_eof()
    while not reader.at_eof():
        yield await _read(reader, is_head=False)


async def _read(reader: asyncio.StreamReader, *, is_head: bool) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    has_body = not is_head and " 304 " not in status
    return Answer(
        status, headers, await reader.readexactly(int(headers["content-length"])) if has_body else b""
    )


class Connection:
    """``written``: each piece as the transport got it."""

    def __init__(self, protocol: BoundedWaits, client: str) -> None:
        self.protocol = protocol
        self.written: list[bytes] = []
        self.transport = Mock(asyncio.Transport, write=self.written.append)
        self.transport.is_closing.return_value = False
        self.transport.get_write_buffer_size.return_value = 0
        socket = Mock()
        socket.getpeername.return_value = socket.getsockname.return_value = (client, 1)
        self.transport.get_extra_info = {"socket": socket}.get
        protocol.connection_made(self.transport)

    async def receive(self, *reads: bytes) -> None:
        """Each of them by one read from the network, after the application has answered those before."""
        for data in reads:
            self.protocol.data_received(data)
            while self.protocol.tasks:
                await asyncio.wait(self.protocol.tasks)
