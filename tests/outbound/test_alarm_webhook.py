"""The alarm webhook against a real server on loopback that accepts, fails, redirects, hangs or is away."""

import logging
from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import orjson
import pytest
from urllib3 import Timeout

from demo.servers import LOOPBACK, find_free_port
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.incidents import Notice, Phase
from schedules_pipeline.outbound import alarm_webhook as webhook
from schedules_pipeline.outbound.alarm_webhook import ATTEMPTS, WebhookNotifier
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses

_TOKEN = "/hook/very-secret-token?key=also-secret"
_ALLOWED = AllowedAddresses(("127.0.0.0/8",), "SCHEDULES_ALARM_ALLOWED_NETWORKS")
_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_NOTICE = Notice("n1", ConditionName.DEAD_LETTERS, Phase.RAISED, Severity.ERROR, "dead", _NOW, _NOW)


class Receiver(ThreadingHTTPServer):
    """Answers with the given statuses in turn, and then with 204. Status 0 means no answer."""

    daemon_threads = True

    def __init__(self, statuses: Sequence[int]) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.statuses = list(statuses)
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}{_TOKEN}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status == 0:
            self.server.closing.wait()
            return
        self.send_response(status)
        if status in range(300, 400):
            self.send_header("Location", "/elsewhere")
        if status in (429, 503):
            self.send_header("Retry-After", "3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.received.append((self.path, {}, b""))
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver([])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_notice_is_posted_as_json(receiver: Receiver) -> None:
    """The document is posted to the exact address, with the notice's id as a header."""
    WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    ((path, headers, body),) = receiver.received
    assert path == _TOKEN
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "n1"
    assert orjson.loads(body)["runbook"] == "runbook#dead-letters"


def test_credentials_in_the_address_become_a_header(receiver: Receiver) -> None:
    """They are not part of the path."""
    WebhookNotifier(receiver.url.replace("//", "//user:pass@"), "runbook", _ALLOWED).send(_NOTICE)

    ((path, headers, _),) = receiver.received
    assert path == _TOKEN
    assert headers["authorization"] == "Basic dXNlcjpwYXNz"


def test_encoded_credentials_are_decoded(receiver: Receiver) -> None:
    """A password with characters that an address cannot have is sent as it is, in UTF-8."""
    address = receiver.url.replace("//", "//user:p%40s%2F%E2%82%AC@")

    WebhookNotifier(address, "runbook", _ALLOWED).send(_NOTICE)

    ((_, headers, _),) = receiver.received
    assert b64decode(headers["authorization"].removeprefix("Basic ")).decode() == "user:p@s/€"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_transient_statuses_are_retried(receiver: Receiver, status: int) -> None:
    """Every attempt has the same id, and the last one succeeds."""
    receiver.statuses = [status] * (ATTEMPTS - 1)

    WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    assert [headers["idempotency-key"] for _, headers, _ in receiver.received] == ["n1"] * ATTEMPTS


def test_attempts_are_limited(receiver: Receiver) -> None:
    """``Retry-After`` does not prolong them."""
    receiver.statuses = [503] * 100

    with pytest.raises(ServiceError, match="status 503"):
        WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    assert len(receiver.received) == ATTEMPTS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirections_are_not_followed(receiver: Receiver, status: int) -> None:
    """A redirection is a failure, since its target was not configured."""
    receiver.statuses = [status]

    with pytest.raises(ServiceError, match=f"answered with status {status}"):
        WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    assert [path for path, _, _ in receiver.received] == [_TOKEN]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_permanent_statuses_are_not_retried(receiver: Receiver, status: int) -> None:
    """The health watch sends the notice again later."""
    receiver.statuses = [status]

    with pytest.raises(ServiceError, match=f"status {status}"):
        WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    assert len(receiver.received) == 1


def test_an_attempt_times_out(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt waits no longer than its timeout."""
    monkeypatch.setattr(webhook, "_TIMEOUT", Timeout(connect=2.0, read=0.05))
    receiver.statuses = [0] * ATTEMPTS

    with pytest.raises(ServiceError, match="no answer: ReadTimeoutError"):
        WebhookNotifier(receiver.url, "runbook", _ALLOWED).send(_NOTICE)

    assert len(receiver.received) == ATTEMPTS


def test_a_refused_connection_is_a_service_error() -> None:
    """The error names the kind of failure."""
    url = f"http://{LOOPBACK}:{find_free_port()}{_TOKEN}"

    with pytest.raises(ServiceError, match="no answer: NewConnectionError"):
        WebhookNotifier(url, "runbook", _ALLOWED).send(_NOTICE)


@pytest.mark.parametrize("statuses", [[503] * 9, [302], [401], [503], []])
def test_the_secret_is_in_no_error_and_no_log(
    receiver: Receiver, statuses: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither path nor password appears in the error, its chain, or any log line."""
    receiver.statuses = statuses
    shown = _shown_by(receiver.url.replace("//", "//user:pass-word@"), caplog)

    assert any("POST" in line for line in shown)
    assert not [line for line in shown if _is_secret(line)]


def test_the_secret_is_in_no_log_of_a_failed_connection(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs the path of each retry; the redaction removes it."""
    shown = _shown_by(f"http://user:pass-word@{LOOPBACK}:{find_free_port()}{_TOKEN}", caplog)

    assert any("[address]" in line for line in shown)
    assert not [line for line in shown if _is_secret(line)]


def _shown_by(url: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Every text of one attempt, errors and debug logs included."""
    texts = []
    with caplog.at_level(logging.DEBUG):
        try:
            WebhookNotifier(url, "runbook", _ALLOWED).send(_NOTICE)
        except ServiceError as error:
            texts = [repr(error), repr(error.__cause__)]
            texts += [] if error.__suppress_context__ else [repr(error.__context__)]
    return texts + [f"{record.getMessage()} {record.exc_info}" for record in caplog.records]


def _is_secret(line: str) -> bool:
    return any(part in line for part in ("very-secret-token", "also-secret", "pass-word"))
