"""What televisions are answered, and who may ask."""

from datetime import timedelta

import pytest
from delivery.guides import ALDER, BIRCH, NOON, key, schedule, showing
from lxml import etree
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from televisions.stage import (
    HOUR,
    NOON_SECONDS,
    PUBLIC,
    REGIONS,
    SILENT,
    Televisions,
    crid,
    episodes,
    service_id,
)

from schedules_pipeline.delivery.questions.televisions import FurtherEpisodes
from schedules_pipeline.delivery.routes import televisions as routes
from schedules_pipeline.delivery.routes.addressed import printable_path
from schedules_pipeline.delivery.routes.serving import Call
from schedules_pipeline.documents.content_guide import EARLIER, LATER, NOW
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.migration.ports import ServedSource
from schedules_pipeline.partners.ports import UsageKind, UsageLine

_SCHEDULE = f"{PUBLIC}/schedule"
_TODAY: dict[str, str | int] = {
    "sid": service_id(ALDER),
    "start": NOON_SECONDS - 10_800,
    "end": NOON_SECONDS + 10_800,
}


@pytest.fixture
def televisions() -> Televisions:
    return Televisions(**REGIONS)


def _values(document: bytes, name: str, attribute: str) -> list[str]:
    return [str(one.get(attribute)) for one in etree.fromstring(document).iterfind(f".//{{*}}{name}")]


def _texts(document: bytes, name: str) -> list[str]:
    return [one.text or "" for one in etree.fromstring(document).iterfind(f".//{{*}}{name}")]


# The service list.


def test_the_list_has_the_services_of_the_partner(televisions: Televisions) -> None:
    """The public sees its services, and a key those of its partner, under the tags that the schedules have."""
    public, keyed = televisions.get("services.xml"), televisions.get("services.xml", access=televisions.key)

    assert _texts(public, "UniqueIdentifier") == [service_id(ALDER)]
    assert set(_texts(keyed, "UniqueIdentifier")) == {service_id(sid) for sid in (ALDER, BIRCH, SILENT)}
    assert _values(keyed, "Region", "regionID") == ["north", "south"]


def test_the_endpoints_of_the_list_answer(televisions: Televisions) -> None:
    """Every address in the list is under the one that was asked, for the public and for a key."""
    for access in ("televisions", televisions.key):
        addresses = _texts(televisions.get("services.xml", access=access), "URI")

        guide = [address for address in addresses if "/dvb-i/" in address]
        assert [address.rpartition("/")[0] for address in guide] == [f"http://testserver/dvb-i/{access}"] * 3
        statuses = [televisions.client.get(address).status_code for address in guide]
        assert statuses == [400, 400, 400], "each wants parameters"


def test_a_cdn_is_named_instead(televisions: Televisions) -> None:
    """Behind a CDN the list has the CDN's address."""
    behind = Televisions(television_url="https://guide.example")

    assert _texts(behind.get("services.xml"), "URI")[0] == "https://guide.example/dvb-i/televisions/schedule"


# Schedules.


def test_a_schedule_has_what_begins_between_two_instants(televisions: Televisions) -> None:
    """Unix seconds, of which the first counts and the last does not."""
    asked = [("start", NOON_SECONDS), ("end", NOON_SECONDS + 7_200)]
    document = televisions.get("schedule", ("sid", service_id(ALDER)), *asked)

    assert _texts(document, "PublishedStartTime") == ["2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z"]
    assert _values(document, "Schedule", "serviceIDRef") == [service_id(ALDER)]


def test_what_runs_already_is_listed_if_asked_for(televisions: Televisions) -> None:
    """`inclusive=true` adds what began before."""
    asked = [("start", NOON_SECONDS + 1_800), ("end", NOON_SECONDS + 3_600), ("inclusive", "true")]
    document = televisions.get("schedule", ("sid", service_id(ALDER)), *asked)

    assert _texts(document, "PublishedStartTime") == ["2026-03-10T12:00:00Z"]


def test_several_services_are_in_one_document(televisions: Televisions) -> None:
    """A `sid` for each."""
    sids = [("sid", service_id(sid)) for sid in (BIRCH, ALDER)]
    document = televisions.get(
        "schedule", *sids, ("start", NOON_SECONDS), ("end", NOON_SECONDS + 3_600), access=televisions.key
    )

    assert _values(document, "Schedule", "serviceIDRef") == [service_id(ALDER), service_id(BIRCH)]


