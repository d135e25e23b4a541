"""Signing in to the guide, and the static files, which need no key."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from delivery.asking import Stage
from delivery.guides import ALDER, TODAY
from fakes import Conditions
from starlette.testclient import TestClient

from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.guide.pages import read_assets
from schedules_pipeline.delivery.packing import Coding
from schedules_pipeline.delivery.running import upkeep_of
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.sign_in import (
    LINK_LASTS,
    SESSION_LASTS,
    SignInLink,
    new_token,
    token_digest,
)

_TO = re.compile('id="to" name="to" value="([^"]*)"')


@pytest.fixture
def stage() -> Stage:
    """Nothing is published."""
    return Stage()


def test_a_key_begins_a_session_whose_cookie_is_no_key(stage: Stage) -> None:
    """No script can read the cookie and no other site sends it; neither cookie nor store holds the key or the token."""
    client, secret = _reader(stage)

    signed_in = client.post("/sign-in", content=f"key={secret}", headers={"Origin": "http://testserver"})
    seen = client.get("/guide")

    cookie = signed_in.headers["set-cookie"]
    token = client.cookies["schedules_session"]
    stored = repr(stage.store.sign_ins.sessions())
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/guide")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert seen.status_code == 200
    assert not any(text in cookie or text in stored for text in (secret, secret.split("_")[2]))
    assert token not in stored


def test_signing_out_ends_the_session_everywhere(stage: Stage) -> None:
    """Also for a copy of the cookie, in this process at once and in others after their next round."""
    client, secret = _reader(stage)
    client.post("/sign-in", content=f"key={secret}")
    stolen = dict(client.cookies)
    elsewhere = _another_process(stage)
    before = elsewhere.get("/guide", cookies=stolen).status_code

    signed_out = client.post("/sign-out")

    here = TestClient(stage.client.app, follow_redirects=False).get("/guide", cookies=stolen)
    upkeep_of(elsewhere.app.state.serving.delivery)()  # type: ignore[attr-defined]
    there = elsewhere.get("/guide", cookies=stolen)
    assert before == 200
    assert signed_out.status_code == 303
    assert [answer.headers["location"] for answer in (here, there)] == ["/sign-in"] * 2
    assert client.get("/guide").headers["location"] == "/sign-in"


def test_a_session_ends_with_its_key(stage: Stage) -> None:
    """A revoked key ends the sessions that it began, and a removed partner all of its sessions."""
    client, secret = _reader(stage)
    client.post("/sign-in", content=f"key={secret}")

    before = client.get("/guide").status_code
    stage.delivery.admission.refresh(
        [replace(stage.delivery.admission.identify(secret, stage.clock()), keys=())], {}, stage.clock()
    )

    assert before == 200
    assert client.get("/guide").headers["location"] == "/sign-in"


def test_a_session_ends_after_a_week(stage: Stage) -> None:
    """Whatever the cookie says."""
    client, secret = _reader(stage)
    client.post("/sign-in", content=f"key={secret}")
    cookies = dict(client.cookies)

    stage.advance(SESSION_LASTS)

    assert (
        TestClient(stage.client.app, follow_redirects=False).get("/guide", cookies=cookies).status_code == 303
    )


def test_signing_in_again_ends_the_session_before(stage: Stage) -> None:
    """An old cookie stops working."""
    client, secret = _reader(stage)
    client.post("/sign-in", content=f"key={secret}")
    old = dict(client.cookies)

    client.post("/sign-in", content=f"key={secret}")

    assert len(stage.store.sign_ins.sessions()) == 1
    assert TestClient(stage.client.app, follow_redirects=False).get("/guide", cookies=old).status_code == 303


def test_a_session_is_answered_without_the_store(stage: Stage) -> None:
    """Known sessions are in memory; a new sign-in needs the store."""
    client, secret = _reader(stage)
    client.post("/sign-in", content=f"key={secret}")

    stage.store.sign_ins.conditions = _Away()

    assert client.get("/guide").status_code == 200
    assert client.post("/sign-in", content=f"key={secret}").status_code == 503


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "../" * 10, "sk_aaaaaaaa_" + "b" * 40])
def test_an_invented_token_is_no_session(stage: Stage, token: str) -> None:
    """Neither is a key."""
    client, _ = _reader(stage)

    assert client.get("/guide", cookies={"schedules_session": token}).status_code == 303


def test_a_link_signs_in_once(stage: Stage) -> None:
    """Opened on the machine that made it, without a question."""
    client, _ = _reader(stage)
    link = _link(stage, asks=False)

    first = client.post("/sign-in", content=f"link={link}", headers={"Sec-Fetch-Site": "same-origin"})
    second = TestClient(stage.client.app, follow_redirects=False).post("/sign-in", content=f"link={link}")

    assert (first.status_code, first.headers["location"]) == (303, "/guide")
    assert client.get("/guide").status_code == 200
    assert second.status_code == 403
    assert "set-cookie" not in second.headers


def test_a_link_asks_before_it_signs_in(stage: Stage) -> None:
    """Otherwise a sender could sign a victim in (login CSRF). The question uses nothing up."""
    client, _ = _reader(stage)
    link = _link(stage)

    asked = client.post("/sign-in", content=f"link={link}")
    confirmed = client.post("/sign-in", content=f"link={link}&confirmed=yes")

    assert asked.status_code == 200
    assert "Sign in as <bdi>reader</bdi>?" in asked.text
    assert "set-cookie" not in asked.headers
    assert confirmed.status_code == 303


def test_an_expired_link_signs_nobody_in(stage: Stage) -> None:
    """Nor does one that was never made."""
    client, _ = _reader(stage)
    link = _link(stage, asks=False)
    stage.advance(LINK_LASTS)

    answers = [client.post("/sign-in", content=f"link={text}") for text in (link, "x", "a" * 43)]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_a_link_of_a_removed_partner_signs_nobody_in(stage: Stage) -> None:
    """The partner may be gone when the link is opened."""
    client, _ = _reader(stage)
    link = _link(stage, asks=False)
    stage.delivery.admission.refresh([], {}, stage.clock())

    assert "set-cookie" not in client.post("/sign-in", content=f"link={link}").headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything", ""])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_browser_that_says_another_site_is_rejected(stage: Stage, site: str, path: str) -> None:
    """Also without ``Origin``, and for links and keys alike; nothing is used up."""
    client, secret = _reader(stage)
    link = _link(stage, asks=False)

    answers = [
        client.post(path, content=form, headers={"Sec-Fetch-Site": site})
        for form in (f"key={secret}", f"link={link}")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert client.post("/sign-in", content=f"link={link}").status_code == 303


def test_an_address_with_a_key_in_it_signs_nobody_in() -> None:
    """The page's script reads links alone: a link with a key in it could sign a victim in."""
    script = read_assets()["sign_in.js"].packed.coded(Coding.IDENTITY).decode()

    assert 'get("link")' in script
    assert 'get("key")' not in script


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data; boundary=x", "application/json"])
def test_only_a_form_is_read(stage: Stage, media_type: str) -> None:
    """Other media types are rejected."""
    client, secret = _reader(stage)

    answer = client.post("/sign-in", content=f"key={secret}", headers={"Content-Type": media_type})

    assert answer.status_code == 400


