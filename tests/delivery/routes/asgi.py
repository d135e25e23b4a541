"""One request to an ASGI application whose answer is read as it comes, and whose asker may go away."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message


class GuideQuery:
    """Asks while it is entered; who leaves before the end has gone away."""

    def __init__(
        self,
        application: ASGIApp,
        path: str,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._application = application
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(query or {}).encode(),
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in {"Host": "testserver", **(headers or {})}.items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._disconnected = asyncio.Event()
        self._begun = self._ended = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_away()
        await self.end()

    def go_away(self) -> None:
        """The connection is closed by the asker."""
        self._disconnected.set()

    async def end(self) -> None:
        """Wait until the application has done with it."""
        async with asyncio.timeout(30):
            await self._task

    async def status(self) -> int:
        """What the answer begins with."""
        return int((await self._next())["status"])

    async def piece(self) -> bytes:
        """The next piece of the body that is not empty; b"" at its end."""
        while not self._ended:
            message = await self._next()
            self._ended = message["type"] == "http.response.body" and not message.get("more_body")
            if message.get("body"):
                return bytes(message["body"])
        return b""

    async def body(self) -> bytes:
        """All that is left of it."""
        pieces = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def _ask(self) -> None:
        await self._application(self._scope, self._receive, self._sent.put)

    async def _receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        async with asyncio.timeout(30):
            return await self._sent.get()
