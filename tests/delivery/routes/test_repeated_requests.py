"""Requests that are recognised by their bytes: each equal one is answered as if it were the first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, pairwise
from unittest.mock import Mock

import pytest
from delivery.routes.answering_service import PATH, Answer, AnsweringService, Connection
from delivery_stage import DeliveryStage
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.routes.direct_answers import DirectRequest, read_request
from schedules_pipeline.delivery.routes.repeated_requests import RequestMemory
from schedules_pipeline.migration.ports import ServedSource, ServedState


@pytest.fixture
def direct() -> AnsweringService:
    return AnsweringService(is_direct=True)


def _forbid_parsing(connection: Connection) -> None:
    connection.protocol.parser = Mock(feed_data=Mock(side_effect=AssertionError("parsed")))


def test_request_that_repeats_is_not_parsed(direct: AnsweringService) -> None:
    """Not on its own connection, nor on another one after that one's first request; every answer is counted."""

    async def use(connection: Connection) -> None:
        await connection.receive(direct.request(), direct.request())
        _forbid_parsing(connection)
        await connection.receive(direct.request())

    async def use_another(connection: Connection) -> None:
        await connection.receive(direct.request("/v1/services"))
        _forbid_parsing(connection)
        await connection.receive(direct.request())

    answers = [*direct.over_one_connection(use), direct.over_one_connection(use_another)[1]]

    assert len({answer.body for answer in answers}) == 1
    left = [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers]
    assert left == [f'"minute";r={number}' for number in (59_999, 59_998, 59_997, 59_995)]
    assert direct.asked == ["/v1/services"]


def _revoke(stage: DeliveryStage) -> None:
    acme = stage.store.partners.one("acme")
    assert acme is not None
    stage.store.partners.change(acme, acme.without_key(acme.keys[0].id))
    stage.keep_up()


def _restrict(stage: DeliveryStage) -> None:
    acme = stage.store.partners.one("acme")
    assert acme is not None
    stage.store.partners.change(acme, replace(acme, services=("birch*",)))
    stage.keep_up()


def _switch_back(stage: DeliveryStage) -> None:
    stage.store.served.change(
        ServedState(2, ServedSource.LEGACY, stage.clock(), "test", "test", None, forced=True)
    )
    stage.delivery.switched.refresh(stage.store.served)


def _change(stage: DeliveryStage) -> None:
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[1], EPISODES[0]),))])
    stage.keep_up()


def _remove(stage: DeliveryStage) -> None:
    stage.publish([ScheduleRemoved(KEYS[0])])
    stage.keep_up()


def _lose_store(stage: DeliveryStage) -> None:
    stage.clock.advance(timedelta(days=30))


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (lambda _: None, "304"),
        (_revoke, "401"),
        (_restrict, "404"),
        (_switch_back, "503"),
        (_change, "200"),
        (_remove, "404"),
        (_lose_store, "503"),
    ],
    ids=["nothing", "key revoked", "rights changed", "switched back", "new version", "removed", "too old"],
)
def test_what_happens_between_equal_requests_counts(
    happens: Callable[[DeliveryStage], None], status: str
) -> None:
    """A conditional request that was recognised before gets the answer that the application gives now."""

    def last_answer(service: AnsweringService) -> Answer:
        [document] = service.exchange([service.request()])
        request = service.request(If_None_Match=document.headers["etag"])

        async def use(connection: Connection) -> None:
            await connection.receive(request, request, request)
            happens(service.stage)
            await connection.receive(request)

        return service.over_one_connection(use)[-1]

    answer, expected = (last_answer(AnsweringService(is_direct=is_direct)) for is_direct in (True, False))

    assert answer == expected
    assert answer.status[9:12] == status


