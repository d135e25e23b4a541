"""Requests that two servers could read differently, sent byte by byte to the whole service; and marks of answers."""

import asyncio
from typing import Any

import pytest
from delivery.asking import Stage
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from schedules_pipeline.delivery.routes.bounded_waits import BoundedWaits
from schedules_pipeline.partners.ports import NOBODY

_LATEST = "/v1/episodes/latest"
_SINCE = '"since":"2026-03-28T00:00:00Z"'


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _answer(application: ASGIApp, request: bytes) -> bytes:
    """The whole answer of the service, behind uvicorn's protocol on loopback."""

    async def exchange() -> bytes:
        config, state = Config(application, lifespan="off", log_config=None), ServerState()
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedWaits(config, state, {}), "127.0.0.1", 0
        )
        async with asyncio.timeout(30), server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer

    return asyncio.run(exchange())


def _ask(stage: Stage, *fields: bytes, version: bytes = b"1.1", target: bytes = b"/health/live") -> int:
    head = [b"GET %b HTTP/%b" % (target, version), *fields, b"Connection: close", b"", b""]
    return int(_answer(stage.client.app, b"\r\n".join(head)).split(b" ")[1])


def test_one_host_is_answered(stage: Stage) -> None:
    """A name, an address, with and without a port; HTTP/1.0 needs none."""
    for host in (b"guide.example", b"127.0.0.1:8080", b"[::1]:8080", b"my_service:80", b"GUIDE.example."):
        assert _ask(stage, b"Host: " + host) == 200
    assert _ask(stage, version=b"1.0") == 200


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="no host"),
        pytest.param([b"Host:"], id="an empty one"),
        pytest.param([b"Host: a", b"Host: b"], id="two hosts"),
        pytest.param([b"Host: a", b"host: a"], id="the same twice"),
        pytest.param([b"Host:", b"Host: a"], id="an empty one and another"),
        pytest.param([b"Host: a, b"], id="a list"),
        pytest.param([b"Host: a b"], id="a space"),
        pytest.param([b"Host: user@a"], id="a user"),
        pytest.param([b"Host: a/b"], id="a path"),
        pytest.param([b"Host: a:port"], id="no port"),
        pytest.param([b"Host: " + b"a" * 300], id="too long"),
        pytest.param([b"Host: a", b"Authorization: Bearer 1", b"Authorization: Bearer 2"], id="two keys"),
        pytest.param([b"Host: a", b"Cookie: a=1", b"Cookie: a=2"], id="two fields of cookies"),
        pytest.param([b"Host: a", b"Origin: http://a", b"Origin: http://b"], id="two origins"),
        pytest.param([b"Host: a", b"Content-Length: 0", b"Content-Length: 1"], id="two lengths"),
        pytest.param([b"Host: a", b"Content-Length: 5", b"Transfer-Encoding: chunked"], id="two framings"),
        pytest.param([b"Host: a", b"Content-Type: a/b", b"Content-Type: c/d"], id="two media types"),
        pytest.param([b"Host: a", b"Sec-Fetch-Site: none", b"Sec-Fetch-Site: none"], id="two sites"),
        pytest.param([b"Host: a", b"Accept: a\x01b"], id="a control character"),
        pytest.param([b"Host: a", b"Accept: a\x00b"], id="a null"),
        pytest.param([b"Host: a", b"Accept: a\rX: b"], id="half of a line end"),
        pytest.param([b"Host: a", b"Accept: a\x7fb"], id="delete"),
        pytest.param([b"Host: a", b"Acc\xc3\xa9pt: a"], id="a name beyond ASCII"),
        pytest.param([b"Host: a", b"Accept : a"], id="a space before the colon"),
        pytest.param([b"Host: a", b" folded: a"], id="a folded line"),
    ],
)
def test_a_head_with_two_meanings_is_rejected(stage: Stage, fields: list[bytes]) -> None:
    """With 400, on a path without a key too."""
    assert _ask(stage, *fields) == 400


