"""The rules for retries and quarantine."""

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
def test_pauses_are_bounded_and_jittered(failures: int, jitter: float) -> None:
    """A pause is from half to all of the full one, and never longer than 15 minutes."""
    whole = pause_after(failures, 1.0)

    assert whole / 2 <= pause_after(failures, jitter) <= whole <= timedelta(minutes=15)
    assert pause_after(failures, 0.0) < whole


@given(seconds=st.integers(0, 10**9), jitter=st.floats(0, 1))
def test_a_wait_is_obeyed_for_at_most_an_hour(seconds: int, jitter: float) -> None:
    """The next attempt is neither earlier than the receiver asked, up to an hour, nor later than an hour."""
    failed = after_failure(_START, Failure("busy", timedelta(seconds=seconds)), _NOW, jitter, _DAY)

    assert failed.next_at is not None
    assert min(timedelta(seconds=seconds), LONGEST_WAIT) <= failed.next_at - _NOW <= LONGEST_WAIT


def test_a_failure_keeps_the_position() -> None:
    """The change stays pending."""
    failed = after_failure(_START, Failure("broken"), _NOW, 1.0, _DAY)

    assert (failed.position, failed.epoch) == ("7-0", "life")
    assert (failed.failures, failed.failing_since, failed.problem) == (1, _NOW, "broken")
    assert failed.next_at == _NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("failures", "hours", "is_quarantined"), [(9, 24, True), (9, 23, False), (8, 48, False), (500, 23, False)]
)
def test_quarantine_needs_a_long_time_and_many_failures(
    failures: int, hours: int, is_quarantined: bool
) -> None:
    """Either one alone is not enough."""
    since = _NOW - timedelta(hours=hours)
    failing = Progress("7-0", "life", failures=failures, failing_since=since)

    failed = after_failure(failing, Failure("broken"), _NOW, 0.5, _DAY)

    assert (failed.quarantine is not None) == is_quarantined
    assert failed.is_due(_NOW + timedelta(days=1)) != is_quarantined


def test_a_final_failure_quarantines_at_once() -> None:
    """Nothing is due until the subscription recovers."""
    quarantined = after_failure(_START, Failure("gone", is_final=True), _NOW, 0.5, _DAY)

    assert quarantined.quarantine is not None
    assert not quarantined.is_due(_NOW + timedelta(days=100))
    assert quarantined.recovered() == _START


def test_a_problem_is_short_and_printable() -> None:
    """Receivers' texts can neither fill the store nor control a terminal."""
    failed = after_failure(_START, Failure("\x1b[31m" + "x" * 9_999), _NOW, 0.5, _DAY)

    assert failed.problem.startswith(r"\x1b[31m")
    assert len(failed.problem) < 300


def test_a_success_clears_failures() -> None:
    """It also records the time of the delivery."""
    failed = after_failure(_START, Failure("broken"), _NOW, 0.5, _DAY)

    assert failed.delivered("8-0", "life", _NOW) == Progress("8-0", "life", delivered_at=_NOW)


@pytest.mark.parametrize(("hours", "generations"), [(0, (2, 1)), (23, (2, 1)), (24, (2,))])
def test_the_previous_secret_signs_for_a_day(hours: int, generations: tuple[int, ...]) -> None:
    """The newest generation comes first."""
    assert _HOOK.rotated(_NOW).signing_generations(_NOW + timedelta(hours=hours)) == generations


def test_a_first_secret_signs_alone() -> None:
    """A new subscription has one generation."""
    assert _HOOK.signing_generations(_NOW) == (1,)


@pytest.mark.parametrize("text", ["harbour", "harbour-webhook-2", "0"])
def test_valid_names_are_accepted(text: str) -> None:
    """Lower-case letters, digits and hyphens."""
    assert subscription_name(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a b", "A", "é", "a" * 61, "a\n"])
def test_other_names_are_rejected(text: str) -> None:
    """The error shows the pattern."""
    with pytest.raises(InvalidIdentifier, match="pattern"):
        subscription_name(text)