def test_a_window_without_broadcasts_is_an_empty_document(televisions: Televisions) -> None:
    """Nothing is published for next year, which is no error."""
    later = NOON_SECONDS + 86_400 * 365
    document = televisions.get(
        "schedule", ("sid", service_id(ALDER)), ("start", later), ("end", later + 21_600)
    )

    assert _texts(document, "ProgramInformation") == _texts(document, "ScheduleEvent") == []
    assert _values(document, "Schedule", "serviceIDRef") == [service_id(ALDER)]


def test_services_times_days_have_a_limit(televisions: Televisions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is rendered as a whole, so its size is bounded."""
    monkeypatch.setattr(routes, "_MOST_DAYS", 3)

    def status(days: float) -> int:
        sids = [("sid", service_id(sid)) for sid in (ALDER, BIRCH)]
        window = [("start", NOON_SECONDS), ("end", NOON_SECONDS + int(days * 86_400))]
        path = f"/dvb-i/{televisions.key}/schedule"
        return televisions.client.get(path, params=[*sids, *window]).status_code

    assert [status(days) for days in (0.5, 1, 1.5)] == [200, 200, 400]


def test_a_schedule_says_up_to_which_change_it_is_current(televisions: Televisions) -> None:
    """Pages of any origin may read it."""
    answer = televisions.client.get(
        f"{PUBLIC}/schedule",
        params={**_TODAY, "end": NOON_SECONDS + 40_000},
    )

    assert answer.headers["schedules-cursor"] == render_cursor(televisions.stage.delivery.mirror.cursor)
    assert "Schedules-Cursor" in answer.headers["access-control-expose-headers"]


def test_every_programme_has_a_synopsis(televisions: Televisions) -> None:
    """Also one that has no texts: the reference client reads no document with an empty one."""
    document = televisions.get("schedule", *{**_TODAY, "end": NOON_SECONDS + 40_000}.items())

    assert "Not available" in _texts(document, "Title")
    assert all(_texts(document, "Synopsis"))


def test_televisions_are_told_no_profiled_out_attribute(televisions: Televisions) -> None:
    """`OtherIdentifier` is in the partners' documents alone."""
    assert b"organization" not in televisions.get("schedule", *_TODAY.items())


def test_a_published_change_is_another_document(televisions: Televisions) -> None:
    """With the tag of the version before, the answer is the new one; with its own, 304 with the headers of 200."""
    first = televisions.client.get(_SCHEDULE, params=_TODAY)
    again = televisions.client.get(_SCHEDULE, params=_TODAY, headers={"If-None-Match": first.headers["etag"]})
    televisions.stage.publish(schedule(key(), [showing(1, NOON, 60, title="News")], seq=2))
    changed = televisions.client.get(
        _SCHEDULE, params=_TODAY, headers={"If-None-Match": first.headers["etag"]}
    )

    assert again.status_code == 304
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert again.headers["access-control-allow-origin"] == "*"
    assert changed.status_code == 200
    assert "News" in changed.text


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"sid": "alder_one", "start": 0, "end": 1}, 404),
        ({"sid": service_id(BIRCH), "start": 0, "end": 1}, 404),
        ({"sid": "tag:schedules.example,2024:no_such", "start": 0, "end": 1}, 404),
        ({"sid": service_id(ALDER)}, 400),
        ({"sid": service_id(ALDER), "start": 2, "end": 1}, 400),
        ({"sid": service_id(ALDER), "start": 0, "end": 86_400 * 9}, 400),
        ({"sid": service_id(ALDER), "start": 10**30, "end": 10**31}, 400),
        ({"sid": service_id(ALDER), "start": "-5", "end": "noon"}, 400),
        ({"sid": service_id(ALDER), "now_next": "maybe"}, 400),
    ],
)
def test_wrong_questions_are_rejected(
    televisions: Televisions, params: dict[str, object], status: int
) -> None:
    """With a problem that every page may read; a service of others is answered as one that does not exist."""
    answer = televisions.client.get(_SCHEDULE, params={name: str(value) for name, value in params.items()})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"


