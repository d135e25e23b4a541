"""Faults strike real processes in a stream of changes; no change may be lost, and all must be published afterwards."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from faults.proxy import Behaviour
from faults.stack import Stack

from schedules_pipeline.errors import ServiceError

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults")]

Recovers = Callable[[str], AbstractContextManager[None]]
_CHANGES_MEANWHILE = 20
"""At three a second."""

_OUTAGE_SECONDS = 5.0


def test_a_killed_publisher_is_replaced_and_its_schedules_are_built(stack: Stack, recovers: Recovers) -> None:
    """The next publisher builds the schedules that were in progress, after their lease has ended."""
    with recovers("kill -9 of the publisher's run"):
        stack.kill_publisher()


def test_a_publisher_killed_between_marks_and_deletion_loses_and_repeats_nothing(
    stack: Stack, recovers: Recovers
) -> None:
    """Its messages come again and cause no second version, and every other change is published."""
    with recovers("kill -9 of the publisher's run between marks and deletion"):
        stack.kill_publisher_before_deletion()


def test_a_killed_receiving_process_is_replaced_and_loses_nothing(stack: Stack, recovers: Recovers) -> None:
    """The publisher starts another one; messages that it had received come again."""
    with recovers("kill -9 of the process in which the publisher receives"):
        stack.kill_receiver()


def test_a_killed_daemon_is_restarted_and_nothing_is_missed(stack: Stack, recovers: Recovers) -> None:
    """The running publisher goes on without a daemon, and a new daemon resumes the queues."""
    with recovers("kill -9 of the daemon, restarted at once"):
        stack.kill_daemon()


def test_a_killed_code_server_is_restarted_and_its_messages_come_again(
    stack: Stack, recovers: Recovers
) -> None:
    """Sensors and publisher die with their work in progress; the queue and the leases return it."""
    with recovers("kill -9 of the code server and its runs, restarted at once"):
        stack.kill_code_server()


def test_a_killed_redis_comes_back_with_everything_that_it_had_acknowledged(
    stack: Stack, recovers: Recovers
) -> None:
    """With its append-only file Redis has its state, and all processes go on."""
    with recovers("kill -9 of Redis, restarted at once with its append-only file"):
        stack.kill_redis()


def test_a_redis_that_stands_still_is_waited_for(stack: Stack, recovers: Recovers) -> None:
    """Calls that time out may take effect later, and twice, without harm."""
    with recovers("Redis does not answer for longer than a call waits"), stack.standing_still(stack.redis):
        stack.wait_for_changes(2 * _CHANGES_MEANWHILE)


def test_a_redis_out_of_memory_loses_nothing(stack: Stack, recovers: Recovers) -> None:
    """A write fails as a whole with a clear error, and messages stay in the queue."""
    with recovers("Redis out of memory"), stack.out_of_memory():
        with pytest.raises(ServiceError, match="maxmemory"):
            stack.pipeline.store.work.require_writable()
        stack.wait_for_changes(_CHANGES_MEANWHILE)


def test_an_aws_that_stands_still_is_waited_for(stack: Stack, recovers: Recovers) -> None:
    """Long polls and fetches without an answer are repeated."""
    with recovers("AWS does not answer"), stack.standing_still(stack.emulator):
        # No event could be awaited: that nothing happens is the fault.
        time.sleep(_OUTAGE_SECONDS)


@pytest.mark.parametrize(
    ("name", "behaviour"),
    [
        ("AWS unreachable", Behaviour.UNREACHABLE),
        ("AWS answers 503", Behaviour.UNAVAILABLE),
        ("AWS answers a second late", Behaviour.SLOW),
        ("AWS's answers are cut off: the effect was, the reply is lost", Behaviour.CUT),
    ],
)
def test_a_bad_network_to_aws_loses_nothing(
    stack: Stack, recovers: Recovers, name: str, behaviour: Behaviour
) -> None:
    """Messages that were not received or deleted come again; documents that were not fetched are fetched later."""
    with recovers(name), stack.behaving(behaviour):
        stack.wait_for_changes(_CHANGES_MEANWHILE)