@pytest.mark.parametrize("target", [b"/v1/%00", b"/guide%0d%0aSet-Cookie:x", b"/problems/a%1fb", b"/v1/\x01"])
def test_control_characters_in_a_path_are_rejected(stage: Stage, target: bytes) -> None:
    """Encoded ones too."""
    assert _ask(stage, b"Host: a", target=target) == 400


def test_rejected_heads_are_counted(stage: Stage) -> None:
    """As requests of no partner, with their problem."""
    _ask(stage, target=b"/v1/services")

    lines = stage.delivery.admission.collect_usage(stage.clock().date())[stage.clock().date()]
    assert {(line.partner, line.detail) for line in lines} >= {(NOBODY, "400"), (NOBODY, "bad-request")}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/services", 200),
        ("/v1/nothing", 404),
        ("/v1/changes?since=x", 400),
        ("/health/live", 200),
        ("/problems/not-found", 200),
        ("/sign-in", 200),
        ("/static/guide.css", 200),
        ("/guide", 200),
        ("/openapi.json", 200),
    ],
)
def test_every_answer_is_of_its_stated_type(stage: Stage, path: str, status: int) -> None:
    """JSON, problems, pages and files say ``nosniff``, once; without TLS nothing says HSTS."""
    answer = stage.client.get(path)

    assert answer.status_code == status
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "strict-transport-security" not in answer.headers


def test_over_tls_every_answer_keeps_clients_there(stage: Stage) -> None:
    """Answers, problems, and requests without a key."""
    client = TestClient(stage.client.app, "https://testserver", headers=dict(stage.client.headers))

    for path in ("/v1/services", "/v1/nothing", "/health/live", "/sign-in"):
        assert client.get(path).headers["strict-transport-security"] == "max-age=31536000"


def test_a_body_is_strict_json(stage: Stage) -> None:
    """The sound one is answered."""
    body = '{"brands":["b0000001"],%,"given":[]}'.replace("%", _SINCE)

    assert _post(stage, body) == 200
    assert _post(stage, body, "application/json; charset=utf-8") == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"brands":["b0000001"],%,"more":NaN}'.replace("%", _SINCE), id="no number"),
        pytest.param(
            '{"brands":["b0000001"],%,"count":NaN}'.replace("%", _SINCE), id="no number where one belongs"
        ),
        pytest.param('{"brands":["b0000001"],%,"more":Infinity}'.replace("%", _SINCE), id="infinity"),
        pytest.param(
            '{"brands":["b0000001"],%,"more":[-Infinity]}'.replace("%", _SINCE), id="negative infinity"
        ),
        pytest.param('{"brands":["b0000001"],%,"more":1e999}'.replace("%", _SINCE), id="an infinite number"),
        pytest.param('{"brands":["b0000001"],"brands":[],%}'.replace("%", _SINCE), id="a repeated member"),
        pytest.param(
            '{"brands":["b0000001"],%,"more":{"a":1,"a":1}}'.replace("%", _SINCE), id="repeated below"
        ),
        pytest.param("[" * 50_000 + "]" * 40_000, id="nested deeply"),
        pytest.param('{"a":' * 15_000 + "1" + "}" * 15_000, id="objects nested deeply"),
        pytest.param('{"brands":["\\ud800"],%}'.replace("%", _SINCE), id="half of a character"),
        pytest.param('{"brands":["b0000001"],%} {}'.replace("%", _SINCE), id="two values"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_body_that_is_no_strict_json_is_rejected(stage: Stage, body: str) -> None:
    """With 400, whatever the media type says."""
    assert [_post(stage, body), _post(stage, body, "text/plain")] == [400, 400]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_of_another_type_is_rejected(stage: Stage, media_type: str) -> None:
    """A form of another site can send only such types without asking first."""
    assert _post(stage, '{"brands":["b0000001"],%}'.replace("%", _SINCE), media_type) == 400


def _post(stage: Stage, body: str, media_type: str = "application/json") -> int:
    headers: dict[str, Any] = {"Content-Type": media_type} if media_type else {}
    return stage.client.post(
        _LATEST, content=body.encode("utf-8", "surrogatepass"), headers=headers
    ).status_code
