"""Requests to partners against a real server on loopback that accepts, fails, redirects, drips or hangs."""

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from urllib3 import Timeout

from demo.servers import LOOPBACK, find_free_port
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses
from schedules_pipeline.outbound.partner_webhook import PartnerWebhooks
from schedules_pipeline.push.ports import Answer

_PATH = "/in/very-secret-token?key=also-secret"
_ALLOWED = AllowedAddresses(("127.0.0.0/8",), "SCHEDULES_PUSH_ALLOWED_NETWORKS")
_HEADERS = {"Content-Type": "application/json", "webhook-id": "chg_1"}


class Partner(ThreadingHTTPServer):
    """Answers with the given status, headers and number of bytes. Status 0 means no answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.status = 204
        self.headers: dict[str, str] = {}
        self.body_bytes = 0
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}{_PATH}"


class _Handler(BaseHTTPRequestHandler):
    server: Partner
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.connections.add(self.client_address)
        self.server.received.append((self.path, headers, body))
        if self.server.status == 0:
            self.server.closing.wait()
            self.close_connection = True
            return
        length = self.server.body_bytes
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self._talk(length)

    def _talk(self, length: int) -> None:
        try:
            self.wfile.write(b"x" * length)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""


@pytest.fixture
def partner() -> Iterator[Partner]:
    server = Partner()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def webhooks() -> PartnerWebhooks:
    return PartnerWebhooks(2, _ALLOWED, Timeout(connect=2.0, read=5.0))


def test_a_request_arrives_unchanged(partner: Partner, webhooks: PartnerWebhooks) -> None:
    """Path, headers and body are byte for byte those of the caller, since they are signed."""
    answer = webhooks.post(partner.url, _HEADERS, b'{"a": "\xc3\xa9"}')

    ((path, headers, body),) = partner.received
    assert answer == Answer(204)
    assert path == _PATH
    assert headers["webhook-id"] == "chg_1"
    assert body == b'{"a": "\xc3\xa9"}'


@pytest.mark.parametrize("status", [200, 301, 308, 401, 410, 429, 500, 503])
def test_an_answer_is_returned_unchanged(partner: Partner, webhooks: PartnerWebhooks, status: int) -> None:
    """Every status is returned after one request, without redirections and waits."""
    partner.status = status
    partner.headers = {"Retry-After": "3600", "Location": "/elsewhere"}

    answer = webhooks.post(partner.url, _HEADERS, b"{}")

    assert answer == Answer(status, "3600")
    assert len(partner.received) == 1


def test_connections_are_reused(partner: Partner, webhooks: PartnerWebhooks) -> None:
    """Requests with short or empty answers share one connection."""
    partner.status = 200
    for length in (0, 10, 1_000, 0):
        partner.body_bytes = length
        webhooks.post(partner.url, _HEADERS, b"{}")

    assert len(partner.received) == 4
    assert len(partner.connections) == 1


def test_a_long_answer_is_not_read_to_its_end(partner: Partner, webhooks: PartnerWebhooks) -> None:
    """After a kilobyte the connection is closed, and the next request opens another."""
    partner.status, partner.body_bytes = 200, 50_000_000

    answers = [webhooks.post(partner.url, _HEADERS, b"{}") for _ in range(2)]

    assert answers == [Answer(200)] * 2
    assert len(partner.connections) == 2


def test_a_partner_that_hangs_times_out(partner: Partner) -> None:
    """Silence for longer than the read timeout is reported as no answer."""
    partner.status = 0

    answer = PartnerWebhooks(2, _ALLOWED, Timeout(connect=2.0, read=0.05)).post(partner.url, _HEADERS, b"{}")

    assert answer == Answer(0, problem="ReadTimeoutError")
    assert len(partner.received) == 1


@pytest.mark.parametrize(
    ("beginning", "drop", "expected"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", Answer(0, problem="not within 0.3 s")),
        (b"HTTP/1.1 200 ", b"x", Answer(0, problem="not within 0.3 s")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", Answer(200)),
    ],
    ids=["says to go on", "status", "body"],
)
def test_a_partner_that_drips_times_out(beginning: bytes, drop: bytes, expected: Answer) -> None:
    """However steadily bytes arrive, the connection is closed after the longest time of a request."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        dripping = Thread(target=_drip, args=(listening, beginning, drop))
        dripping.start()
        webhooks = PartnerWebhooks(2, _ALLOWED, longest_seconds=0.3)

        answer = webhooks.post(f"http://{LOOPBACK}:{listening.getsockname()[1]}/", _HEADERS, b"{}")

        dripping.join()
    assert answer == expected


def _drip(listening: socket.socket, beginning: bytes, drop: bytes) -> None:
    """Answer one request byte by byte, until the connection is closed."""
    connection, _ = listening.accept()
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(beginning)
        while not Event().wait(0.01):
            connection.sendall(drop)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"http://{LOOPBACK}:{{port}}/in", "NewConnectionError"),
        (f"https://{LOOPBACK}:{{partner}}/in", "SSLError"),
        ("http://no-such-host.invalid/in", "NameResolutionError"),
        ("http://:x", "LocationParseError"),
    ],
)
def test_a_failed_connection_is_an_answer(
    partner: Partner, webhooks: PartnerWebhooks, url: str, problem: str
) -> None:
    """The problem names the kind of failure."""
    answer = webhooks.post(url.format(port=find_free_port(), partner=partner.server_port), _HEADERS, b"{}")

    assert answer == Answer(0, problem=problem)


@pytest.mark.parametrize("status", [204, 301, 500, 0])
def test_the_address_is_in_no_log(partner: Partner, caplog: pytest.LogCaptureFixture, status: int) -> None:
    """Neither path nor query appears in the answer or in any log line."""
    partner.status = status
    webhooks = PartnerWebhooks(2, _ALLOWED, Timeout(connect=2.0, read=0.05 if status == 0 else 5.0))

    with caplog.at_level(logging.DEBUG):
        answer = webhooks.post(partner.url, _HEADERS, b"{}")

    shown = [repr(answer), *(f"{record.getMessage()} {record.exc_info}" for record in caplog.records)]
    assert len(shown) > 1
    assert not [line for line in shown if "secret" in line]
