"""Connections to hosts that people typed, with a resolver of the test, against servers on loopback."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from threading import Thread
from typing import Any

import pytest
import trustme
from urllib3 import PoolManager, Timeout

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.incidents import Notice, Phase
from schedules_pipeline.outbound.alarm_webhook import WebhookNotifier
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses, check_pools, is_public
from schedules_pipeline.outbound.partner_webhook import PartnerWebhooks
from schedules_pipeline.push.ports import Answer

_HOST = "push.partner.example"
_SETTING = "SCHEDULES_PUSH_ALLOWED_NETWORKS"
_PUBLIC_ALONE = AllowedAddresses((), _SETTING)
_REJECTED = Answer(0, problem=f"the host has no public address, and none that {_SETTING} allows")
_TIMEOUT = Timeout(connect=1.0, read=5.0)


class Resolver:
    """Gives the addresses of one answer after the other, the last one for ever, and counts the questions."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        try:
            addresses = [str(ip_address(host))]
        except ValueError:
            self.asked.append(host)
            addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [_found(text, port) for text in addresses]


def _found(text: str, port: int) -> Any:
    is_four = ip_address(text).version == 4
    family, place = (socket.AF_INET, (text, port)) if is_four else (socket.AF_INET6, (text, port, 0, 0))
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


class _Handler(BaseHTTPRequestHandler):
    """Remembers the field ``Host`` of each request."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hosts.append(self.headers["Host"])  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    server.hosts = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.8.9.1", id="all of loopback"),
        pytest.param("::1", id="loopback, IPv6"),
        pytest.param("10.1.2.3", id="private A"),
        pytest.param("172.31.255.255", id="private B"),
        pytest.param("192.168.0.1", id="private C"),
        pytest.param("fd12:3456::1", id="unique local"),
        pytest.param("169.254.10.10", id="link-local"),
        pytest.param("fe80::1", id="link-local, IPv6"),
        pytest.param("169.254.169.254", id="metadata"),
        pytest.param("169.254.170.2", id="credentials of an ECS task"),
        pytest.param("fd00:ec2::254", id="metadata, IPv6"),
        pytest.param("168.63.129.16", id="metadata of Azure"),
        pytest.param("192.0.0.192", id="metadata of Oracle"),
        pytest.param("100.100.100.200", id="CGNAT, and metadata of Alibaba"),
        pytest.param("224.0.0.251", id="multicast"),
        pytest.param("ff02::1", id="multicast, IPv6"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("0.0.0.0", id="unspecified"),
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("::", id="unspecified, IPv6"),
        pytest.param("::ffff:127.0.0.1", id="IPv4-mapped"),
        pytest.param("::ffff:93.184.216.34", id="IPv4-mapped, public"),
        pytest.param("::127.0.0.1", id="IPv4-compatible"),
        pytest.param("64:ff9b::7f00:1", id="NAT64"),
        pytest.param("64:ff9b:1::a00:1", id="NAT64 of a network"),
        pytest.param("2002:7f00:1::1", id="6to4"),
        pytest.param("192.88.99.1", id="relay of 6to4"),
        pytest.param("2001:0:7f00:1::1", id="Teredo"),
        pytest.param("198.18.0.1", id="benchmarks"),
        pytest.param("203.0.113.7", id="documentation"),
        pytest.param("2001:db8::1", id="documentation, IPv6"),
        pytest.param("100::1", id="discard"),
        pytest.param("5f00::1", id="segment routing"),
    ],
)
def test_addresses_that_are_not_public_are_rejected(resolver: Resolver, address: str) -> None:
    """By name and as an address; nothing is sent."""
    resolver.answers = [[address]]
    literal = f"[{address}]" if ":" in address else address
    webhooks = PartnerWebhooks(1, _PUBLIC_ALONE, _TIMEOUT)

    answers = [webhooks.post(f"https://{host}/in", {}, b"{}") for host in (_HOST, literal)]

    assert answers == [_REJECTED, _REJECTED]


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "172.15.0.1", "2606:2800:220:1::1", "2a00::1"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    """Addresses beside the reserved networks are public."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("text", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_another_spelling_of_loopback_is_loopback(text: str) -> None:
    """The system's resolver reads such texts as addresses, so its answer is checked and not the text."""
    answer = PartnerWebhooks(1, _PUBLIC_ALONE, _TIMEOUT).post(f"https://{text}/in", {}, b"{}")

    assert answer == _REJECTED


