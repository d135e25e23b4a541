"""Posts to the addresses of partners. Their paths may hold tokens, so they are in no error and no line of a log."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from socket import SHUT_RDWR
from threading import Lock, Timer, local
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError

from schedules_pipeline.push.ports import Answer

_TIMEOUT = Timeout(connect=5.0, read=10.0)
_LONGEST_SECONDS = 20.0
"""Of one request altogether; a limit on each reading alone would let a receiver answer in single bytes for ever."""

_READ_OF_AN_ANSWER_BYTES = 1_024
_HOSTS_REMEMBERED = 100
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")


class PartnerWebhooks:
    """Implements :class:`Receiver`, for many threads.

    Connections are kept and used again. Of an answer's body a kilobyte is read, so that its connection can be kept;
    where there is more it is closed. Nothing is tried twice here: when to try again is not for this module to say.
    """

    def __init__(
        self, threads: int, timeout: Timeout = _TIMEOUT, longest_seconds: float = _LONGEST_SECONDS
    ) -> None:
        """``threads``: how many may post to one host at once without a connection being thrown away.
        ``longest_seconds``: after which a connection is ended, whatever comes on it.
        """
        self._longest_seconds = longest_seconds
        self._pool = PoolManager(
            num_pools=_HOSTS_REMEMBERED, maxsize=threads, retries=False, timeout=timeout, block=False
        )
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_is_harmless)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        deadline = _under_way.deadline = _Deadline(self._longest_seconds)
        try:
            return self._post(url, headers, body, deadline)
        except (HTTPError, LocationParseError) as error:
            return self._too_late() if deadline.is_over else Answer(0, problem=_kind(error))
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
            # What was taken for the answer's beginning may have been cut off.
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
    """Ends the connection that a request is on when its time is over, so that whoever reads from it finds its end."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._connection: HTTPConnection | None = None
        self._lock = Lock()
        self._timer = Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: HTTPConnection) -> None:
        """Raises ``TimeoutError`` where the time was over before there was a connection."""
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._connection = connection

    def end(self) -> None:
        """The request is over; its connection may be another's from here on."""
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


class _UnderWay(local):
    """The request that this thread is at."""

    deadline: _Deadline


_under_way = _UnderWay()


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _under_way.deadline.watch(self)

    def request(self, *args: Any, **options: Any) -> None:
        _under_way.deadline.watch(self)
        super().request(*args, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS: the plain one's methods stand before those of HTTPS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _kind(error: HTTPError) -> str:
    """Without its text, which names the address."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return type(reason).__name__


def _is_harmless(record: logging.LogRecord) -> bool:
    """The library writes the path of every request at the level of debugging, and of some that fail above it."""
    return "/" not in record.getMessage()
