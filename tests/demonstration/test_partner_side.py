"""The demonstration's partner, and the printed commands that act as it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fakes import FakeClock, fake_store

from demo.partner_side import (
    NAME,
    describe_received,
    enter_partner,
    example_of_today,
    first_steps,
    guide_address,
    subscribe,
)
from demo.webhook_receiver import Received
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.partners.partner import key_digest
from schedules_pipeline.partners.sign_in import SignInLink, token_digest
from schedules_pipeline.push.subscription import SubscriptionKind

_GUIDE = "http://127.0.0.1:8080/sign-in#link=secret"


def test_the_partner_is_answered_before_the_switch() -> None:
    """The partner sees every service, with provenance, and its stored key is the issued one."""
    clock = FakeClock()
    store = fake_store(clock).as_store()

    issued = enter_partner(store.partners, clock())

    [partner] = store.partners.all()
    assert (partner.name, partner.is_preview, partner.is_operator) == (NAME, True, True)
    assert [key.digest for key in partner.keys] == [key_digest(issued.text)]


def test_a_keyspace_with_such_a_partner_is_rejected() -> None:
    """An existing partner gets no second key."""
    clock = FakeClock()
    store = fake_store(clock).as_store()
    enter_partner(store.partners, clock())

    with pytest.raises(ConfigurationError, match="already"):
        enter_partner(store.partners, clock())


def test_it_subscribes_from_now_on() -> None:
    """A subscription starts at the end of the feed, in the keyspace's current epoch."""
    clock = FakeClock()
    store = fake_store(clock).as_store()
    store.coldstarts.begin_epoch("first")

    made = subscribe(store, SubscriptionKind.FILES, "to/demonstration", clock)

    [standing] = store.subscriptions.all()
    assert (standing.subscription, made.formats) == (made, ("json",))
    assert (standing.progress.position, standing.progress.epoch) == (store.feed.last_position(), "first")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param(["2026-03-27", "2026-03-28", "2026-03-29"], "2026-03-28", id="today"),
        pytest.param(["2011-01-21", "2011-01-23"], "2011-01-23", id="the nearest"),
        pytest.param([], None, id="none"),
    ],
)
def test_the_example_is_of_today_where_there_is_one(days: list[str], expected: str | None) -> None:
    """The example is the schedule nearest to today."""
    keys = [ScheduleKey.parse(f"alder_one/{day}") for day in days]

    found = example_of_today(keys, date(2026, 3, 28))

    assert (found and found.date.isoformat()) == expected


def test_the_key_is_in_the_address_of_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed commands read the key from the environment file, by a path that works in this directory."""
    monkeypatch.chdir(tmp_path)
    example = ScheduleKey.parse("alder_one/2026-03-28")

    guide, once_more, schedule, feed, copy = first_steps(
        "http://127.0.0.1:8080", _GUIDE, tmp_path / ".run/environment", example
    )

    taken_on, header = ". .run/environment;", '-H "Authorization: Bearer $SCHEDULES_API_KEY"'
    assert guide == f"the guide    {_GUIDE}  (signs in once)"
    command = ".venv/bin/schedules-pipeline partners link demonstration --address http://127.0.0.1:8080"
    assert once_more == f"once more    {taken_on} {command}"
    assert schedule == f"a schedule   {taken_on} curl {header} http://127.0.0.1:8080/v1/schedules/{example}"
    assert feed == f"the feed     {taken_on} curl -N {header} http://127.0.0.1:8080/v1/changes/stream"
    assert copy == f"a copy       {taken_on} .venv/bin/schedules-client follow"


def test_without_a_schedule_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other lines are printed. A file in this directory gets a leading ./, one elsewhere its whole path."""
    monkeypatch.chdir(tmp_path)

    beside = first_steps("http://127.0.0.1:8080", _GUIDE, tmp_path / "environment", None)
    elsewhere = first_steps("http://127.0.0.1:8080", _GUIDE, Path("/elsewhere/my run/environment"), None)

    assert [line[:10].strip() for line in beside] == ["the guide", "once more", "the feed", "a copy"]
    assert ". ./environment; curl" in beside[2]
    assert ". '/elsewhere/my run/environment'; curl" in elsewhere[2]


def test_the_address_of_the_guide_signs_in_once() -> None:
    """Its token is not in the store, and works for an hour without a question."""
    store, now = fake_store(FakeClock()), datetime(2026, 3, 28, 12, tzinfo=UTC)

    address = guide_address("http://127.0.0.1:8080", store.sign_ins, now)

    page, _, token = address.partition("#link=")
    assert page == "http://127.0.0.1:8080/sign-in"
    assert store.sign_ins.link(token_digest(token) or "") == SignInLink(
        "demonstration", now + timedelta(hours=1), asks=False
    )


def test_received_events_are_one_line() -> None:
    """The line names the latest event and its delay, and counts the others; without events there is no line."""
    first = Received("schedule.published", "alder_one/2026-03-28", 3, timedelta(seconds=0.213))
    reset = Received("feed.reset", "", 0, timedelta(0))

    assert describe_received([]) is None
    assert describe_received([first]) == (
        "alder_one/2026-03-28 seq 3, signature verified, 0.21 s after it was published"
    )
    assert "seq 3 and 1 more, signature" in (describe_received([first, first]) or "")
    assert describe_received([first, reset]) == "feed.reset, signature verified"