def test_over_https_the_cookie_is_for_https_alone(stage: Stage) -> None:
    """A key never travels in the open after it was given in secret."""
    client, secret = _reader(stage, "https://testserver")

    response = client.post("/sign-in", content=f"key={secret}")

    assert "Secure" in response.headers["set-cookie"]
    assert response.headers["set-cookie"].startswith("__Host-schedules_session=")
    assert client.get("/guide").status_code == 200


@pytest.mark.parametrize(
    "path", ["/guide", f"/guide/{ALDER}/{TODAY}/versions?after=2", "/guide?q=caf%C3%A9&named=a+b"]
)
@pytest.mark.parametrize("mistyped", [False, True])
def test_signing_in_leads_to_the_page_that_was_asked_for(stage: Stage, path: str, *, mistyped: bool) -> None:
    """Without a session nothing is readable. The page keeps its address through the form, also if a key is wrong."""
    client, secret = _reader(stage)

    refused = client.get(path)
    asked = client.get(refused.headers["location"])
    fields = {"to": html.unescape(found.group(1))} if (found := _TO.search(asked.text)) else {}
    if mistyped:
        again = client.post("/sign-in", data={"key": "wrong", **fields})
        fields = {"to": html.unescape(found.group(1))} if (found := _TO.search(again.text)) else {}
    signed_in = client.post("/sign-in", data={"key": secret, **fields})

    assert (refused.status_code, refused.content) == (303, b"")
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, path)


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example/guide",
        "/guide\\@evil.example",
        "/\\evil.example",
        "/guide/\nx",
        "/guidebook",
        "/sign-out",
        "/guide?" + "a" * 1_000,
        "",
    ],
)
def test_signing_in_leads_nowhere_else(stage: Stage, to: str) -> None:
    """A prepared link to the sign-in page cannot lead a reader to another site, or to anything but pages and data."""
    client, secret = _reader(stage)

    asked = client.get("/sign-in", params={"to": to})
    signed_in = client.post("/sign-in", data={"key": secret, "to": to})

    assert asked.status_code == 200
    assert 'name="to"' not in asked.text
    assert signed_in.headers["location"] == "/guide"


