"""The webhook against a real server on loopback: one that takes, fails first, redirects, is slow, or is away."""

import logging
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
from schedules_pipeline.health.incidents import AlarmName, Notice, Phase, Severity
from schedules_pipeline.outbound import alarm_webhook as webhook
from schedules_pipeline.outbound.alarm_webhook import ATTEMPTS, WebhookNotifier

_TOKEN = "/hook/very-secret-token?key=also-secret"
_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_NOTICE = Notice("n1", AlarmName.DEAD_LETTERS, Phase.RAISED, Severity.ERROR, "dead", _NOW, _NOW)


class Receiver(ThreadingHTTPServer):
    """Answers with the given statuses in turn, and then with 204; status 0 stands for no answer at all."""

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
        """Not to the terminal."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver([])
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_notice_is_posted_as_json(receiver: Receiver) -> None:
    """The document goes to the very address, with the notice's id as a header."""
    WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    ((path, headers, body),) = receiver.received
    assert path == _TOKEN
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "n1"
    assert orjson.loads(body)["runbook"] == "runbook#dead-letters"


def test_a_name_and_password_in_the_address_are_sent_as_such(receiver: Receiver) -> None:
    """They become a header, and are no part of the path."""
    WebhookNotifier(receiver.url.replace("//", "//user:pass@"), "runbook").send(_NOTICE)

    ((path, headers, _),) = receiver.received
    assert path == _TOKEN
    assert headers["authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    """A server that fails and then takes the notice was told, each time under the same id."""
    receiver.statuses = [status] * (ATTEMPTS - 1)

    WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    assert [headers["idempotency-key"] for _, headers, _ in receiver.received] == ["n1"] * ATTEMPTS


def test_after_some_attempts_it_is_given_up(receiver: Receiver) -> None:
    """A server that goes on failing is not asked for ever, whatever it asks us to wait."""
    receiver.statuses = [503] * 100

    with pytest.raises(ServiceError, match="status 503"):
        WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    assert len(receiver.received) == ATTEMPTS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirections_are_not_followed(receiver: Receiver, status: int) -> None:
    """An address that leads elsewhere is a failure: what it leads to was not configured."""
    receiver.statuses = [status]

    with pytest.raises(ServiceError, match=f"answered with status {status}"):
        WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    assert [path for path, _, _ in receiver.received] == [_TOKEN]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_rejection_is_not_tried_again_at_once(receiver: Receiver, status: int) -> None:
    """What will be refused again is left to the next look."""
    receiver.statuses = [status]

    with pytest.raises(ServiceError, match=f"status {status}"):
        WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    assert len(receiver.received) == 1


def test_a_server_that_does_not_answer_is_given_up(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice is not waited for longer than the timeout of each attempt."""
    monkeypatch.setattr(webhook, "_TIMEOUT", Timeout(connect=2.0, read=0.05))
    receiver.statuses = [0] * ATTEMPTS

    with pytest.raises(ServiceError, match="no answer: ReadTimeoutError"):
        WebhookNotifier(receiver.url, "runbook").send(_NOTICE)

    assert len(receiver.received) == ATTEMPTS


def test_nobody_listening_is_a_failure_of_the_world() -> None:
    """A server that is not there is an error that a retry may mend."""
    url = f"http://{LOOPBACK}:{find_free_port()}{_TOKEN}"

    with pytest.raises(ServiceError, match="no answer: NewConnectionError"):
        WebhookNotifier(url, "runbook").send(_NOTICE)


@pytest.mark.parametrize("statuses", [[503] * 9, [302], [401], [503], []])
def test_the_secret_is_in_no_error_and_no_log(
    receiver: Receiver, statuses: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither path nor password appears in the error, its chain, or any line of any library's log."""
    receiver.statuses = statuses
    shown = _shown_by(receiver.url.replace("//", "//user:pass-word@"), caplog)

    assert any("POST" in line for line in shown)
    assert not [line for line in shown if _is_secret(line)]


def test_the_secret_is_in_no_log_of_a_connection_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """What the library writes before it connects again holds the path by itself; here it does not."""
    shown = _shown_by(f"http://user:pass-word@{LOOPBACK}:{find_free_port()}{_TOKEN}", caplog)

    assert any("[address]" in line for line in shown)
    assert not [line for line in shown if _is_secret(line)]


def _shown_by(url: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Everything that an attempt to tell shows to anybody, at the most talkative level."""
    texts = []
    with caplog.at_level(logging.DEBUG):
        try:
            WebhookNotifier(url, "runbook").send(_NOTICE)
        except ServiceError as error:
            texts = [repr(error), repr(error.__cause__)]
            texts += [] if error.__suppress_context__ else [repr(error.__context__)]
    return texts + [f"{record.getMessage()} {record.exc_info}" for record in caplog.records]


def _is_secret(line: str) -> bool:
    return any(part in line for part in ("very-secret-token", "also-secret", "pass-word"))
