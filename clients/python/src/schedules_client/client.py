"""The client for programs without an event loop."""

import time
from collections.abc import Generator, Iterator
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


class Client(LocalCopy):
    """Keeps a local copy current, and reads it.

    ``url`` and ``key`` are read from ``SCHEDULES_DELIVERY_URL`` and ``SCHEDULES_API_KEY`` unless they are given.
    ``transport`` is for proxies, certificates of your own, and tests.

    Raises :class:`~schedules_client.errors.ConfigurationError` or :class:`~schedules_client.errors.StoreError`.
    """

    def __init__(
        self,
        store: str | Path | Store = DEFAULT_STORE,
        *,
        url: str | None = None,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = Access.find(url, key)
        super().__init__(store)
        self._http = httpx.Client(headers=common_headers(self._access), transport=transport)

    def sync(self, *, give_up_seconds: float = SYNC_SECONDS) -> list[Change]:
        """Make the copy equal to what is published now. Returns its changes, each schedule once.

        Raises a :class:`~schedules_client.errors.SchedulesError` if that is not possible, also after
        ``give_up_seconds`` of failures.
        """
        conversation = Conversation(terms(self._access, give_up_seconds, streams=False))
        return latest_of(self._run(conversation.sync()))

    def follow(self, *, after: int | None = None, streams: bool = True) -> Generator[Change, None, None]:
        """Keep the copy current for ever. Yields each change after it is stored.

        A change tells which schedule is different now; several versions that came together are one change. ``after``:
        begin with the changes of the copy after that revision, so that a program that was stopped misses none.
        ``streams=False`` polls, for networks that hold back streams. Failures of the service and the network are
        logged as warnings and repeated; the errors that remain need a person.
        """
        yield from () if after is None else self.changes(after)
        yield from self._run(Conversation(terms(self._access, None, streams=streams)).follow())

    def close(self) -> None:
        """Close the connections and the file."""
        self._http.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[None]) -> Generator[Change, None, None]:
        line = _Line(self._http, self._access)
        with self.store.writing(), line:
            outcome: Any = None
            with suppress(StopIteration):
                while True:
                    step = steps.send(outcome)
                    outcome = None
                    if isinstance(step, Tell):
                        yield from step.changes
                    else:
                        outcome = self._perform(step, line)

    def _perform(self, step: Step, line: "_Line") -> Any:
        match step:
            case Load():
                return self.store.load(self._access.source)
            case Save():
                return self.store.save(step.batch, self._access.source)
            case Wait():
                time.sleep(step.seconds)
            case Warn():
                LOG.warning("%s", step.text)
            case _:
                return line.perform(step)
        return None


class _Line:
    """The requests of one conversation, and its open stream."""

    def __init__(self, http: httpx.Client, access: Access) -> None:
        self._http = http
        self._access = access
        self._stream: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def perform(self, step: Step) -> Answer | Failure | bytes | None:
        match step:
            case Ask():
                return self._ask(step)
            case Open():
                return self._open(step)
            case Read():
                return self._read()
            case Close():
                self._close()
        return None

    def _ask(self, step: Ask) -> Answer | Failure:
        try:
            response = self._http.get(
                self._access.address + step.path,
                headers=dict(step.headers),
                timeout=timeout(step.within_seconds),
            )
        except UNREACHABLE as error:
            return failure_of(error)
        return answer_of(response, response.content)

    def _open(self, step: Open) -> Answer | Failure:
        request = self._http.build_request(
            "GET",
            self._access.address + step.path,
            headers=dict(step.headers),
            timeout=timeout(step.within_seconds),
        )
        try:
            self._stream = self._http.send(request, stream=True)
            body = b"" if self._stream.status_code == httpx.codes.OK else self._stream.read()
        except UNREACHABLE as error:
            self._close()
            return failure_of(error)
        self._chunks = self._stream.iter_bytes()
        answer = answer_of(self._stream, body)
        if answer.status != httpx.codes.OK:
            self._close()
        return answer

    def _read(self) -> bytes | None:
        try:
            return next(self._chunks, None)
        except UNREACHABLE:
            return None

    def _close(self) -> None:
        stream, self._stream, self._chunks = self._stream, None, iter(())
        if stream is not None:
            stream.close()
