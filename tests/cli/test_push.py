"""``push``: registering subscriptions, showing and changing them."""

from datetime import timedelta

import pytest
from cli_stage import KEY, Stage
from pydantic import SecretStr

from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.subscription import Attempt, Failure, Progress, SubscriptionKind, after_failure
from schedules_pipeline.settings import Settings

_MASTER = "a master secret that is no secret at all"
_URL = "https://push.example.org/in?token=1"
_HOOK, _FILES = "harbour-webhook", "harbour-files"


@pytest.fixture
def ready(published: Stage) -> Stage:
    """One partner, and all settings for both kinds of subscription."""
    settings = Settings(webhook_master_secret=SecretStr(_MASTER), files_bucket="files")
    published.session.__dict__["settings"] = settings
    published.store.partners.create(Partner("harbour", published.clock(), is_preview=True))
    published.store.coldstarts.begin_epoch("life-1")
    return published


@pytest.fixture
def registered(ready: Stage) -> Stage:
    """The partner has a webhook and files."""
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
    quarantined = after_failure(lease.standing.progress, failure, stage.clock(), 0.0, timedelta(hours=1))
    stage.store.subscriptions.save(lease, quarantined, stage.clock())


def test_a_webhook_begins_at_the_end_of_the_feed(ready: Stage) -> None:
    """The position is after the last change, and the secret is printed."""
    result = ready.run("push", "register-webhook", "harbour", _URL)

    assert result.exit_code == 0
    assert "whsec_" in result.stdout
    assert _progress(ready).position == ready.store.feed.last_position()
    assert _progress(ready).epoch == "life-1"


def test_the_secret_is_always_the_same(registered: Stage) -> None:
    """It is derived, not stored."""
    first = registered.run_for_json("push", "secret", _HOOK)
    second = registered.run_for_json("push", "secret", _HOOK)

    assert first == second
    assert first["generation"] == 1
    assert first["secret"].startswith("whsec_")


def test_a_rotation_gives_a_new_secret(registered: Stage) -> None:
    """The command asks first; the generation grows."""
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
def test_an_invalid_address_is_a_usage_error(ready: Stage, url: str) -> None:
    """The error does not repeat the address."""
    result = ready.run("push", "register-webhook", "harbour", url)

    assert result.exit_code == 2
    assert "push.example.org" not in result.output
    assert ready.store.subscriptions.all() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/in", "http://localhost/in", "http://[::1]:1/in"])
def test_loopback_needs_no_tls(ready: Stage, url: str) -> None:
    """Plain http is accepted for loopback addresses."""
    assert ready.run("push", "register-webhook", "harbour", url).exit_code == 0


def test_a_host_may_be_allowed_without_tls(ready: Stage) -> None:
    """The setting lists single hosts."""
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
    """The error names the missing setting."""
    ready.session.__dict__["settings"] = Settings()

    result = ready.run("push", *words)

    assert result.exit_code == 4
    assert "SCHEDULES_" in result.output


def test_an_unknown_partner_has_no_subscription(ready: Stage) -> None:
    """The partner must exist first."""
    result = ready.run("push", "register-webhook", "willow", _URL)

    assert result.exit_code == 1
    assert "there is no partner willow" in result.output


def test_an_existing_name_is_rejected(registered: Stage) -> None:
    """A second webhook of a partner needs another name."""
    registered.clock.advance(timedelta(seconds=1))

    again = registered.run("push", "register-webhook", "harbour", _URL)
    named = registered.run("push", "register-webhook", "harbour", _URL, "--name", "harbour-second")

    assert (again.exit_code, named.exit_code) == (1, 0)
    assert "--name" in again.output


@pytest.mark.parametrize("prefix", ["to/harbour", "to", "to/harbour/deeper"])
def test_prefixes_must_not_overlap(registered: Stage, prefix: str) -> None:
    """A full turn deletes other files below its prefix."""
    result = registered.run("push", "register-files", "harbour", "--prefix", prefix, "--name", "other")

    assert result.exit_code == 2
    assert "harbour-files" in result.output


