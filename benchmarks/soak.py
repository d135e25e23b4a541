"""``python -m benchmarks.soak``: days of changes at accelerated time, which must end with flat memory.

Each simulated day has puts, catalogue changes, removals, invalid documents and rejected messages, a partner that
follows over HTTP, a subscriber of webhooks, scrapes of the metrics, and at its end the passes: recording, pruning,
reconciliation, garbage collection. Retention periods and the lives of keys in Redis are scaled like the days. At the
end of each day the memory of Redis and of each process and the size of Dagster's storage are measured. After the
warm-up days, which are longer than the longest retention, none of them may grow.
"""

import argparse
import gc
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import structlog

from benchmarks.soak_system import Plan, running_system
from benchmarks.soak_world import World

FULL = Plan(days=30, day_seconds=30.0, warm_up_days=14, kept_days=8)
QUICK = Plan(8, 2.0, warm_up_days=4, kept_days=2, services=2, changes=10, garbage=60, tolerance=0.3)
_MEGABYTE = 1_000_000
_SLACK_MEGABYTES = {"Redis": 0.25, "Dagster's storage": 0.25}
_SLACK_OF_A_PROCESS = 2.0
"""Growth below this is noise of the allocators."""


@dataclass(frozen=True, slots=True)
class Day:
    """The end of a day. ``sizes``: megabytes, by what was measured."""

    number: int
    versions: int
    schedules: int
    keys: int
    sizes: Mapping[str, float]


def growth(values: Sequence[float]) -> float:
    """The growth from the first to the last value by the median slope of all pairs, in the values' unit."""
    slopes = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    return median(slopes) * (len(values) - 1) if slopes else 0.0


def judge(days: Sequence[Day], warm_up_days: int, tolerance: float) -> list[str]:
    """What grew after the warm-up; empty if everything was flat."""
    judged = days[warm_up_days:]
    problems = []
    for name in judged[0].sizes:
        values = [day.sizes[name] for day in judged]
        slack = _SLACK_MEGABYTES.get(name, _SLACK_OF_A_PROCESS)
        grown, allowed = growth(values), max(tolerance * median(values), slack)
        if grown > allowed:
            problems.append(f"{name} grew by {grown:.1f} MB after day {warm_up_days}: {allowed:.1f} is flat")
    return problems


def play(plan: Plan, world: World) -> list[Day]:
    days = []
    for number in range(1, plan.days + 1):
        versions = world.play_day()
        gc.collect()
        days.append(
            Day(number, versions, world.count_schedules(), world.count_keys(), _megabytes(world.sizes()))
        )
        print(_row(days[-1]), flush=True)
    world.must_be_consistent()
    return days


def _megabytes(sizes: Mapping[str, int]) -> dict[str, float]:
    return {name: size / _MEGABYTE for name, size in sizes.items()}


def _head(names: Sequence[str]) -> str:
    columns = ["day", "versions", "schedules", "keys", *(f"{name}, MB" for name in names)]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def _row(day: Day) -> str:
    sizes = (f"{size:.1f}" for size in day.sizes.values())
    return (
        f"| {' | '.join([str(day.number), str(day.versions), str(day.schedules), str(day.keys), *sizes])} |"
    )


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some short days, to test the soak itself")
    # Only what is wrong, between the rows of the table.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    plan = QUICK if parser.parse_args(words).quick else FULL
    with TemporaryDirectory(prefix="soak-") as directory, ExitStack() as stack:
        world = World(plan, stack.enter_context(running_system(Path(directory), plan)))
        print(_head(list(world.sizes())), flush=True)
        days = play(plan, world)
    problems = judge(days, plan.warm_up_days, plan.tolerance)
    print("\n".join(problems) or f"flat after day {plan.warm_up_days}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
