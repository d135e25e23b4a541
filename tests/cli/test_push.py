"""``push``: entering who is told of changes, looking at it, and mending it."""

from datetime import timedelta

import pytest
from cli_stage import KEY, Stage
from pydantic import SecretStr

from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.subscription import Failure, Progress, SubscriptionKind, after_failure
from schedules_pipeline.settings import Settings

_MASTER = "a master secret that is no secret at all"
_URL = "https://push.example.org/in?token=1"
_HOOK, _FILES = "harbour-webhook", "harbour-files"


@pytest.fixture
def ready(published: Stage) -> Stage:
    """One partner, and all settings that are needed."""
    settings = Settings(webhook_master_secret=SecretStr(_MASTER), files_bucket="files")
    published.session.__dict__["settings"] = settings
    published.store.partners.create(Partner("harbour", published.clock(), is_preview=True))
    published.store.coldstarts.begin_epoch("life-1")
    return published


@pytest.fixture
def registered(ready: Stage) -> Stage:
    """The partner has a webhook and files, from now on."""
    assert ready.run("push", "register-webhook", "harbour", _URL).exit_code == 0
    assert ready.run("push", "register-files", "harbour", "--prefix", "to/harbour").exit_code == 0
    return ready


def _progress(stage: Stage, name: str = _HOOK) -> Progress:
    found = stage.store.subscriptions.one(name)
    assert found is not None
    return found.progress


def _quarantine(stage: Stage, name: str = _HOOK) -> None:
    lease = stage.store.subscriptions.acquire(name, stage.clock(), timedelta(seconds=1))
    assert lease is not None
    failure = Failure("answered with status 410", is_final=True)
    aside = after_failure(lease.standing.progress, failure, stage.clock(), 0.0, timedelta(hours=1))
    stage.store.subscriptions.save(lease, aside, stage.clock())


def test_a_webhook_is_told_from_now_on(ready: Stage) -> None:
    """The subscription begins behind what is published, and its secret is printed."""
    result = ready.run("push", "register-webhook", "harbour", _URL)

    assert result.exit_code == 0
    assert "whsec_" in result.stdout
    assert _progress(ready).position == ready.store.feed.last_position()
    assert _progress(ready).epoch == "life-1"


def test_the_secret_that_is_printed_is_the_same_again(registered: Stage) -> None:
    """Nothing of it is stored, and it is printed whenever it is asked for."""
    first = registered.run_for_json("push", "secret", _HOOK)
    second = registered.run_for_json("push", "secret", _HOOK)

    assert first == second
    assert first["generation"] == 1
    assert first["secret"].startswith("whsec_")


def test_a_rotated_secret_is_another(registered: Stage) -> None:
    """It asks first; the generation grows."""
    before = registered.run_for_json("push", "secret", _HOOK)["secret"]

    declined = registered.run("push", "rotate-secret", _HOOK, answer="n\n")
    after = registered.run_for_json("push", "rotate-secret", _HOOK, "--yes")

    assert declined.exit_code == 1
    assert after["generation"] == 2
    assert after["secret"] != before


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example.org/in",
        "ftp://push.example.org/in",
        "https://user:word@push.example.org/in",
        "https:///in",
        "https://push.example.org/in#part",
        "https://push.example.org/a b",
        "https://push.example.org:0/",
        "https://[::1/",
        "https://push.example.org/" + "x" * 500,
    ],
)
def test_an_address_that_will_not_do_is_rejected(ready: Stage, url: str) -> None:
    """It is asked wrongly, and the address is not repeated."""
    result = ready.run("push", "register-webhook", "harbour", url)

    assert result.exit_code == 2
    assert "push.example.org" not in result.output
    assert ready.store.subscriptions.all() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/in", "http://localhost/in", "http://[::1]:1/in"])
def test_loopback_may_be_told_without_tls(ready: Stage, url: str) -> None:
    """Nobody else can listen there."""
    assert ready.run("push", "register-webhook", "harbour", url).exit_code == 0


