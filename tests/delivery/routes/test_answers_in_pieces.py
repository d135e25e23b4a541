"""Large answers, which are sent while they are rendered: a change renders one service, and a failure is seen."""

import asyncio
import gzip
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx2
import pytest
import uvicorn
from delivery.asking import Stage
from delivery.guides import NOON, TODAY, key, schedule, showing
from lxml import etree

from schedules_pipeline.delivery.__main__ import protocol_of
from schedules_pipeline.delivery.packing import Coding, Packed, Piece, deflate
from schedules_pipeline.delivery.problems import Problem
from schedules_pipeline.delivery.routes import answering, changes
from schedules_pipeline.delivery.turns import Turns
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.identifiers import Sid

_SIDS = [Sid(f"alder_{number}") for number in range(4)]
_DAY = f"date={TODAY}"
_NOON = int(NOON.timestamp())
_TELEVISION = "&".join(f"sid=tag:schedules.example,2024:{sid}" for sid in _SIDS)
_IN_PIECES = [
    f"/v1/schedules?{_DAY}",
    f"/v1/schedules.xmltv?{_DAY}",
    f"/v1/schedules.catalogue?{_DAY}",
    f"/v1/schedules?{_DAY}&day=05:30",
    f"/v1/schedules.tva?{_DAY}",
    f"/dvb-i/{{access}}/schedule?{_TELEVISION}&start={_NOON}&end={_NOON + 3_600}",
    "/players/{access}/guide.xml",
    "/players/{access}/guide.xml.gz",
]


@pytest.fixture
def stage() -> Stage:
    """Four services."""
    stage = Stage()
    stage.publish(*(schedule(key(sid), [showing(1, NOON)]) for sid in _SIDS))
    return stage


def _path(stage: Stage, path: str) -> str:
    return path.replace("{access}", stage.client.headers["Authorization"].removeprefix("Bearer "))