# Now and next.


def test_now_and_next_are_told_by_their_groups(televisions: Televisions) -> None:
    """The programmes are members of the groups of DVB, which are described."""
    document = televisions.get("schedule", ("sid", service_id(ALDER)), ("now_next", "true"))

    assert _values(document, "GroupInformation", "groupId") == [NOW, LATER]
    assert _values(document, "ProgramInformation", "programId") == [crid("p0000005"), crid("p0000006")]
    assert _values(document, "MemberOf", "crid") == [NOW, LATER]


def test_a_window_around_now_has_ten_of_each_side_at_most(televisions: Televisions) -> None:
    """`now_next=window` also lists what is over."""
    document = televisions.get("schedule", ("sid", service_id(ALDER)), ("now_next", "window"))

    assert _values(document, "GroupInformation", "groupId") == [EARLIER, NOW, LATER]
    assert _values(document, "GroupInformation", "numOfItems") == ["5", "1", "4"]


def test_now_is_kept_until_it_is_over_and_no_longer(televisions: Televisions) -> None:
    """A cache may keep the answer until the next broadcast begins, and never use it after that."""
    question = {"sid": service_id(ALDER), "now_next": "true"}
    televisions.stage.advance(HOUR - timedelta(seconds=7))
    before = televisions.client.get(_SCHEDULE, params=question)
    televisions.stage.advance(timedelta(seconds=7))
    after = televisions.client.get(_SCHEDULE, params=question)

    assert before.headers["cache-control"] == "public, max-age=7"
    assert _values(after.content, "ProgramInformation", "programId")[0] == crid("p0000006")


# Programmes.


def test_a_programme_is_told_with_all_its_texts(televisions: Televisions) -> None:
    """By the CRID that schedules have, raw or percent-encoded."""
    document = televisions.get("programme", ("pid", crid("p0000005")))
    raw = televisions.client.get(f"{PUBLIC}/programme?pid={crid('p0000005')}").content

    assert _values(document, "ProgramInformation", "programId") == [crid("p0000005")]
    assert _values(document, "EpisodeOf", "crid")
    assert raw == document


def test_more_episodes_are_those_to_come(televisions: Televisions) -> None:
    """Of the brand, on one service, with the parameters that clients send."""
    document = televisions.get("more-episodes", ("pid", crid("p0000003")), ("type", "ondemand"))

    assert _texts(document, "PublishedStartTime")[0] == "2026-03-10T13:00:00Z"
    assert _values(document, "Schedule", "serviceIDRef") == [service_id(ALDER)]
    assert _values(document, "GroupInformation", "numOfItems") == ["3"]


def test_a_brand_without_further_episodes_has_an_empty_schedule(televisions: Televisions) -> None:
    """The answer is a document, so that a client shows none instead of those of the programme before."""
    televisions.stage.advance(timedelta(hours=12))
    document = televisions.get("more-episodes", ("pid", crid("p0000003")))

    assert _texts(document, "ScheduleEvent") == []
    assert _values(document, "GroupInformation", "numOfItems") == ["0"]
    assert _values(document, "Schedule", "serviceIDRef") == [service_id(ALDER)]


@pytest.mark.parametrize("pid", ["crid://schedules.example/p0009999", "crid://other.example/p0000005", "p"])
@pytest.mark.parametrize("path", ["programme", "more-episodes"])
def test_unknown_programmes_do_not_exist(televisions: Televisions, path: str, pid: str) -> None:
    """Neither do those of another authority."""
    assert televisions.client.get(f"{PUBLIC}/{path}", params={"pid": pid}).status_code == 404


def test_programmes_of_hidden_services_do_not_exist(televisions: Televisions) -> None:
    """What only a service of others shows is answered as unknown."""
    televisions.stage.publish(
        schedule(key(BIRCH), [showing(60, NOON, 60, episode_pid=Pid("p0000077"))], seq=2)
    )
    televisions.stage.advance(timedelta(seconds=6))

    hidden = televisions.client.get(f"{PUBLIC}/programme", params={"pid": crid("p0000077")})
    assert hidden.status_code == 404
    assert televisions.get("programme", ("pid", crid("p0000077")), access=televisions.key)


# Access.