def test_a_host_may_be_allowed_without_tls(ready: Stage) -> None:
    """By the setting, host by host."""
    settings = Settings(webhook_master_secret=SecretStr(_MASTER), webhook_plain_hosts=("inside.example.org",))
    ready.session.__dict__["settings"] = settings

    assert ready.run("push", "register-webhook", "harbour", "http://inside.example.org/in").exit_code == 0
    assert (
        ready.run("push", "register-webhook", "harbour", "http://push.example.org/", "--name", "b").exit_code
        == 2
    )


@pytest.mark.parametrize(
    "words", [("register-webhook", "harbour", _URL), ("register-files", "harbour", "--prefix", "to/harbour")]
)
def test_without_its_setting_nothing_is_registered(ready: Stage, words: tuple[str, ...]) -> None:
    """What could never be pushed is refused, by the setting's name."""
    ready.session.__dict__["settings"] = Settings()

    result = ready.run("push", *words)

    assert result.exit_code == 4
    assert "SCHEDULES_" in result.output


def test_an_unknown_partner_has_no_subscription(ready: Stage) -> None:
    """The partner must be entered first."""
    result = ready.run("push", "register-webhook", "willow", _URL)

    assert result.exit_code == 1
    assert "there is no partner willow" in result.output


def test_a_name_is_taken_once(registered: Stage) -> None:
    """A second webhook of a partner needs a name of its own."""
    registered.clock.advance(timedelta(seconds=1))

    again = registered.run("push", "register-webhook", "harbour", _URL)
    named = registered.run("push", "register-webhook", "harbour", _URL, "--name", "harbour-second")

    assert (again.exit_code, named.exit_code) == (1, 0)
    assert "--name" in again.output


@pytest.mark.parametrize("prefix", ["to/harbour", "to", "to/harbour/deeper"])
def test_files_do_not_lie_among_those_of_another(registered: Stage, prefix: str) -> None:
    """A full writing deletes what does not belong, so nothing else may be there."""
    result = registered.run("push", "register-files", "harbour", "--prefix", prefix, "--name", "other")

    assert result.exit_code == 2
    assert "harbour-files" in result.output


def test_files_beside_those_of_another_are_apart(registered: Stage) -> None:
    """A prefix is words, not characters."""
    result = registered.run(
        "push", "register-files", "harbour", "--prefix", "to/harbour-2", "--name", "other"
    )

    assert result.exit_code == 0


@pytest.mark.parametrize("prefix", ["", "/to", "to/", "to//a", "To", "a" * 101, "../to"])
def test_a_prefix_is_words(ready: Stage, prefix: str) -> None:
    """Anything else is asked wrongly."""
    assert ready.run("push", "register-files", "harbour", "--prefix", prefix).exit_code == 2


def test_the_list_says_how_each_stands(registered: Stage) -> None:
    """State, how far behind, and the last problem."""
    _quarantine(registered)
    text = registered.run("push", "list").stdout
    listed = registered.run_for_json("push", "list")["subscriptions"]

    assert "quarantined" in text
    assert [(s["name"], s["state"], s["behind_seconds"]) for s in listed] == [
        (_FILES, "well", 0.0),
        (_HOOK, "quarantined", 0.0),
    ]


def test_who_was_not_told_is_behind(registered: Stage) -> None:
    """By the age of the oldest change after its place."""
    replayed = registered.run_for_json("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00Z")
    registered.clock.advance(timedelta(minutes=5))

    shown = registered.run_for_json("push", "show", _HOOK)

    assert replayed["behind_seconds"] < shown["behind_seconds"]
    assert shown["behind_seconds"] >= 300


def test_who_is_served_by_the_old_system_is_said_to_be(registered: Stage) -> None:
    """Until the switch such a partner is told nothing, and nothing is wrong with that."""
    for preview in ("no", "yes"):
        registered.run("partners", "change", "harbour", "--preview", preview)
        states = {each["state"] for each in registered.run_for_json("push", "list")["subscriptions"]}

        assert states == {"before the switch" if preview == "no" else "well"}