@pytest.mark.parametrize("path", _IN_PIECES)
def test_a_change_renders_one_service_again(stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The other services are remembered and cost nothing."""
    stage.client.get(_path(stage, path))
    stage.publish(schedule(key(_SIDS[1]), [showing(1, NOON, title="News")], seq=2))
    rendered: list[bytes] = []

    def record(plain: bytes) -> Piece:
        rendered.append(plain)
        return deflate(plain)

    monkeypatch.setattr(answering, "deflate", record)
    if "players" in path:
        # Its answers are fixed for a minute.
        stage.client.app.state.serving.player_guides._fixed.clear()  # type: ignore[attr-defined]
    later = stage.client.get(_path(stage, path))

    assert sum(b"News" in plain for plain in rendered) == 1
    assert len(rendered) <= 5
    assert later.headers["schedules-cost"] == "2"
    assert later.headers["schedules-cursor"] == render_cursor(stage.delivery.mirror.cursor)


@pytest.mark.parametrize("path", _IN_PIECES)
def test_every_coding_has_the_same_bytes(stage: Stage, path: str) -> None:
    """Of an answer in pieces, too, and each coding has a tag of its own."""
    plain, zipped = (
        stage.client.get(_path(stage, path), headers={"Accept-Encoding": coding})
        for coding in ("identity", "gzip, zstd")
    )
    body = zipped.content

    assert body == plain.content
    assert "guide.xml.gz" in path or plain.headers["etag"] != zipped.headers["etag"]
    assert zipped.headers.get("content-encoding", "gzip") == "gzip"
    if path.endswith(".gz"):
        assert gzip.decompress(body).startswith(b"<?xml")


def test_an_answer_that_has_begun_waits_however_many_wait() -> None:
    """A request is rejected while too many wait; the next piece of an answer is not, or the answer would break off."""

    async def ask() -> list[str]:
        turns = Turns(1, 1, each_most_waiting=0)
        found: list[str] = []
        async with turns.turn("acme"):
            with pytest.raises(Problem):
                async with turns.turn("acme"):
                    pass
            waits = asyncio.ensure_future(_enter(turns, found))
            await asyncio.sleep(0)
            found.append("the first")
        await waits
        return found

    assert asyncio.run(ask()) == ["the first", "the next piece"]


async def _enter(turns: Turns, found: list[str]) -> None:
    async with turns.turn("acme", has_begun=True):
        found.append("the next piece")


@contextmanager
def _served(stage: Stage) -> Iterator[tuple[str, int]]:
    """The service on a socket, as it runs."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        stage.client.app, http=protocol_of(stage.delivery), lifespan="off", ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(30)


def _breaks(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The pieces of an answer that are made after the head was sent cannot be made, whatever the answer is."""
    made: list[int] = []
    before_the_head = 2 + len(_SIDS) * ("tva" in path or "dvb-i" in path)

    def fail_later(sources: Sequence[Callable[[], bytes]]) -> list[Piece]:
        made.append(1)
        if len(made) > before_the_head + 1:
            raise RuntimeError("a defect")
        return [deflate(source()) for source in sources]

    def fail_second(packed: Packed) -> Iterator[bytes]:
        yield plain(packed)[:100]
        raise RuntimeError("a defect")

    def fail(*_: object) -> bytes:
        raise RuntimeError("a defect")

    plain: Callable[[Packed], bytes] = lambda packed: packed.coded(Coding.IDENTITY)  # noqa: E731
    monkeypatch.setattr(answering, "_render_pieces", fail_later)
    monkeypatch.setattr(answering, "_LARGE_BYTES", 100)
    monkeypatch.setattr(Packed, "plain_pieces", fail_second)
    monkeypatch.setattr(changes, "_place", fail)


_STREAMED = [
    *_IN_PIECES,
    f"/v1/schedules/{_SIDS[0]}/{TODAY}.xmltv",
    "/v1/changes/stream",
]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("path", _STREAMED)
def test_a_client_sees_that_an_answer_breaks_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str, coding: str
) -> None:
    """The transfer is an error, never a complete answer that is too short, after the head said that all is well."""
    if path == _STREAMED[-2] and coding == "gzip":
        pytest.skip("sent at once")
    _breaks(monkeypatch, path)

    with _served(stage) as (host, port):
        address = f"http://{host}:{port}{_path(stage, path)}"
        headers = {"Authorization": stage.client.headers["Authorization"], "Accept-Encoding": coding}
        with httpx2.stream("GET", address, headers=headers, timeout=30) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete message body"):
                answer.read()


@pytest.mark.parametrize("path", _IN_PIECES)
def test_an_old_client_gets_the_length_or_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """In HTTP/1.0, as proxies still speak it, an answer without a length that breaks off looks complete. So all pieces
    are made before the head is sent.
    """
    key_field = f"Authorization: {stage.client.headers['Authorization']}"

    with _served(stage) as address:
        request = f"GET {_path(stage, path)} HTTP/1.0\r\n{key_field}\r\n\r\n".encode()
        whole = _talk(address, request)
        stage.publish(*(schedule(key(sid), [showing(1, NOON)], seq=2) for sid in _SIDS))
        stage.client.app.state.serving.player_guides._fixed.clear()  # type: ignore[attr-defined]
        _breaks(monkeypatch, path)
        broken = _talk(address, request)

    head, _, body = whole.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
    assert b"transfer-encoding" not in head.lower()
    assert b"</tv>" in (gzip.decompress(body) if path.endswith(".gz") else body) or "xml" not in path
    assert b" 500 " in broken.partition(b"\r\n")[0]


def _talk(address: Any, request: bytes) -> bytes:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize("path", [f"/v1/schedules.xmltv?{_DAY}", "/players/{access}/guide.xml"])
def test_channels_and_their_programmes_are_in_the_order_of_their_ids(path: str) -> None:
    """Which is another one than that of the services."""
    stage = Stage()
    stage.publish(*(schedule(key(Sid(name)), [showing(1, NOON)]) for name in ("alder1", "alder_1")))

    document = etree.fromstring(stage.client.get(_path(stage, path)).content)

    ordered = ["alder-1.schedules.example", "alder1.schedules.example"]
    assert [channel.get("id") for channel in document.iterfind("channel")] == ordered
    assert [programme.get("channel") for programme in document.iterfind("programme")] == ordered
