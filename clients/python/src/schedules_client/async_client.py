"""The client for programs with an event loop: the same steps, each awaited."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from schedules_client.access import Access
from schedules_client.conversation import Conversation
from schedules_client.exchange import (
    DEFAULT_STORE,
    LOG,
    SYNC_SECONDS,
    UNREACHABLE,
    answer_of,
    common_headers,
    failure_of,
    latest_of,
    terms,
    timeout,
)
from schedules_client.local_copy import LocalCopy
from schedules_client.model import Change
from schedules_client.steps import (
    Answer,
    Ask,
    Close,
    Failure,
    Load,
    Open,
    Read,
    Save,
    Step,
    Steps,
    Tell,
    Wait,
    Warn,
)
from schedules_client.store import Store


class AsyncClient(LocalCopy):
    """As :class:`~schedules_client.client.Client`, with ``await client.sync()`` and ``async for`` over ``follow()``.

    Writes run in a thread. Reads of the copy take milliseconds and block; use ``asyncio.to_thread`` for long ones.
    """

    def __init__(
        self,
        store: str | Path | Store = DEFAULT_STORE,
        *,
        url: str | None = None,
        key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._access = Access.find(url, key)
        super().__init__(store)
        self._http = httpx.AsyncClient(headers=common_headers(self._access), transport=transport)

    async def sync(self, *, give_up_seconds: float = SYNC_SECONDS) -> list[Change]:
        """Make the copy equal to what is published now. Returns its changes, each schedule once."""
        conversation = Conversation(terms(self._access, give_up_seconds, streams=False))
        return latest_of([change async for change in self._run(conversation.sync())])

    async def follow(self, *, after: int | None = None, streams: bool = True) -> AsyncGenerator[Change, None]:
        """Keep the copy current for ever. Yields each change after it is stored."""
        for change in () if after is None else self.changes(after):
            yield change
        async for change in self._run(Conversation(terms(self._access, None, streams=streams)).follow()):
            yield change

    async def aclose(self) -> None:
        """Close the connections and the file."""
        await self._http.aclose()
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self, steps: Steps[None]) -> AsyncGenerator[Change, None]:
        line = _Line(self._http, self._access)
        with self.store.writing():
            try:
                outcome: Any = None
                with suppress(StopIteration):
                    while True:
                        step = steps.send(outcome)
                        outcome = None
                        if isinstance(step, Tell):
                            for change in step.changes:
                                yield change
                        else:
                            outcome = await self._perform(step, line)
            finally:
                await line.close()

    async def _perform(self, step: Step, line: "_Line") -> Any:
        match step:
            case Load():
                return await asyncio.to_thread(self.store.load, self._access.source)
            case Save():
                return await self._save(step)
            case Wait():
                await asyncio.sleep(step.seconds)
            case Warn():
                LOG.warning("%s", step.text)
            case _:
                return await line.perform(step)
        return None

    async def _save(self, step: Save) -> tuple[Change, ...]:
        """A batch that has begun is finished before a cancellation goes on."""
        saving = asyncio.ensure_future(asyncio.to_thread(self.store.save, step.batch, self._access.source))
        try:
            return await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait([saving])
            raise


class _Line:
    """The requests of one conversation, and its open stream."""

    def __init__(self, http: httpx.AsyncClient, access: Access) -> None:
        self._http = http
        self._access = access
        self._stream: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def perform(self, step: Step) -> Answer | Failure | bytes | None:
        match step:
            case Ask():
                return await self._ask(step)
            case Open():
                return await self._open(step)
            case Read():
                return await self._read()
            case Close():
                await self.close()
        return None

    async def _ask(self, step: Ask) -> Answer | Failure:
        try:
            response = await self._http.get(
                self._access.address + step.path,
                headers=dict(step.headers),
                timeout=timeout(step.within_seconds),
            )
        except UNREACHABLE as error:
            return failure_of(error)
        return answer_of(response, response.content)

    async def _open(self, step: Open) -> Answer | Failure:
        request = self._http.build_request(
            "GET",
            self._access.address + step.path,
            headers=dict(step.headers),
            timeout=timeout(step.within_seconds),
        )
        try:
            self._stream = await self._http.send(request, stream=True)
            body = b"" if self._stream.status_code == httpx.codes.OK else await self._stream.aread()
        except UNREACHABLE as error:
            await self.close()
            return failure_of(error)
        self._chunks = self._stream.aiter_bytes()
        answer = answer_of(self._stream, body)
        if answer.status != httpx.codes.OK:
            await self.close()
        return answer

    async def _read(self) -> bytes | None:
        try:
            return None if self._chunks is None else await anext(self._chunks, None)
        except UNREACHABLE:
            return None

    async def close(self) -> None:
        stream, self._stream, self._chunks = self._stream, None, None
        if stream is not None:
            await stream.aclose()