def test_an_empty_list_says_how_to_fill_it(stage: Stage) -> None:
    """Nobody is told of anything."""
    result = stage.run("push", "list")

    assert result.exit_code == 0
    assert "register-webhook" in result.stdout


def test_show_has_everything_but_the_secret(registered: Stage) -> None:
    """For people and for programs."""
    text = registered.run("push", "show", _HOOK).stdout
    fields = registered.run_for_json("push", "show", _HOOK)

    assert _URL in text
    assert fields["kind"] == SubscriptionKind.WEBHOOK
    assert "whsec" not in text + str(fields)


def test_who_is_paused_waits_until_resumed(registered: Stage) -> None:
    """The place stays."""
    before = _progress(registered)

    paused = registered.run_for_json("push", "pause", _HOOK)
    resumed = registered.run_for_json("push", "resume", _HOOK)

    assert (paused["state"], resumed["state"]) == ("paused", "well")
    assert _progress(registered) == before


def test_who_was_set_aside_goes_on_when_resumed(registered: Stage) -> None:
    """Where it was, and without what had failed."""
    before = _progress(registered)
    _quarantine(registered)

    result = registered.run("push", "resume", _HOOK)

    assert result.exit_code == 0
    assert _progress(registered) == before


def test_a_replay_goes_back_to_a_time(registered: Stage) -> None:
    """To before the first change at that instant or later."""
    registered.run("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00+00:00")

    told = registered.store.feed.read_after(_progress(registered).position, 10)
    assert told[0].change.key == KEY
    assert len(told) == len(registered.store.feed.rows)


def test_a_replay_goes_back_to_a_cursor(registered: Stage) -> None:
    """One that was seen before."""
    cursor = registered.run_for_json("push", "show", _FILES)["cursor"]
    registered.run("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00Z")

    registered.run("push", "replay", _HOOK, "--since", cursor)

    assert _progress(registered).position == registered.store.feed.last_position()


@pytest.mark.parametrize("since", ["yesterday", "2026-03-28T12:00:00", "MXw", ""])
def test_a_replay_from_nowhere_is_rejected(registered: Stage, since: str) -> None:
    """Neither a cursor nor an instant with its zone."""
    assert registered.run("push", "replay", _HOOK, "--since", since).exit_code == 2


def test_a_replay_from_before_the_feed_is_rejected(registered: Stage) -> None:
    """What cannot be told is not promised."""
    registered.clock.advance(timedelta(days=9))
    registered.store.feed.trim(registered.clock())

    result = registered.run("push", "replay", _HOOK, "--since", "2026-03-28T00:00:00Z")

    assert result.exit_code == 2
    assert "not all kept" in result.output


def test_files_can_be_written_in_full(registered: Stage) -> None:
    """Only files can."""
    files = registered.run("push", "full", _FILES)
    webhook = registered.run("push", "full", _HOOK)

    assert (files.exit_code, webhook.exit_code) == (0, 1)


def test_files_have_no_secret(registered: Stage) -> None:
    """They are not signed."""
    assert registered.run("push", "secret", _FILES).exit_code == 1


def test_what_is_removed_is_gone(registered: Stage) -> None:
    """After it was asked."""
    declined = registered.run("push", "remove", _HOOK, answer="n\n")
    removed = registered.run_for_json("push", "remove", _HOOK, "--yes")
    again = registered.run("push", "remove", _HOOK, "--yes")

    assert (declined.exit_code, again.exit_code) == (1, 1)
    assert removed == {"removed": _HOOK}
    assert [s.subscription.name for s in registered.store.subscriptions.all()] == [_FILES]


def test_a_name_that_is_none_is_told_the_closest(registered: Stage) -> None:
    """As everywhere."""
    result = registered.run("push", "show", "harbour-webhok")

    assert result.exit_code == 1
    assert "did you mean harbour-webhook" in result.output
