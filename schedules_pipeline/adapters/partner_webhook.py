"""Posts to the addresses of partners. Their paths may hold tokens, so they are in no error and no line of a log."""

import logging
from collections.abc import Mapping

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError

from schedules_pipeline.ports.subscriptions import Answer

_TIMEOUT = Timeout(connect=5.0, read=10.0)
_READ_OF_AN_ANSWER_BYTES = 1_024
_HOSTS_REMEMBERED = 100
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")


class PartnerWebhooks:
    """Implements :class:`~schedules_pipeline.ports.subscriptions.Receiver`, for many threads.

    Connections are kept and used again. Of an answer's body a kilobyte is read, so that its connection can be kept;
    where there is more it is closed. Nothing is tried twice here: when to try again is not for this module to say.
    """

    def __init__(self, threads: int, timeout: Timeout = _TIMEOUT) -> None:
        """``threads``: how many may post to one host at once without a connection being thrown away."""
        self._pool = PoolManager(
            num_pools=_HOSTS_REMEMBERED, maxsize=threads, retries=False, timeout=timeout, block=False
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_is_harmless)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            answer = self._pool.request(
                "POST",
                url,
                body=body,
                headers=dict(headers),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, LocationParseError) as error:
            return Answer(0, problem=_kind(error))
        try:
            is_whole = len(answer.read(_READ_OF_AN_ANSWER_BYTES)) < _READ_OF_AN_ANSWER_BYTES
        except HTTPError:
            is_whole = False
        answer.release_conn() if is_whole else answer.close()
        return Answer(answer.status, answer.headers.get("Retry-After", ""))


def _kind(error: HTTPError) -> str:
    """Without its text, which names the address."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return type(reason).__name__


def _is_harmless(record: logging.LogRecord) -> bool:
    """The library writes the path of every request at the level of debugging, and of some that fail above it."""
    return "/" not in record.getMessage()
