"""Records every full pass: when it began and ended, its counts, and the problem that it ended with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.maintenance.ports import PassName, PassReport, PassStore

Say = Callable[[str], None]
"""Receives the progress of a pass, one line at a time."""


def say_nothing(_: str) -> None: ...


class Record(Protocol):
    def __call__(self, counts: Mapping[str, int], problem: str = "") -> PassReport: ...


@contextmanager
def recorded_pass(name: PassName, passes: PassStore, clock: Clock) -> Iterator[Record]:
    """Run a pass in a ``with`` block, which ends by recording its counts and its problem ("" for none).

    If the block raises, the error is recorded as the problem, without counts, and raised again.
    """
    began_at = clock()

    def record(counts: Mapping[str, int], problem: str = "") -> PassReport:
        report = PassReport(name, began_at, clock(), counts, problem)
        passes.record(report)
        return report

    try:
        yield record
    except Exception as error:
        record({}, f"{type(error).__name__}: {error}"[:_LONGEST_PROBLEM])
        raise


_LONGEST_PROBLEM = 500
