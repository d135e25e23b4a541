"""Tells of alarms by a POST to an address that somebody else serves.

The address may hold a token, so it is in no error and in no line of a log, whoever writes it.
"""

import logging

from urllib3 import PoolManager, Retry, Timeout, make_headers
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import parse_url

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.incidents import Notice
from schedules_pipeline.health.notice import render_notice

ATTEMPTS = 3
_TIMEOUT = Timeout(connect=2.0, read=4.0)
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.2
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")


class WebhookNotifier:
    """Implements :class:`Notifier`.

    A notice is taken where the answer is a 2xx. A connection that fails and a status that may pass are tried
    again, with a pause that doubles; another status, also a redirection, is a failure at once. The notice's id
    goes along as ``Idempotency-Key``, since a notice may come twice.
    """

    channel = "webhook"

    def __init__(self, url: str, runbook: str) -> None:
        self._url = url
        self._runbook = runbook
        self._headers = {"Content-Type": "application/json", "User-Agent": "schedules-pipeline"}
        parts = parse_url(url)
        if parts.auth:
            self._headers |= make_headers(basic_auth=parts.auth)
        retry = Retry(
            total=ATTEMPTS - 1,
            redirect=False,
            allowed_methods=None,
            status_forcelist=_PASSING_STATUSES,
            backoff_factor=_FIRST_PAUSE_SECONDS,
            # Whatever it asks for: the next look comes within half a minute.
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        self._pool = PoolManager(retries=retry, timeout=_TIMEOUT)
        _keep_out_of_logs(parts.request_uri, parts.auth)

    def send(self, notice: Notice) -> None:
        body = render_notice(notice, self._runbook)
        headers = {**self._headers, "Idempotency-Key": notice.id}
        try:
            # The body of the answer is not read: it may be endless.
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
        except HTTPError as error:
            # Without its text and its chain, which name the address.
            raise ServiceError(f"no answer: {_kind(error)}") from None
        answer.close()
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - what a 2xx is
            raise ServiceError(f"answered with status {answer.status}")


def _kind(error: HTTPError) -> str:
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return type(reason).__name__


class _Redaction(logging.Filter):
    """Takes a text out of every record; the library writes the path of what it tries again."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secret = secret

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if self._secret in text:
            record.msg, record.args, record.exc_info = text.replace(self._secret, "[address]"), (), None
        return True


def _keep_out_of_logs(*texts: str | None) -> None:
    for text in texts:
        if text and text != "/":
            for name in _LOGGERS:
                logging.getLogger(name).addFilter(_Redaction(text))
