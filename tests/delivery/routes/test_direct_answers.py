"""Direct answers, on loopback: each is compared with that of another service whose application answers everything."""

from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from delivery.routes.answering_service import PATH, AnsweringService, Connection
from toy_world import KEYS

from schedules_pipeline.delivery.__main__ import protocol_of
from schedules_pipeline.delivery.deprecations import NOTICE, Deprecation
from schedules_pipeline.delivery.routes.direct_answers import ROUTE
from schedules_pipeline.delivery.traced_versions import TracedVersions
from schedules_pipeline.migration.ports import ServedSource, ServedState


@pytest.fixture
def direct() -> AnsweringService:
    return AnsweringService(is_direct=True)


@pytest.fixture
def routed() -> AnsweringService:
    return AnsweringService(is_direct=False)


_PATHS = {
    PATH: True,
    f"{PATH}?": True,
    f"{PATH}?min_seq=1": True,
    f"{PATH}?min_seq=999": False,
    f"{PATH}?min_seq=": False,
    f"{PATH}?min_seq=-1": False,
    f"{PATH}?min_seq=1&min_seq=999": False,
    f"{PATH}?min_seq=99999999999999999999": False,
    f"{PATH}?day=utc": False,
    f"{PATH}?unknown=1": False,
    f"{PATH}.xmltv": False,
    f"{PATH}.json": False,
    f"{PATH}/": False,
    "/v1/schedules/%61lder/2026-03-28": False,
    "/v1/schedules/alder/2026-02-31": False,
    "/v1/schedules/alder/2026-03-30": False,
    "/v1/schedules/ALDER/2026-03-28": False,
    "/v1/schedules/alder": False,
    f"/v1/schedules/{KEYS[-1]}": False,
    f"http://test{PATH}": False,
}
"""Whether a partner that may see the service gets a direct answer."""

_TIMES = 2
"""The second of equal requests is recognised by its bytes."""


@pytest.mark.parametrize("partner", ["acme", "birch-only", ""])
def test_answers_are_those_of_the_application(
    direct: AnsweringService, routed: AnsweringService, partner: str
) -> None:
    """For any method and path, sent once or several times, status, header fields, body and usage are equal; the
    application answers everything but the document as it was published.
    """
    asked = [each for each in product(["GET", "HEAD", "POST"], _PATHS) for _ in range(_TIMES)]

    answers = direct.exchange([direct.request(path, partner, method) for method, path in asked])

    assert answers == routed.exchange([routed.request(path, partner, method) for method, path in asked])
    directly = _TIMES * sum(_PATHS.values()) if partner == "acme" else 0
    assert len(direct.asked) == len(asked) - directly
    assert _usage(direct) == _usage(routed)


def _usage(service: AnsweringService) -> Any:
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
        AnsweringService(is_direct=is_direct, proxy_headers=True, forwarded_allow_ips=trusted)
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
    asked = [fields for fields in asked for _ in range(_TIMES)]

    answers = direct.exchange([direct.request(**fields) for fields in asked])

    assert answers == routed.exchange([routed.request(**fields) for fields in asked])
    assert len(direct.asked) < len(asked) / 2
    assert {"HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified"} <= {answer.status for answer in answers}
    assert ("strict-transport-security" in answers[asked.index({"X_Forwarded_Proto": "https"})].headers) == (
        trusted == "127.0.0.1"
    )


def test_limits_hold_for_direct_answers(direct: AnsweringService, routed: AnsweringService) -> None:
    """A partner that may send two requests a minute gets two answers, and then 429 from the application."""
    answers = direct.exchange([direct.request(partner="slow")] * 3)

    assert answers == routed.exchange([routed.request(partner="slow")] * 3)
    assert [answer.status[9:12] for answer in answers] == ["200", "200", "429"]
    assert direct.asked == [PATH]


def test_age_and_switch_are_obeyed(direct: AnsweringService, routed: AnsweringService) -> None:
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


def test_requests_that_are_sent_at_once_are_answered_in_order(
    direct: AnsweringService, routed: AnsweringService
) -> None:
    """Direct answers and those of the application do not overtake each other, however many wait."""
    paths = [PATH, "/v1/digest", PATH, "/v1/services", *[PATH] * 30, "/v1/digest", PATH]

    answers = direct.exchange([direct.request(path) for path in paths], at_once=True)

    assert answers == routed.exchange([routed.request(path) for path in paths], at_once=True)
    assert len(direct.asked) < len(paths)


def test_client_that_does_not_read_gets_no_direct_answer(direct: AnsweringService) -> None:
    """While earlier answers wait to be read, the application answers, which waits for the reader."""

    async def receive(connection: Connection) -> None:
        await connection.receive(direct.request())
        connection.protocol.pause_writing()
        connection.protocol.data_received(direct.request())
        connection.protocol.connection_lost(ConnectionError())

    assert len(direct.over_one_connection(receive)) == 1
    assert direct.asked == [PATH]


def test_fetch_is_shown_in_traces(direct: AnsweringService, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the version and the partner, as by the application."""
    shown: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        TracedVersions, "fetched", lambda _, held, partner, __, status: shown.append((held, partner, status))
    )

    direct.exchange([direct.request()])

    assert shown == [((direct.stage.delivery.mirror.held(KEYS[0]),), "acme", 200)]
    assert not direct.asked


def test_deprecated_route_is_answered_by_the_application(direct: AnsweringService) -> None:
    """Which tells so in the answer; other deprecations change nothing."""
    since = date(2026, 1, 1)
    document, other = (
        Deprecation(route=route, since=since, until=since + NOTICE, instead="Nothing.")
        for route in (ROUTE, "/v1/digest")
    )

    assert protocol_of(direct.stage.delivery, [other, document]).direct is None
    assert protocol_of(direct.stage.delivery, [other]).direct is not None
