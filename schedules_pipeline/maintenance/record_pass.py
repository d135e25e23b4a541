"""Runs a full pass and remembers how it went, whatever happens."""

from collections.abc import Callable

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport, PassStore

Counts = dict[str, int]
Say = Callable[[str], None]
"""Told how far a pass is, a line at a time, for whoever watches."""


def say_nothing(_: str) -> None:
    """Where nobody watches."""


def remember_pass(
    name: PassName, passes: PassStore, clock: Clock, work: Callable[[Counts], str]
) -> PassReport:
    """Do the work, which fills in the counts and answers with its problem, "" if there is none.

    An exception becomes the problem of the report that is remembered, and is raised.
    """
    began_at = clock()
    counts: Counts = {}
    try:
        problem = work(counts)
    except Exception as error:
        passes.record(PassReport(name, began_at, clock(), counts, f"{type(error).__name__}: {error}"))
        raise
    report = PassReport(name, began_at, clock(), counts, problem)
    passes.record(report)
    return report
