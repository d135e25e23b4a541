"""When a subscription is tried again, and when it is set aside."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.push.subscription import (
    LONGEST_WAIT,
    Failure,
    Progress,
    Subscription,
    SubscriptionKind,
    after_failure,
    pause_after,
    subscription_name,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_DAY = timedelta(hours=24)
_START = Progress("7-0", "life")
_HOOK = Subscription("harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, "https://p.example.org", _NOW)


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_pauses_are_bounded_and_differ(failures: int, jitter: float) -> None:
    """From half of the doubled pause to the whole, and never longer than a quarter of an hour."""
    whole = pause_after(failures, 1.0)

    assert whole / 2 <= pause_after(failures, jitter) <= whole <= timedelta(minutes=15)
    assert pause_after(failures, 0.0) < whole


@given(seconds=st.integers(0, 10**9), jitter=st.floats(0, 1))
def test_nobody_is_left_alone_for_longer_than_an_hour(seconds: int, jitter: float) -> None:
    """Whatever a receiver asks for, it is tried again, and not sooner than it asked within the hour."""
    failed = after_failure(_START, Failure("busy", timedelta(seconds=seconds)), _NOW, jitter, _DAY)

    assert failed.next_at is not None
    assert min(timedelta(seconds=seconds), LONGEST_WAIT) <= failed.next_at - _NOW <= LONGEST_WAIT


def test_a_failure_leaves_the_place() -> None:
    """What was not taken is still to be told."""
    failed = after_failure(_START, Failure("broken"), _NOW, 1.0, _DAY)

    assert (failed.position, failed.epoch) == ("7-0", "life")
    assert (failed.failures, failed.failing_since, failed.problem) == (1, _NOW, "broken")
    assert failed.next_at == _NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("failures", "hours", "is_aside"), [(9, 24, True), (9, 23, False), (8, 48, False), (500, 23, False)]
)
def test_it_is_set_aside_after_long_and_often(failures: int, hours: int, is_aside: bool) -> None:
    """One alone is not enough."""
    since = _NOW - timedelta(hours=hours)
    failing = Progress("7-0", "life", failures=failures, failing_since=since)

    failed = after_failure(failing, Failure("broken"), _NOW, 0.5, _DAY)

    assert (failed.quarantine is not None) == is_aside
    assert failed.is_due(_NOW + timedelta(days=1)) != is_aside


def test_a_final_failure_sets_aside_at_once() -> None:
    """Nothing is tried any more until it is healed."""
    aside = after_failure(_START, Failure("gone", is_final=True), _NOW, 0.5, _DAY)

    assert aside.quarantine is not None
    assert not aside.is_due(_NOW + timedelta(days=100))
    assert aside.recovered() == _START


def test_a_problem_is_short_and_can_be_shown() -> None:
    """Texts of others do not fill the store, nor steer a terminal."""
    failed = after_failure(_START, Failure("\x1b[31m" + "x" * 9_999), _NOW, 0.5, _DAY)

    assert failed.problem.startswith(r"\x1b[31m")
    assert len(failed.problem) < 300


def test_a_success_ends_what_had_failed() -> None:
    """And is remembered."""
    failed = after_failure(_START, Failure("broken"), _NOW, 0.5, _DAY)

    assert failed.delivered("8-0", "life", _NOW) == Progress("8-0", "life", delivered_at=_NOW)


@pytest.mark.parametrize(("hours", "generations"), [(0, (2, 1)), (23, (2, 1)), (24, (2,))])
def test_the_secret_before_signs_for_a_day(hours: int, generations: tuple[int, ...]) -> None:
    """The newest first."""
    assert _HOOK.rotated(_NOW).signing_generations(_NOW + timedelta(hours=hours)) == generations


def test_a_first_secret_signs_alone() -> None:
    """There was none before it."""
    assert _HOOK.signing_generations(_NOW) == (1,)


@pytest.mark.parametrize("text", ["harbour", "harbour-webhook-2", "0"])
def test_names_are_words(text: str) -> None:
    """Lower-case letters, digits and hyphens."""
    assert subscription_name(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a b", "A", "é", "a" * 61, "a\n"])
def test_other_names_are_rejected(text: str) -> None:
    """The error says what a name is."""
    with pytest.raises(InvalidIdentifier, match="pattern"):
        subscription_name(text)