def test_a_name_that_resolves_anew_is_connected_to_the_checked_address(
    resolver: Resolver, receiver: HTTPServer
) -> None:
    """A name is resolved once for a connection, so a second answer (DNS rebinding) is never connected to."""
    resolver.answers = [["127.0.0.1"], ["127.0.0.2"]]
    webhooks = PartnerWebhooks(1, AllowedAddresses(("127.0.0.1/32",), _SETTING), _TIMEOUT)

    answer = webhooks.post(f"http://{_HOST}:{receiver.server_port}/in", {}, b"{}")

    assert answer == Answer(204)
    assert resolver.asked == [_HOST]
    assert receiver.hosts == [f"{_HOST}:{receiver.server_port}"]  # type: ignore[attr-defined]


def test_a_name_that_resolved_well_before_is_checked_at_each_connection(
    resolver: Resolver, receiver: HTTPServer
) -> None:
    """An answer that was allowed once does not allow the next one."""
    resolver.answers = [["127.0.0.1"], ["127.0.0.2"]]
    webhooks = PartnerWebhooks(1, AllowedAddresses(("127.0.0.1/32",), _SETTING), _TIMEOUT)
    url = f"http://{_HOST}:{receiver.server_port}/in"

    first = webhooks.post(url, {}, b"{}")

    # The server closes each connection, so that the next request makes one.
    assert (first, webhooks.post(url, {}, b"{}")) == (Answer(204), _REJECTED)


def test_of_several_addresses_only_allowed_ones_are_connected_to(
    resolver: Resolver, receiver: HTTPServer
) -> None:
    """Addresses that are not allowed are passed over, and one that refuses is followed by the next."""
    resolver.answers = [["10.0.0.1", "127.0.0.9", "::1", "127.0.0.1"]]
    webhooks = PartnerWebhooks(1, AllowedAddresses(("127.0.0.0/28",), _SETTING), _TIMEOUT)

    assert webhooks.post(f"http://{_HOST}:{receiver.server_port}/in", {}, b"{}") == Answer(204)


def test_a_name_of_many_addresses_takes_few_attempts(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt may take as long as the connect timeout."""
    attempts = []

    def refuse(address: tuple[str, int], *_: Any) -> socket.socket:
        attempts.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("schedules_pipeline.outbound.checked_addresses.create_connection", refuse)
    resolver.answers = [[f"127.0.0.{n}" for n in range(1, 200)]]

    answer = PartnerWebhooks(1, AllowedAddresses(("127.0.0.0/8",), _SETTING)).post(
        f"https://{_HOST}/in", {}, b"{}"
    )

    assert answer == Answer(0, problem="NewConnectionError")
    assert attempts == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def test_tls_keeps_the_name(resolver: Resolver) -> None:
    """The certificate is that of the name, which the server is told; the connection is to the checked address."""
    authority, told = trustme.CA(), []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(_HOST).configure_cert(context)
    context.sni_callback = lambda _, name, __: told.append(name)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    server.hosts = []  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    resolver.answers = [["127.0.0.1"]]
    manager = PoolManager(ssl_context=trusting, retries=False)
    check_pools(manager, AllowedAddresses(("127.0.0.1",), _SETTING))
    thread = Thread(target=server.handle_request)
    thread.start()

    answer = manager.request("POST", f"https://{_HOST}:{server.server_port}/in", body=b"{}")

    thread.join()
    server.server_close()
    assert answer.status == 204
    assert told == [_HOST]
    assert server.hosts == [f"{_HOST}:{server.server_port}"]  # type: ignore[attr-defined]


def test_the_alarm_webhook_is_checked_too(resolver: Resolver) -> None:
    """Its own setting allows networks; the error does not name the address."""
    resolver.answers = [["169.254.169.254"]]
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    notice = Notice("n1", ConditionName.DEAD_LETTERS, Phase.RAISED, Severity.ERROR, "dead", now, now)
    setting = "SCHEDULES_ALARM_ALLOWED_NETWORKS"
    notifier = WebhookNotifier(f"https://{_HOST}/token", "runbook", AllowedAddresses((), setting))

    with pytest.raises(ServiceError, match=setting) as caught:
        notifier.send(notice)

    assert _HOST not in str(caught.value)
    assert resolver.asked == [_HOST]