@pytest.mark.parametrize(
    ("path", "mode", "status"),
    [
        (f"/v1/schedules/{ALDER}/{TODAY}", "navigate", 303),
        (f"/v1/schedules/{ALDER}/{TODAY}", "cors", 401),
        (f"/v1/schedules/{ALDER}/{TODAY}", None, 401),
        ("/players/sk_wrong/guide.xml", "navigate", 401),
    ],
)
def test_a_browser_that_goes_to_a_document_is_led_to_sign_in(
    stage: Stage, path: str, mode: str | None, status: int
) -> None:
    """As from a link in Dagster. Programs get the problem, and an address with a key in it goes nowhere."""
    client, secret = _reader(stage)

    refused = client.get(path, headers={"Sec-Fetch-Mode": mode} if mode else {})

    assert refused.status_code == status
    if status == 303:
        asked = client.get(refused.headers["location"])
        found = _TO.search(asked.text)
        assert found is not None
        signed_in = client.post("/sign-in", data={"key": secret, "to": found.group(1)})
        assert signed_in.headers["location"] == path


@pytest.mark.parametrize("body", ["key=sk_wrong_key", "", "key=", "nothing", "key=%00%ff", "&" * 50])
def test_a_wrong_key_is_rejected_and_not_shown_again(stage: Stage, body: str) -> None:
    """And no cookie is set."""
    client, _ = _reader(stage)

    response = client.post("/sign-in", content=body)

    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert "sk_wrong" not in response.text


def test_a_form_of_another_site_signs_nobody_in(stage: Stage) -> None:
    """Nor out."""
    client, secret = _reader(stage)
    elsewhere = {"Origin": "https://elsewhere.example"}

    answers = [
        client.post(path, content=f"key={secret}", headers=elsewhere) for path in ("/sign-in", "/sign-out")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]


def test_a_form_is_read_no_further_than_a_key_is_long(stage: Stage) -> None:
    """A longer form is rejected."""
    client, _ = _reader(stage)

    assert client.post("/sign-in", content="key=" + "x" * 5_000).status_code == 413


def test_files_are_kept_by_their_version(stage: Stage) -> None:
    """With the right version for ever, otherwise asked about; and there are no others."""
    client, _ = _reader(stage)
    version = read_assets()["guide.css"].version

    kept, checked = (
        client.get(f"/static/guide.css?v={v}").headers["cache-control"] for v in (version, "old")
    )
    missing = [client.get(f"/static/{name}") for name in ("pages.py", "..%2fpages.py", "")]

    assert "immutable" in kept
    assert checked == "public, no-cache"
    assert [response.status_code for response in missing] == [404, 404, 404]


def test_every_place_in_a_long_day_has_its_rule() -> None:
    """Hours of two days and minutes of an hour, for the start and for the length."""
    rules = read_assets()["places.css"].packed.coded(Coding.IDENTITY).decode()

    missing = [
        name
        for where in ("at", "for")
        for name in [f".{where}-h{n} {{" for n in range(48)] + [f".{where}-m{n} {{" for n in range(60)]
        if name not in rules
    ]

    assert missing == []


class _Away(Conditions):
    """The store does not answer."""

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        raise ServiceError(f"{step} {about}: away")


def _link(stage: Stage, *, asks: bool = True) -> str:
    """The token of a link for the reader."""
    token, now = new_token(), stage.clock()
    stage.store.sign_ins.add_link(
        token_digest(token) or "", SignInLink("reader", now + LINK_LASTS, asks), now
    )
    return token


def _another_process(stage: Stage) -> TestClient:
    """Another process of the service over the same store, which has read its partners."""
    for partner in stage.partners:
        stage.store.partners.create(partner)
    delivery = build_delivery(stage.store.as_store(), stage.settings, stage.clock)
    delivery.mirror.replace(stage.delivery.mirror.cursor, (), stage.clock())
    upkeep_of(delivery)()
    return TestClient(build_application(delivery), follow_redirects=False)


def _reader(stage: Stage, base_url: str = "http://testserver") -> tuple[TestClient, str]:
    """A browser that is not signed in, and the text of a partner's key."""
    secret = stage.ask_as("reader").headers["Authorization"].removeprefix("Bearer ")
    return TestClient(stage.client.app, base_url, follow_redirects=False), secret