def test_nothing_is_public_until_an_operator_says_so(televisions: Televisions) -> None:
    """The name of a partner that is not public admits nobody, and its key does."""
    televisions.change_public(is_public=False)

    for name in ("televisions", "everyone", "nobody", "sk_00000000_" + "0" * 40):
        answer = televisions.client.get(f"/dvb-i/{name}/services.xml")
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "*"


def test_the_public_reads_televisions_alone(televisions: Televisions) -> None:
    """Its name opens no other request, and other credentials change no shared answer."""
    other = TestClient(
        televisions.client.app,
        headers={"Authorization": f"Bearer {televisions.key}"},
        cookies={"schedules_session": "x"},
    )

    assert televisions.client.get("/v1/services").status_code == 401
    assert other.get(f"{PUBLIC}/services.xml").content == televisions.get("services.xml")


def test_shared_answers_say_that_caches_may_share_them(televisions: Televisions) -> None:
    """Those for a key are private; what is left of a limit is told to keys alone."""
    shared = televisions.client.get(_SCHEDULE, params=_TODAY).headers
    keyed = televisions.client.get(f"/dvb-i/{televisions.key}/schedule", params=_TODAY).headers

    lasting = "max-age=5, s-maxage=5, stale-while-revalidate=5, stale-if-error=86400"
    assert shared["cache-control"] == f"public, {lasting}"
    assert shared["vary"] == keyed["vary"] == "Accept-Encoding"
    assert "ratelimit" not in shared
    assert keyed["cache-control"].startswith("private, ")
    assert "ratelimit" in keyed


def test_the_public_has_limits_and_is_counted(televisions: Televisions) -> None:
    """As a partner: by its name, under the route, and never under a path."""
    televisions.change_public(requests_per_minute=2)
    statuses = [televisions.client.get(f"{PUBLIC}/services.xml").status_code for _ in range(3)]

    counts = televisions.stage.delivery.admission.collect_usage(NOON.date())[NOON.date()]
    line = UsageLine("televisions", UsageKind.REQUESTS, "/dvb-i/{access}/services.xml", "200")
    assert statuses == [200, 200, 429]
    assert counts[line] == 2


def test_the_switch_holds_for_televisions(televisions: Televisions) -> None:
    """While the old system serves partners, nobody is answered except partners on preview."""
    assert televisions.stage.delivery.switched.current.source is not ServedSource.OURS
    televisions.change_public(is_preview=False)

    assert televisions.client.get(f"{PUBLIC}/services.xml").status_code == 503


def test_a_page_may_ask_first(televisions: Televisions) -> None:
    """`OPTIONS` needs no key, and names the methods and headers of a conditional request."""
    answer = televisions.client.options(
        f"/dvb-i/{'x' * 50}/schedule", headers={"Access-Control-Request-Headers": "if-none-match"}
    )

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]
    assert televisions.client.options("/v1/services").status_code == 401


def test_a_key_in_a_path_is_in_no_log(televisions: Televisions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect is logged with the path without the key, and the problem does not repeat it; nor do tasks."""

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Call, "is_public", fail)
    client = TestClient(televisions.client.app, raise_server_exceptions=False)
    with capture_logs() as logs:
        answer = client.get(f"/dvb-i/{televisions.key}/schedule", params=_TODAY)

    assert answer.status_code == 500
    assert televisions.key not in answer.text
    assert [log["path"] for log in logs] == ["/dvb-i/{access}/schedule"]
    assert televisions.key not in str({**logs[0], "exc_info": ""})
    task = FurtherEpisodes(Pid("p0000001"), frozenset(), NOON, None, televisions.key)  # type: ignore[arg-type]
    assert televisions.key not in str(task)
    assert printable_path("/v1/services") == "/v1/services"


def test_episodes_of_two_services_are_told_of_one(televisions: Televisions) -> None:
    """Of the service that shows the episode, though another shows the brand sooner."""
    televisions.stage.publish(
        schedule(key(BIRCH), [*episodes(first=30), showing(50, NOON + HOUR / 2, 10)], seq=2)
    )
    televisions.stage.advance(timedelta(seconds=6))
    document = televisions.get("more-episodes", ("pid", crid("p0000001")), access=televisions.key)

    assert len(_values(document, "Schedule", "serviceIDRef")) == 1
