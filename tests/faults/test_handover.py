"""A publisher that is told to end hands over: it leaves, another one publishes, and no lease has to expire."""

import os
import signal
from collections.abc import Callable
from dataclasses import asdict

import dagster as dg
import pytest
from faults.conftest import Recovers
from faults.stack import Stack

from benchmarks.handover import watch_handover
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing.publish import LEASE_FOR

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults")]


def _terminate(stack: Stack, run_id: str) -> None:
    """As the button *Terminate* does."""
    assert stack.instance.run_launcher.terminate(run_id)


def _send_sigterm(stack: Stack, _: str) -> None:
    """As a supervisor or a container service does."""
    os.kill(stack.publisher_pid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(_terminate, dg.DagsterRunStatus.CANCELED, id="terminate"),
        pytest.param(_send_sigterm, dg.DagsterRunStatus.SUCCESS, id="sigterm"),
    ],
)
def test_a_publisher_that_is_told_to_end_hands_over(
    stack: Stack,
    recovers: Recovers,
    record_property: Callable[[str, object], None],
    end: Callable[[Stack, str], None],
    status: dg.DagsterRunStatus,
) -> None:
    """It is no longer present, a successor publishes, its process is gone, and no schedule that it had claimed waits
    for a lease or has another attempt.
    """
    presence = stack.pipeline.store.presence
    with recovers(f"{end.__name__.strip('_')} of the publisher"):
        ended, pid = presence.present().recorder, stack.publisher_pid()
        end(stack, ended)
        record_property("handover", asdict(watch_handover(presence, ended, pid)))
        stack.wait_for_changes(1)

    run = stack.instance.get_run_by_id(ended)
    assert run is not None
    assert run.status is status
    keys = stack.world.keys
    cause = Cause("a test", Origin.OPERATOR, "", stack.pipeline.clock())
    claim = stack.pipeline.store.work.claim_exactly(keys, cause, stack.pipeline.clock(), LEASE_FOR)
    assert {work.attempts for work in claim.work} == {0}
    stack.pipeline.publisher.give_back(claim)
