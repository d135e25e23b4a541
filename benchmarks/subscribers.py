"""Partners that wait for changes, hundreds at once: half of them by long polls, half on streams.

They use sockets directly, because a client library would need more time for a thousand answers than the server.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

import orjson

from benchmarks.harness import WrongResult
from demo.servers import LOOPBACK

_EVENT = re.compile(rb"data: (\{.*?\})\n\n")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_LONGEST_WAIT_SECONDS = 55


class Version(NamedTuple):
    """A published version of a schedule; ``seq`` 0 stands for no version."""

    key: str
    seq: int


_NOTHING = Version("", 0)


@dataclass(slots=True)
class Crowd:
    """All waiting partners. ``heard_at``: when each received the awaited version, in seconds since 1970."""

    size: int
    heard_at: list[float] = field(default_factory=list)
    lost: int = 0
    is_heard_by_all: asyncio.Event = field(default_factory=asyncio.Event)
    awaited: Version = _NOTHING

    def await_version(self, version: Version) -> None:
        """Set the next version. Call it before that version is published."""
        self.awaited = version
        self.heard_at.clear()
        self.is_heard_by_all.clear()

    def hear(self, change: dict[str, Any]) -> None:
        """Note one received change. Raises WrongResult unless it is the awaited version and not a repetition."""
        version = Version(f"{change['sid']}/{change['date']}", change["seq"])
        if version != self.awaited or len(self.heard_at) == self.size:
            self.lost += 1
            raise WrongResult(f"received {version} while {self.awaited} was awaited")
        self.heard_at.append(time.time())
        if len(self.heard_at) == self.size:
            self.is_heard_by_all.set()


class _Subscriber(asyncio.Protocol):
    """One connection. If the server closes it, it counts as lost."""

    def __init__(self, crowd: Crowd, key: str, cursor: str) -> None:
        self._crowd = crowd
        self._key = key
        self._buffer = bytearray()
        self._is_leaving = False
        self._transport: asyncio.Transport | None = None
        self.cursor = cursor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._is_leaving:
            self._crowd.lost += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read()

    def leave(self) -> None:
        self._is_leaving = True
        if self._transport is not None:
            self._transport.close()

    def _send(self, path: str) -> None:
        if self._transport is not None:
            request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {self._key}\r\n\r\n"
            self._transport.write(request.encode())

    def _ask(self) -> None:
        raise NotImplementedError

    def _read(self) -> None:
        raise NotImplementedError


class _LongPoll(_Subscriber):
    """Sends the next request as soon as it has an answer, with that answer's cursor."""

    def _ask(self) -> None:
        self._send(f"/v1/changes?since={self.cursor}&wait={_LONGEST_WAIT_SECONDS}")

    def _read(self) -> None:
        head, end, body = bytes(self._buffer).partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            return
        page = orjson.loads(body)
        self.cursor = page["cursor"]
        self._buffer.clear()
        self._ask()
        for change in page["changes"]:
            self._crowd.hear(change)


class _Stream(_Subscriber):
    def _ask(self) -> None:
        self._send(f"/v1/changes/stream?since={self.cursor}")

    def _read(self) -> None:
        end = 0
        for event in _EVENT.finditer(self._buffer):
            end = event.end()
            self._crowd.hear(orjson.loads(event[1]))
        if end:
            del self._buffer[:end]


class WaitingPartners:
    """Partners of both kinds that share the keys in turn and wait for changes after ``cursor``."""

    def __init__(self, port: int, keys: Sequence[str], cursor: str, *, polls: int, streams: int) -> None:
        self._port = port
        self._kinds: list[type[_Subscriber]] = [*[_LongPoll] * polls, *[_Stream] * streams]
        self._keys = keys
        self._cursor = cursor
        self._subscribers: list[_Subscriber] = []
        self.crowd = Crowd(polls + streams)

    async def __aenter__(self) -> Crowd:
        loop = asyncio.get_running_loop()
        for number, kind in enumerate(self._kinds):
            subscriber = kind(self.crowd, self._keys[number % len(self._keys)], self._cursor)
            self._subscribers.append(subscriber)
            await loop.create_connection(partial(_return, subscriber), LOOPBACK, self._port)
        return self.crowd

    async def __aexit__(self, *_: object) -> None:
        for subscriber in self._subscribers:
            subscriber.leave()
        await asyncio.sleep(0)


def _return(subscriber: _Subscriber) -> _Subscriber:
    return subscriber
