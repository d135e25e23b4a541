"""Notices of alarms by webhook."""

from urllib.parse import unquote

from urllib3 import PoolManager, Retry, Timeout, make_headers
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.incidents import Notice
from schedules_pipeline.health.notice import render_notice
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses, check_pools
from schedules_pipeline.outbound.secret_addresses import error_kind, keep_addresses_out_of_logs

ATTEMPTS = 3
_TIMEOUT = Timeout(connect=2.0, read=4.0)
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.2


class WebhookNotifier:
    """Implements :class:`Notifier`.

    A 2xx answer accepts a notice. A failed connection and a transient status are retried with doubling pauses; any
    other status, redirections included, fails at once. The notice's id is sent as ``Idempotency-Key``, since a notice
    may be repeated.
    """

    channel = "webhook"

    def __init__(self, url: str, runbook: str, allowed: AllowedAddresses) -> None:
        self._url = url
        self._runbook = runbook
        self._headers = {"Content-Type": "application/json", "User-Agent": "schedules-pipeline"}
        if auth := parse_url(url).auth:
            self._headers |= make_headers(basic_auth=unquote(auth, "latin-1"))
        retry = Retry(
            total=ATTEMPTS - 1,
            redirect=False,
            allowed_methods=None,
            status_forcelist=_PASSING_STATUSES,
            backoff_factor=_FIRST_PAUSE_SECONDS,
            # The health watch sends the notice again within half a minute.
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        self._pool = PoolManager(retries=retry, timeout=_TIMEOUT)
        check_pools(self._pool, allowed)
        keep_addresses_out_of_logs()

    def send(self, notice: Notice) -> None:
        body = render_notice(notice, self._runbook)
        headers = {**self._headers, "Idempotency-Key": notice.id}
        try:
            # The body of the answer is not read, since it may be endless.
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
        except HTTPError as error:
            # Neither its text nor its cause is passed on, since both name the address.
            raise ServiceError(f"no answer: {error_kind(error)}") from None
        answer.close()
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - what a 2xx is
            raise ServiceError(f"answered with status {answer.status}")
