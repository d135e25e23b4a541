"""The age of the oldest waiting message of a queue."""

from datetime import datetime, timedelta

from fakes import FakeClock

from schedules_pipeline.health.ports import QueuePolls
from schedules_pipeline.health.queue_age import LONGEST_KEPT, oldest_message_age
from schedules_pipeline.publishing.ports.upstream import QueueDepth

_NOW = FakeClock()()
_SOME, _NONE = QueueDepth(3, 0), QueueDepth(0, 2)


def _ago(seconds: float) -> datetime:
    return _NOW - timedelta(seconds=seconds)


def test_nothing_waits() -> None:
    """Without a waiting message the age is 0, for any polls; messages in flight do not wait."""
    assert oldest_message_age(QueuePolls(_ago(90), _ago(90), None), _NONE, _NOW) == timedelta(0)


def test_the_age_counts_from_the_last_empty_poll() -> None:
    """Waiting messages came after it, so they cannot be older."""
    assert oldest_message_age(QueuePolls(_ago(90), _ago(90), None), _SOME, _NOW) == timedelta(seconds=90)


def test_under_load_the_age_of_the_last_received_message_counts() -> None:
    """If all later polls brought messages, an old empty poll says nothing."""
    polls = QueuePolls(_ago(1), _ago(5_000), _ago(4))

    assert oldest_message_age(polls, _SOME, _NOW) == timedelta(seconds=4)


def test_an_empty_poll_counts_more_than_an_old_message_before_it() -> None:
    """A message that came very late does not make the queue look old after it was empty."""
    assert oldest_message_age(QueuePolls(_ago(2), _ago(2), _ago(900)), _SOME, _NOW) == timedelta(seconds=2)


def test_without_polls_the_age_grows() -> None:
    """The record of a dead intake stays, so the age grows with the clock."""
    polls = QueuePolls(_ago(0), _ago(0), None)

    ages = [oldest_message_age(polls, _SOME, _NOW + timedelta(hours=hours)) for hours in (0, 1, 2)]

    assert ages == [timedelta(0), timedelta(hours=1), timedelta(hours=2)]


def test_without_any_poll_it_is_unknown() -> None:
    """The messages of a queue that was never polled may be of any age."""
    assert oldest_message_age(QueuePolls(), _SOME, _NOW) is None


def test_it_is_no_longer_than_sqs_keeps_a_message() -> None:
    """An intake that died long ago leaves messages that are younger."""
    polls = QueuePolls(_ago(9e6), _ago(9e6), None)

    assert oldest_message_age(polls, _SOME, _NOW) == LONGEST_KEPT


def test_clocks_that_disagree_give_no_negative_age() -> None:
    """A poll recorded by a clock that is ahead counts as just now."""
    assert oldest_message_age(QueuePolls(_ago(-5), _ago(-5), None), _SOME, _NOW) == timedelta(0)