def test_prefixes_are_compared_word_by_word(registered: Stage) -> None:
    """A common beginning of a word is no overlap."""
    result = registered.run(
        "push", "register-files", "harbour", "--prefix", "to/harbour-2", "--name", "other"
    )

    assert result.exit_code == 0


@pytest.mark.parametrize("prefix", ["", "/to", "to/", "to//a", "To", "a" * 101, "../to"])
def test_an_invalid_prefix_is_a_usage_error(ready: Stage, prefix: str) -> None:
    """A prefix is words separated by slashes."""
    assert ready.run("push", "register-files", "harbour", "--prefix", prefix).exit_code == 2


def test_the_list_shows_each_state(registered: Stage) -> None:
    """It has state, lag and latest problem."""
    _quarantine(registered)
    text = registered.run("push", "list").stdout
    listed = registered.run_for_json("push", "list")["subscriptions"]

    assert "quarantined" in text
    assert [(s["name"], s["state"], s["behind_seconds"]) for s in listed] == [
        (_FILES, "well", 0.0),
        (_HOOK, "quarantined", 0.0),
    ]


def test_the_lag_is_the_age_of_the_oldest_pending_change(registered: Stage) -> None:
    """It grows with time."""
    replayed = registered.run_for_json("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00Z")
    registered.clock.advance(timedelta(minutes=5))

    shown = registered.run_for_json("push", "show", _HOOK)

    assert replayed["behind_seconds"] < shown["behind_seconds"]
    assert shown["behind_seconds"] >= 300


def test_a_partner_before_the_switch_has_its_own_state(registered: Stage) -> None:
    """Preview partners do not wait for the switch."""
    for preview in ("no", "yes"):
        registered.run("partners", "change", "harbour", "--preview", preview)
        states = {each["state"] for each in registered.run_for_json("push", "list")["subscriptions"]}

        assert states == {"before the switch" if preview == "no" else "well"}


def test_an_empty_list_says_how_to_begin(stage: Stage) -> None:
    """It names the command that registers a webhook."""
    result = stage.run("push", "list")

    assert result.exit_code == 0
    assert "register-webhook" in result.stdout


def test_show_has_everything_but_the_secret(registered: Stage) -> None:
    """Both as text and as JSON."""
    text = registered.run("push", "show", _HOOK).stdout
    fields = registered.run_for_json("push", "show", _HOOK)

    assert _URL in text
    assert fields["kind"] == SubscriptionKind.WEBHOOK
    assert "whsec" not in text + str(fields)


def test_show_lists_the_latest_answers(registered: Stage) -> None:
    """The newest first, with status and duration."""
    for status in (500, 204):
        lease = registered.store.subscriptions.acquire(_HOOK, registered.clock(), timedelta(0))
        assert lease is not None
        attempted = lease.standing.progress.attempted(Attempt(registered.clock(), status, 0.25, 3))
        registered.store.subscriptions.save(lease, attempted, registered.clock())

    answers = registered.run_for_json("push", "show", _HOOK)["answers"]

    assert [(each["status"], each["seconds"], each["changes"]) for each in answers] == [
        (204, 0.25, 3),
        (500, 0.25, 3),
    ]
    assert "500" in registered.run("push", "show", _HOOK).stdout


def test_a_ping_is_for_webhooks(registered: Stage) -> None:
    """The pusher sends it next; files have no receiver."""
    assert registered.run("push", "ping", _HOOK).exit_code == 0
    assert _progress(registered).ping_at == registered.clock()
    assert registered.run("push", "ping", _FILES).exit_code == 1


def test_a_ping_that_would_not_be_sent_is_an_error(registered: Stage) -> None:
    """The line names the command that ends the pause or the quarantine."""
    registered.run("push", "pause", _HOOK)

    result = registered.run("push", "ping", _HOOK)

    assert result.exit_code == 1
    assert f"{_HOOK} is paused, so nothing is sent: `schedules-pipeline push resume {_HOOK}`" in result.stderr
    assert _progress(registered).ping_at is None


