"""Direct answers, on loopback: each is compared with that of another service whose application answers everything."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import product
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from delivery_stage import DeliveryStage
from starlette.types import Receive, Scope, Send
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot
from uvicorn import Config
from uvicorn.server import ServerState

from schedules_pipeline.delivery.__main__ import protocol_of
from schedules_pipeline.delivery.deprecations import NOTICE, Deprecation
from schedules_pipeline.delivery.routes.bounded_waits import BoundedWaits
from schedules_pipeline.delivery.routes.direct_answers import ROUTE
from schedules_pipeline.delivery.traced_versions import TracedVersions
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_PATH = "/v1/schedules/alder/2026-03-28"


class _Answer(NamedTuple):
    status: str
    headers: Mapping[str, str]
    body: bytes


class _Service:
    """Three schedules were published, the last of them was removed. One partner sees one service of two, and one may
    send two requests a minute. ``asked``: paths of the requests that reached the application.
    """

    def __init__(self, *, is_direct: bool, **config: Any) -> None:
        self.stage = stage = DeliveryStage()
        stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
        stage.add_partner(Partner("slow", stage.clock(), requests_per_minute=2))
        stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
        stage.publish([ScheduleRemoved(KEYS[-1])])
        stage.keep_up()
        self.asked: list[str] = []
        self._config = Config(
            self._application, interface="asgi3", lifespan="off", ws="none", log_config=None, **config
        )
        self._config.load()
        self._protocol = protocol_of(stage.delivery) if is_direct else BoundedWaits

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        await self.stage.application(scope, receive, send)

    def connect(self, state: ServerState) -> BoundedWaits:
        return self._protocol(self._config, state, {})

    def request(self, path: str = _PATH, partner: str = "acme", method: str = "GET", **fields: str) -> bytes:
        """Underscores in names of fields become hyphens."""
        key = self.stage.client(partner).headers["authorization"] if partner else ""
        sent = {"Host": "test", **({"Authorization": key} if key else {}), **fields}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()

    def exchange(self, requests: Sequence[bytes], *, at_once: bool = False) -> list[_Answer]:
        """The answers, over one connection. ``at_once``: all requests are sent before an answer is read."""

        async def talk() -> list[_Answer]:
            state = ServerState()
            state.default_headers = [(b"date", b"Sat, 28 Mar 2026 12:00:00 GMT")]
            server = await asyncio.get_running_loop().create_server(
                lambda: self.connect(state), "127.0.0.1", 0
            )
            async with asyncio.timeout(30), server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                try:
                    return await self._talk(reader, writer, requests, at_once=at_once)
                finally:
                    writer.close()
                    await writer.wait_closed()

        return asyncio.run(talk())

    @staticmethod
    async def _talk(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        requests: Sequence[bytes],
        *,
        at_once: bool,
    ) -> list[_Answer]:
        answers = []
        if at_once:
            writer.write(b"".join(requests))
        for request in requests:
            if not at_once:
                writer.write(request)
            answers.append(await _read(reader, is_head=request.startswith(b"HEAD")))
        return answers


async def _read(reader: asyncio.StreamReader, *, is_head: bool) -> _Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    has_body = not is_head and " 304 " not in status
    return _Answer(
        status, headers, await reader.readexactly(int(headers["content-length"])) if has_body else b""
    )


@pytest.fixture
def direct() -> _Service:
    return _Service(is_direct=True)


@pytest.fixture
def routed() -> _Service:
    return _Service(is_direct=False)


_PATHS = {
    _PATH: True,
    f"{_PATH}?": True,
    f"{_PATH}?min_seq=1": True,
    f"{_PATH}?min_seq=999": False,
    f"{_PATH}?min_seq=": False,
    f"{_PATH}?min_seq=-1": False,
    f"{_PATH}?min_seq=1&min_seq=999": False,
    f"{_PATH}?min_seq=99999999999999999999": False,
    f"{_PATH}?day=utc": False,
    f"{_PATH}?unknown=1": False,
    f"{_PATH}.xmltv": False,
    f"{_PATH}.json": False,
    f"{_PATH}/": False,
    "/v1/schedules/%61lder/2026-03-28": False,
    "/v1/schedules/alder/2026-02-31": False,
    "/v1/schedules/alder/2026-03-30": False,
    "/v1/schedules/ALDER/2026-03-28": False,
    "/v1/schedules/alder": False,
    f"/v1/schedules/{KEYS[-1]}": False,
    f"http://test{_PATH}": False,
}
"""Whether a partner that may see the service gets a direct answer."""


@pytest.mark.parametrize("partner", ["acme", "birch-only", ""])
def test_answers_are_those_of_the_application(direct: _Service, routed: _Service, partner: str) -> None:
    """For any method and path, status, header fields, body and usage are equal; the application answers everything
    but the document as it was published.
    """
    asked = list(product(["GET", "HEAD", "POST"], _PATHS))

    answers = direct.exchange([direct.request(path, partner, method) for method, path in asked])

    assert answers == routed.exchange([routed.request(path, partner, method) for method, path in asked])
    directly = sum(_PATHS.values()) if partner == "acme" else 0
    assert len(direct.asked) == len(asked) - directly
    assert _usage(direct) == _usage(routed)


def _usage(service: _Service) -> Any:
    return service.stage.delivery.admission.collect_usage(date(2026, 3, 28))


_FIELDS: list[dict[str, str]] = [
    *(
        {"Accept": accept}
        for accept in ("*/*", "application/json", "application/xml", "image/png", "*/*;q=0")
    ),
    *({"Accept_Encoding": coding} for coding in ("identity", "gzip", "zstd, gzip", "br", "*;q=0")),
    {"Host": "not a host"},
    {"Host": "test:80"},
    {"Authorization": "Bearer sk_aaaaaaaa_" + "a" * 40},
    {"Authorization": "Basic YTpi"},
    {"Cookie": "schedules_session=none"},
    {"Content_Length": "0"},
    {"Connection": "keep-alive"},
    {"Expect": "100-continue-not"},
    {"Range": "bytes=0-9"},
    {"If_Modified_Since": "Sat, 28 Mar 2026 12:00:00 GMT"},
    {"X_Forwarded_Proto": "https"},
    {"Upgrade": "websocket", "Connection": "upgrade"},
]


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.1"])
def test_header_fields_are_heeded_as_by_the_application(trusted: str) -> None:
    """Type, coding, condition, key, framing, and the scheme that a trusted proxy names."""
    direct, routed = (
        _Service(is_direct=is_direct, proxy_headers=True, forwarded_allow_ips=trusted)
        for is_direct in (True, False)
    )
    [tag] = {
        service.exchange([service.request(Accept_Encoding="gzip")])[0].headers["etag"]
        for service in (direct, routed)
    }
    conditions = ["", "*", tag, f"W/{tag}", f'"other", {tag}', '"other"', "x" * 5_000]
    asked = [
        *_FIELDS,
        *({"If_None_Match": tag, "Accept_Encoding": "gzip", **fields} for fields in _FIELDS),
        *({"Accept_Encoding": "gzip", "If_None_Match": condition} for condition in conditions),
    ]

    answers = direct.exchange([direct.request(**fields) for fields in asked])

    assert answers == routed.exchange([routed.request(**fields) for fields in asked])
    assert len(direct.asked) < len(asked) / 2
    assert {"HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified"} <= {answer.status for answer in answers}
    assert (
        "strict-transport-security" in answers[_FIELDS.index({"X_Forwarded_Proto": "https"})].headers
    ) == (trusted == "127.0.0.1")


def test_limits_hold_for_direct_answers(direct: _Service, routed: _Service) -> None:
    """A partner that may send two requests a minute gets two answers, and then 429 from the application."""
    answers = direct.exchange([direct.request(partner="slow")] * 3)

    assert answers == routed.exchange([routed.request(partner="slow")] * 3)
    assert [answer.status[9:12] for answer in answers] == ["200", "200", "429"]
    assert direct.asked == [_PATH]


def test_age_and_switch_are_obeyed(direct: _Service, routed: _Service) -> None:
    """Answers are marked as stale after a while, and later, or while the old system serves, they are 503."""
    told = []
    for service in (direct, routed):
        stage = service.stage
        answers = []
        for passed in (timedelta(minutes=10), timedelta(days=30)):
            stage.clock.advance(passed)
            answers += service.exchange([service.request()])
        stage.delivery.mirror.confirmed_at = stage.clock()
        stage.store.served.change(
            ServedState(2, ServedSource.LEGACY, stage.clock(), "test", "test", None, forced=True)
        )
        stage.delivery.switched.refresh(stage.store.served)
        told.append([*answers, *service.exchange([service.request()])])

    assert told[0] == told[1]
    assert [answer.status[9:12] for answer in told[0]] == ["200", "503", "503"]
    assert told[0][0].headers["schedules-stale"] == "?1"


def test_requests_that_are_sent_at_once_are_answered_in_order(direct: _Service, routed: _Service) -> None:
    """Direct answers and those of the application do not overtake each other, however many wait."""
    paths = [_PATH, "/v1/digest", _PATH, "/v1/services", *[_PATH] * 30, "/v1/digest", _PATH]

    answers = direct.exchange([direct.request(path) for path in paths], at_once=True)

    assert answers == routed.exchange([routed.request(path) for path in paths], at_once=True)
    assert len(direct.asked) < len(paths)


def test_client_that_does_not_read_gets_no_direct_answer(direct: _Service) -> None:
    """While earlier answers wait to be read, the application answers, which waits for the reader."""

    async def receive() -> list[bytes]:
        written: list[bytes] = []
        transport = Mock(asyncio.Transport, write=written.append)
        transport.is_closing.return_value = False
        transport.get_write_buffer_size.return_value = 0
        protocol = direct.connect(ServerState())
        protocol.connection_made(transport)
        protocol.data_received(direct.request())
        protocol.pause_writing()
        protocol.data_received(direct.request())
        protocol.connection_lost(ConnectionError())
        await asyncio.gather(*protocol.tasks)
        return written

    assert len(asyncio.run(receive())) == 1
    assert direct.asked == [_PATH]


def test_fetch_is_shown_in_traces(direct: _Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the version and the partner, as by the application."""
    shown: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        TracedVersions, "fetched", lambda _, held, partner, __, status: shown.append((held, partner, status))
    )

    direct.exchange([direct.request()])

    assert shown == [((direct.stage.delivery.mirror.held(KEYS[0]),), "acme", 200)]
    assert not direct.asked


def test_deprecated_route_is_answered_by_the_application(direct: _Service) -> None:
    """Which tells so in the answer; other deprecations change nothing."""
    since = date(2026, 1, 1)
    document, other = (
        Deprecation(route=route, since=since, until=since + NOTICE, instead="Nothing.")
        for route in (ROUTE, "/v1/digest")
    )

    assert protocol_of(direct.stage.delivery, [other, document]).direct is None
    assert protocol_of(direct.stage.delivery, [other]).direct is not None
