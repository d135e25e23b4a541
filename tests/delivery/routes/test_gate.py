"""What every request passes first."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from delivery_stage import DeliveryStage
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, Slot

from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import NOBODY, UsageKind

_OPEN = {
    "/docs",
    "/openapi.json",
    "/",
    "/health/live",
    "/health/ready",
    "/health/serving",
    "/problems/{name}",
    "/sign-in",
    "/sign-out",
    "/static/{name}",
}
_VALUES = {
    "sid": "alder",
    "date": "2026-03-28",
    "format": "xmltv",
    "pid": "p0000001",
    "name": "not-found",
    "access": "nobody",
}
_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_SCHEDULE = "/v1/schedules/alder/2026-03-28"


@pytest.fixture
def stage() -> DeliveryStage:
    """Three schedules of two services are published."""
    stage = DeliveryStage()
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.keep_up()
    return stage


def _routes(stage: DeliveryStage, *, method: str | None = None) -> Iterator[tuple[str, str]]:
    """Method and path template of every route."""
    for route in iter_route_contexts(stage.application.routes):
        for each in sorted(route.methods or ()):
            if route.path is not None and method in (None, each):
                yield each, route.path


def _filled(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: _VALUES[found[1]], template)


def _switch(stage: DeliveryStage, source: ServedSource) -> None:
    stage.store.served.change(ServedState(2, source, stage.clock(), "test", "test", None, forced=False))
    stage.keep_up()


def _used(stage: DeliveryStage) -> dict[tuple[str, UsageKind, str, str], int]:
    taken = stage.delivery.admission.collect_usage(stage.clock().date())
    return {
        (line.partner, line.kind, line.route, line.detail): count
        for counts in taken.values()
        for line, count in counts.items()
    }


def test_every_route_needs_a_key_but_the_open_ones(stage: DeliveryStage) -> None:
    """Every route, also a future one, needs a key, except those listed here."""
    anybody = stage.client(None)

    closed = {
        path
        for method, path in _routes(stage)
        if anybody.request(method, _filled(path), follow_redirects=False).status_code == 401
        or _leads_to_sign_in(anybody, method, _filled(path))
    }

    paths = {path for _, path in _routes(stage)}
    assert paths - closed == _OPEN
    assert len(closed) > 10


def _leads_to_sign_in(anybody: TestClient, method: str, path: str) -> bool:
    """Pages lead there, where other paths refuse; and without the key nothing of the page is told."""
    answer = anybody.request(method, path, follow_redirects=False)
    return (
        path.startswith("/guide")
        and answer.headers.get("location", "").startswith("/sign-in")
        and not answer.content
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer sk_aaaaaaaa_" + "b" * 40},
        {"Authorization": "Basic YWNtZTphY21l"},
        {"Authorization": "Bearer " + "k" * 10_000},
        {"Cookie": "schedules_session=" + "b" * 43},
        {"Cookie": '=; ;;="; schedules_session'},
    ],
)
def test_without_a_valid_key_nothing_is_told(stage: DeliveryStage, headers: dict[str, str]) -> None:
    """A missing, unknown or unreadable key is refused in the same way, with the scheme in which one is given."""
    answer = stage.client(None).get(_SCHEDULE, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/no-key"
    assert "schedules-as-of" not in answer.headers


def test_a_session_may_be_in_the_cookie_of_the_page(stage: DeliveryStage) -> None:
    """A reader who signed in on the page is recognised by the token in a cookie; a key there is none."""
    key = stage.client().headers["authorization"].removeprefix("Bearer ")

    answers = [
        stage.client(None).get(_SCHEDULE, headers={"Cookie": cookie})
        for cookie in (
            f"schedules_session={_session(stage)}",
            f"schedules_session={key}",
            f"schedules_key={key}",
        )
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 401]


def _session(stage: DeliveryStage) -> str:
    return stage.delivery.sessions.begin(stage.delivery.store.sign_ins, "acme", "", stage.clock())


@pytest.mark.parametrize(
    "other", ["", "theme=dark; ", "a=b c; ", 'a="\\a\\a; ', "=; ;; ", "schedules_sessions=no; "]
)
def test_other_cookies_do_not_hide_the_session(stage: DeliveryStage, other: str) -> None:
    """The token is found among any other cookies, even malformed ones."""
    cookie = f"{other}schedules_session={_session(stage)}; z=1"

    answer = stage.client(None).get(_SCHEDULE, headers={"Cookie": cookie})

    assert answer.status_code == 200


def test_head_is_get_without_the_body(stage: DeliveryStage) -> None:
    """Of every route that is read, HEAD gives the status and the headers that GET gives, and no body."""
    acme = stage.client()
    for _, template in _routes(stage, method="GET"):
        path = _filled(template)
        if template.endswith("/stream") or template == "/guide/changes":
            continue
        got = acme.get(path, follow_redirects=False)

        headed = acme.head(path, follow_redirects=False)

        assert (headed.status_code, headed.content) == (got.status_code, b""), path
        assert _lasting(dict(headed.headers)) == _lasting(dict(got.headers)), path


def _lasting(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("ratelimit", "schedules-cost")}


def test_head_of_the_stream_ends(stage: DeliveryStage) -> None:
    """HEAD asks what the stream would be, and holds no place."""
    answer = stage.client().head("/v1/changes/stream")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_before_the_switch_partners_are_sent_away(stage: DeliveryStage) -> None:
    """While the old system serves partners, only partners on trial and operators are admitted."""
    stage.add_partner(Partner("trial", stage.clock(), is_preview=True))
    stage.add_partner(Partner("staff", stage.clock(), is_operator=True))

    _switch(stage, ServedSource.LEGACY)

    answers = {name: stage.client(name).get(_SCHEDULE) for name in ("acme", "trial", "staff")}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "acme": 503,
        "trial": 200,
        "staff": 200,
    }
    assert answers["acme"].json()["type"] == "/problems/not-switched"
    assert answers["acme"].headers["retry-after"] == "30"


def test_old_answers_are_marked_then_rejected(stage: DeliveryStage) -> None:
    """While the store does not answer, the last good version is served and marked with its age; after the agreed time
    it is not served.
    """
    acme, confirmed_at = stage.client(), stage.clock()
    statuses = []
    for age in (timedelta(seconds=5), timedelta(minutes=5), timedelta(days=30)):
        stage.clock.advance(confirmed_at + age - stage.clock())
        answer = acme.get(_SCHEDULE)
        statuses.append((answer.status_code, answer.headers.get("schedules-stale")))

    assert statuses == [(200, None), (200, "?1"), (503, None)]
    assert answer.json()["type"] == "/problems/unavailable"
    assert "retry-after" in answer.headers


def test_answers_say_of_when_they_are(stage: DeliveryStage) -> None:
    """Every answer says when the store last confirmed it, 304 as well."""
    acme = stage.client()
    first = acme.get(_SCHEDULE)

    again = acme.get(_SCHEDULE, headers={"If-None-Match": first.headers["etag"]})

    as_of = f"{stage.clock():%Y-%m-%dT%H:%M:%SZ}"
    assert (again.status_code, again.headers["schedules-as-of"]) == (304, as_of)
    assert first.headers["schedules-as-of"] == as_of


def test_nothing_is_served_before_the_store_was_read() -> None:
    """A process that knows neither partners nor schedules yet says that it cannot answer at the moment."""
    stage = DeliveryStage()
    key = stage.client().headers["authorization"]
    stage.keep_up = lambda: None  # type: ignore[method-assign]

    stage.begin_delivery()

    answer = stage.client(None).get("/v1/services", headers={"Authorization": key})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")


def test_usage_is_counted_by_route(stage: DeliveryStage) -> None:
    """Requests are counted by route template, status and problem; the counts contain no path."""
    acme = stage.client()
    _used(stage)
    size = len(acme.get(_SCHEDULE, headers={"Accept-Encoding": "identity"}).content)
    acme.head(_SCHEDULE)
    lost = len(acme.get("/v1/schedules/alder/2020-01-01").content)
    nowhere = len(acme.get("/v1/secrets/of-acme").content)
    stage.client(None).get(_SCHEDULE)

    used = _used(stage)

    route = "/v1/schedules/{sid}/{date}"
    assert used["acme", UsageKind.REQUESTS, route, "200"] == 2
    assert used["acme", UsageKind.REQUESTS, route, "404"] == 1
    assert used["acme", UsageKind.REQUESTS, "none", "404"] == 1
    assert used["acme", UsageKind.BYTES, "", ""] == size + lost + nowhere
    assert used["acme", UsageKind.PROBLEMS, "", "not-found"] == 2
    assert used[NOBODY, UsageKind.REQUESTS, "none", "401"] == 1
    assert used[NOBODY, UsageKind.PROBLEMS, "", "no-key"] == 1
    assert "alder" not in str(used)
    assert "secrets" not in str(used)


@pytest.mark.parametrize(
    "template",
    [
        "/v1/schedules/{sid}/2026-03-28",
        "/v1/schedules/{sid}/2026-03-28?min_seq=9",
        "/v1/schedules/{sid}/2026-03-28.xmltv",
        "/v1/schedules/{sid}?from=2026-03-28",
        "/v1/schedules?date=2026-03-28&sid={sid}",
        "/v1/schedules.tva?date=2026-03-28&sid={sid}",
        "/v1/digest?sid={sid}",
        "/v1/now-next?sid={sid}",
        "/guide/{sid}/2026-03-28",
    ],
)
def test_services_of_others_are_as_if_not_there(stage: DeliveryStage, template: str) -> None:
    """A service that a partner may not see is answered exactly as one that there is not."""
    stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
    stage.keep_up()
    partner = stage.client("birch-only")

    hidden, absent = (partner.get(template.format(sid=sid)) for sid in ("alder", "cedar"))

    assert hidden.status_code == absent.status_code
    assert hidden.text.replace("alder", "cedar") == absent.text
    assert "w000000" not in hidden.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/services",
        "/v1/digest",
        "/v1/schedules?date=2026-03-28",
        "/v1/now-next",
        "/v1/catalogue/coming",
        "/guide",
    ],
)
def test_answers_about_all_services_leave_out_those_of_others(stage: DeliveryStage, path: str) -> None:
    """Where no service is named, a partner hears of its own alone."""
    stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
    stage.keep_up()

    answer = stage.client("birch-only").get(path)

    assert answer.status_code == 200
    assert "alder" not in answer.text.lower()


def test_more_requests_than_agreed_are_rejected(stage: DeliveryStage) -> None:
    """Beyond its limit a partner is told when to ask again; then it is answered again."""
    stage.add_partner(Partner("small", stage.clock(), requests_per_minute=2))
    stage.keep_up()
    small = stage.client("small")

    statuses = [small.get(_SCHEDULE).status_code for _ in range(3)]
    rejected = small.get(_SCHEDULE)
    stage.clock.advance(timedelta(seconds=int(rejected.headers["retry-after"])))

    assert statuses == [200, 200, 429]
    assert rejected.json()["type"] == "/problems/too-many-requests"
    assert "r=0" in rejected.headers["ratelimit"]
    assert small.get(_SCHEDULE).status_code == 200


def test_what_is_rejected_beyond_a_limit_is_counted_as_the_partner_s(stage: DeliveryStage) -> None:
    """A throttled partner is counted in its own usage, not among unauthenticated requests."""
    stage.add_partner(Partner("small", stage.clock(), requests_per_minute=2))
    stage.keep_up()
    small = stage.client("small")
    _used(stage)

    for _ in range(5):
        small.get(_SCHEDULE)

    used = _used(stage)
    assert used["small", UsageKind.REQUESTS, "none", "429"] == 3
    assert used["small", UsageKind.PROBLEMS, "", "too-many-requests"] == 3
    assert not any(name == NOBODY for name, *_ in used)


def test_revoked_key_is_rejected_from_the_next_round_on(stage: DeliveryStage) -> None:
    """Once partners were read again, a key that is no longer there opens nothing."""
    acme = stage.client()
    before = acme.get(_SCHEDULE).status_code
    stage.store.partners.remove("acme")

    stage.keep_up()

    assert [before, acme.get(_SCHEDULE).status_code] == [200, 401]
