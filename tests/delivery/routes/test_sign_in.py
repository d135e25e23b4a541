"""Signing in to the guide, and the static files, which need no key."""

import pytest
from delivery.asking import Stage
from delivery.guides import ALDER, TODAY
from starlette.testclient import TestClient

from schedules_pipeline.delivery.guide.pages import read_assets
from schedules_pipeline.delivery.packing import Coding


@pytest.fixture
def stage() -> Stage:
    """Nothing is published."""
    return Stage()


def test_a_key_is_taken_once_and_kept_in_a_cookie(stage: Stage) -> None:
    """No script can read the cookie and no other site sends it; signed out it is gone."""
    client, secret = _reader(stage)

    signed_in = client.post("/sign-in", content=f"key={secret}", headers={"Origin": "http://testserver"})
    seen = client.get("/guide")
    signed_out = client.post("/sign-out")

    cookie = signed_in.headers["set-cookie"]
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/guide")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert seen.status_code == 200
    assert signed_out.status_code == 303
    assert client.get("/guide").headers["location"] == "/sign-in"


def test_over_https_the_cookie_is_for_https_alone(stage: Stage) -> None:
    """A key never travels in the open after it was given in secret."""
    client, secret = _reader(stage, "https://testserver")

    response = client.post("/sign-in", content=f"key={secret}")

    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/guide", f"/guide/{ALDER}/{TODAY}", "/guide/changes"])
def test_without_a_key_one_is_led_to_the_door(stage: Stage, path: str) -> None:
    """Nothing is readable, and a page asks for a key."""
    client, _ = _reader(stage)

    response = client.get(path)

    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")


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


def _reader(stage: Stage, base_url: str = "http://testserver") -> tuple[TestClient, str]:
    """A browser that is not signed in, and the text of a partner's key."""
    secret = stage.ask_as("reader").headers["Authorization"].removeprefix("Bearer ")
    return TestClient(stage.client.app, base_url, follow_redirects=False), secret