def test_proxy_is_trusted_by_the_connection() -> None:
    """The scheme that a request names counts from a trusted proxy, and not from others who send the same bytes."""
    service = AnsweringService(is_direct=True, proxy_headers=True, forwarded_allow_ips="10.0.0.1")
    request = service.request(X_Forwarded_Proto="https")

    async def use(connection: Connection) -> None:
        await connection.receive(*[request] * 3)

    for client, is_marked in (("10.0.0.1", True), ("10.0.0.2", False), ("10.0.0.1", True)):
        answers = service.over_one_connection(use, client)
        assert ["strict-transport-security" in answer.headers for answer in answers] == [is_marked] * 3
    assert not service.asked


_SERVICES = [AnsweringService(is_direct=is_direct) for is_direct in (True, False)]
_DOCUMENT = _SERVICES[0].request()
_REQUESTS = [
    *[_DOCUMENT] * 4,
    _SERVICES[0].request(partner="birch-only"),
    _SERVICES[0].request("/v1/services"),
    _SERVICES[0].request(method="POST", Content_Length=str(len(_DOCUMENT))) + _DOCUMENT,
    _SERVICES[0].request(Content_Length=str(len(_DOCUMENT))) + _DOCUMENT,
    _SERVICES[0].request(Transfer_Encoding="chunked")
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(_DOCUMENT), _DOCUMENT),
    b"\r\n" + _DOCUMENT,
    _DOCUMENT + b"\r\n",
]


@st.composite
def _reads(draw: st.DrawFn) -> list[bytes]:
    """Requests cut at their ends, for the most part, and anywhere else."""
    requests = draw(st.lists(st.sampled_from(_REQUESTS), min_size=3, max_size=8))
    sent = b"".join(requests)
    ends = [end for end in accumulate(map(len, requests)) if draw(st.integers(0, 3))]
    cuts = draw(st.lists(st.one_of(st.integers(0, len(sent)), *([st.sampled_from(ends)] if ends else []))))
    places = sorted({0, *ends, *cuts, len(sent)})
    return [sent[begin:end] for begin, end in pairwise(places)]


@settings(deadline=None, max_examples=60)
@given(_reads())
def test_requests_are_answered_in_order_however_they_arrive(reads: list[bytes]) -> None:
    """Split, joined, or as the body of another one, requests get the answers of the application."""

    async def use(connection: Connection) -> None:
        await connection.receive(*reads)

    direct, routed = (service.over_one_connection(use) for service in _SERVICES)

    assert direct == routed


def test_idle_connection_ends_after_its_last_answer(direct: AnsweringService) -> None:
    """A timer that ends sooner, because a recognised request started none, is started again for the rest."""

    async def use(connection: Connection) -> None:
        protocol, loop = connection.protocol, Mock()
        protocol.loop, protocol.timeout_keep_alive, loop.time.return_value = loop, 65, 1_000.0
        await connection.receive(direct.request(), direct.request())
        begun = loop.call_later.call_count
        loop.time.return_value = 1_050.0
        await connection.receive(direct.request())
        assert loop.call_later.call_count == begun
        for at, is_closed in ((1_065.0, False), (1_115.0, True)):
            loop.time.return_value = at
            protocol.timeout_keep_alive_handler()
            assert connection.transport.close.called == is_closed
        assert loop.call_later.call_args.args[0] == 50.0

    direct.over_one_connection(use)


def test_memory_is_bounded_and_keeps_no_keys() -> None:
    """It holds so many requests at most, none that is long, and digests in place of bytes."""
    target, fields = PATH.encode(), [(b"host", b"a"), (b"authorization", b"Bearer sk_secret")]
    request = read_request(target, fields)
    assert isinstance(request, DirectRequest)
    memory = RequestMemory(most=10)

    for number in range(25):
        memory.keep(b"%d" % number, request)
    memory.keep(b"x" * 5_000, request)

    assert [memory.find(b"%d" % number) for number in (0, 24)] == [None, request]
    assert memory.find(b"x" * 5_000) is None
    assert "sk_secret" not in repr(request)
