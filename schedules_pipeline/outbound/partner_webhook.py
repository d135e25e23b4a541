"""Requests to partners' webhooks, with a bound on the duration of a whole request.

urllib3's timeouts bound each wait for bytes, so a receiver that answers byte by byte could hold a thread for ever. A
timer therefore closes the connection. An asynchronous client with a total timeout would need less code here, but an
event loop and another dependency.
"""

from collections.abc import Mapping
from contextlib import suppress
from socket import SHUT_RDWR
from threading import Lock, Timer, local
from typing import Any

from urllib3 import PoolManager, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, LocationParseError

from schedules_pipeline.outbound.checked_addresses import (
    AllowedAddresses,
    CheckedConnection,
    CheckedSecureConnection,
    check_pools,
)
from schedules_pipeline.outbound.secret_addresses import error_kind, keep_addresses_out_of_logs
from schedules_pipeline.push.ports import Answer

_TIMEOUT = Timeout(connect=5.0, read=10.0)
_LONGEST_SECONDS = 20.0
_READ_OF_AN_ANSWER_BYTES = 1_024
_HOSTS_REMEMBERED = 100


class PartnerWebhooks:
    """Implements :class:`Receiver`, for many threads.

    Connections are reused. At most a kilobyte of an answer's body is read; the connection of a longer one is closed.
    Requests are not retried here.
    """

    def __init__(
        self,
        threads: int,
        allowed: AllowedAddresses,
        timeout: Timeout = _TIMEOUT,
        longest_seconds: float = _LONGEST_SECONDS,
    ) -> None:
        """``threads``: the number of connections kept for each host. ``longest_seconds``: of a whole request."""
        self._longest_seconds = longest_seconds
        self._pool = PoolManager(
            num_pools=_HOSTS_REMEMBERED, maxsize=threads, retries=False, timeout=timeout, block=False
        )
        check_pools(self._pool, allowed, _Connection, _SecureConnection)
        keep_addresses_out_of_logs()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        deadline = _current.deadline = _Deadline(self._longest_seconds)
        try:
            return self._post(url, headers, body, deadline)
        except (HTTPError, LocationParseError) as error:
            return self._too_late() if deadline.is_over else Answer(0, problem=error_kind(error))
        finally:
            deadline.end()

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, deadline: "_Deadline") -> Answer:
        answer = self._pool.request(
            "POST",
            url,
            body=body,
            headers=dict(headers),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        if deadline.is_over:
            # The status line or the headers may have been cut off.
            answer.close()
            return self._too_late()
        try:
            is_whole = len(answer.read(_READ_OF_AN_ANSWER_BYTES)) < _READ_OF_AN_ANSWER_BYTES
        except HTTPError:
            is_whole = False
        deadline.end()
        answer.release_conn() if is_whole and not deadline.is_over else answer.close()
        return Answer(answer.status, answer.headers.get("Retry-After", ""))

    def _too_late(self) -> Answer:
        return Answer(0, problem=f"not within {self._longest_seconds:g} s")


class _Deadline:
    """Closes the connection of a request after some seconds. The reading thread then sees the end of the stream."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._connection: HTTPConnection | None = None
        self._lock = Lock()
        self._timer = Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: HTTPConnection) -> None:
        """Raises ``TimeoutError`` if the time was over before the connection existed."""
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._connection = connection

    def end(self) -> None:
        """From here on another request may use the connection."""
        self._timer.cancel()
        with self._lock:
            self._connection = None

    def _expire(self) -> None:
        with self._lock:
            self.is_over = True
            sock = None if self._connection is None else self._connection.sock
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(SHUT_RDWR)


class _CurrentRequest(local):
    """The deadline of the request that this thread is sending."""

    deadline: _Deadline


_current = _CurrentRequest()


class _Connection(CheckedConnection):
    def connect(self) -> None:
        super().connect()
        _current.deadline.watch(self)

    def request(self, *args: Any, **options: Any) -> None:
        _current.deadline.watch(self)
        super().request(*args, **options)


class _SecureConnection(_Connection, CheckedSecureConnection):
    """The same over TLS: ``_Connection`` comes first in the order of methods."""