def test_a_removed_partner_leaves_subscriptions_that_are_named(registered: Stage) -> None:
    """The pusher quarantines them, which is an alarm until each is removed."""
    words = ("partners", "remove", "harbour", "--yes")

    document = registered.run_for_json(*words)

    assert document == {"removed": "harbour", "subscriptions": [_FILES, _HOOK]}


def test_a_pause_keeps_the_position(registered: Stage) -> None:
    """Resuming restores the previous progress."""
    before = _progress(registered)

    paused = registered.run_for_json("push", "pause", _HOOK)
    resumed = registered.run_for_json("push", "resume", _HOOK)

    assert (paused["state"], resumed["state"]) == ("paused", "well")
    assert _progress(registered) == before


def test_resuming_ends_a_quarantine(registered: Stage) -> None:
    """The position stays, and the failures are cleared."""
    before = _progress(registered)
    _quarantine(registered)

    result = registered.run("push", "resume", _HOOK)

    assert result.exit_code == 0
    assert _progress(registered) == before


def test_a_replay_goes_back_to_a_time(registered: Stage) -> None:
    """The first change at that instant or later comes first."""
    registered.run("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00+00:00")

    replayed = registered.store.feed.read_after(_progress(registered).position, 10)
    assert replayed[0].change.key == KEY
    assert len(replayed) == len(registered.store.feed.rows)


def test_a_replay_goes_back_to_a_cursor(registered: Stage) -> None:
    """The position is the cursor's."""
    cursor = registered.run_for_json("push", "show", _FILES)["cursor"]
    registered.run("push", "replay", _HOOK, "--since", "2026-03-28T12:00:00Z")

    registered.run("push", "replay", _HOOK, "--since", cursor)

    assert _progress(registered).position == registered.store.feed.last_position()


@pytest.mark.parametrize("since", ["yesterday", "2026-03-28T12:00:00", "MXw", ""])
def test_an_invalid_start_of_a_replay_is_a_usage_error(registered: Stage, since: str) -> None:
    """It is neither a cursor nor an instant with a zone."""
    assert registered.run("push", "replay", _HOOK, "--since", since).exit_code == 2


def test_a_replay_of_trimmed_changes_is_rejected(registered: Stage) -> None:
    """The feed must contain every change to replay."""
    registered.clock.advance(timedelta(days=9))
    registered.store.feed.trim(registered.clock())

    result = registered.run("push", "replay", _HOOK, "--since", "2026-03-28T00:00:00Z")

    assert result.exit_code == 2
    assert "not all kept" in result.output


def test_files_can_be_written_in_full(registered: Stage) -> None:
    """A webhook cannot."""
    files = registered.run("push", "full", _FILES)
    webhook = registered.run("push", "full", _HOOK)

    assert (files.exit_code, webhook.exit_code) == (0, 1)


def test_files_have_no_secret(registered: Stage) -> None:
    """Files are not signed."""
    assert registered.run("push", "secret", _FILES).exit_code == 1


def test_removing_asks(registered: Stage) -> None:
    """A yes removes the subscription; a second removal finds none."""
    declined = registered.run("push", "remove", _HOOK, answer="n\n")
    removed = registered.run_for_json("push", "remove", _HOOK, "--yes")
    again = registered.run("push", "remove", _HOOK, "--yes")

    assert (declined.exit_code, again.exit_code) == (1, 1)
    assert removed == {"removed": _HOOK}
    assert [s.subscription.name for s in registered.store.subscriptions.all()] == [_FILES]


def test_an_unknown_name_is_answered_with_the_closest(registered: Stage) -> None:
    """Similar names are suggested."""
    result = registered.run("push", "show", "harbour-webhok")

    assert result.exit_code == 1
    assert "did you mean harbour-webhook" in result.output
