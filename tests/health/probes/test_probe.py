"""Probes run at the same time, end at their limits, and none hides another."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.probes.probe import (
    Finding,
    Probe,
    ProbeName,
    Verdict,
    failed,
    passed,
    run_probes,
    unchecked,
)


def _probe(run: Callable[[], Iterable[Finding]], limit: float = 5.0) -> Probe:
    return Probe(ProbeName.S3_ANSWERS, "S3", "that it answers", run, "look at it", timedelta(seconds=limit))


def _raising(error: Exception) -> Callable[[], Iterable[Finding]]:
    def run() -> Iterator[Finding]:
        yield passed("S3", "so far, so good")
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "verdict", "text"),
    [
        (ServiceError("bucket b: no answer"), Verdict.FAILED, "bucket b: no answer"),
        (NotPermitted("bucket b: denied"), Verdict.UNCHECKED, "S3 could not be checked: bucket b: denied"),
        (ValueError("what\x1b"), Verdict.UNCHECKED, "S3 could not be checked: ValueError: what\\x1b"),
    ],
)
def test_an_error_is_a_finding(error: Exception, verdict: Verdict, text: str) -> None:
    """A missing permission and an unexpected error prove nothing; a service that failed is a failure."""
    [result] = run_probes([_probe(_raising(error))])

    assert (result.verdict, [finding.text for finding in result.findings]) == (verdict, [text])


def test_a_probe_that_hangs_fails_at_its_limit_and_delays_no_other() -> None:
    """Both run at the same time; the one that hangs is given up."""
    over = threading.Event()
    hanging = _probe(lambda: [passed("S3", "late")] if over.wait(30) else [], 0.2)
    began = time.monotonic()

    late, well = run_probes([hanging, _probe(lambda: [passed("S3", "it answers")])])

    assert time.monotonic() - began < 5
    assert (late.verdict, late.seconds) == (Verdict.FAILED, 0.2)
    assert late.findings == (failed("S3", "S3 did not answer within 0.2 s", "look at it"),)
    assert well.verdict is Verdict.PASSED
    over.set()


def test_the_worst_finding_decides() -> None:
    """A failure outweighs what could not be checked, and that outweighs what passed."""
    good, open_, bad = passed("a", "well"), unchecked("b", "no permission"), failed("c", "wrong", "mend it")

    cases: list[list[Finding]] = [[], [good], [open_, good], [good, bad, open_]]

    results = run_probes([_probe(partial(list, found)) for found in cases])

    assert [result.verdict for result in results] == [
        Verdict.PASSED,
        Verdict.PASSED,
        Verdict.UNCHECKED,
        Verdict.FAILED,
    ]
