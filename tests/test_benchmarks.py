"""The benchmarks run and report. Their figures are not asserted."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness import Figure, Result, render_goals
from benchmarks.soak import QUICK, Day, judge

_REPOSITORY = Path(__file__).parent.parent


def test_every_goal_is_printed_with_its_figure_and_whether_it_was_met() -> None:
    """Figures without a goal are in the table of all figures only."""
    figures = [
        Figure("reached", "ms", [1.0, 2.0, 9.0], 2.0),
        Figure("failed", "ms", [3.0], 2.0),
        Figure("other", "ms", [4.0]),
    ]

    *_, reached, failed, empty, total = render_goals({"some": Result({}, figures)}).splitlines()

    assert reached.startswith("some: reached")
    assert reached.endswith("at most 2.00, met")
    assert failed.endswith("at most 2.00, MISSED")
    assert (empty, total) == ("", "1 of 2 goals are met")


@pytest.mark.usefixtures("redis_executable")
def test_quick_benchmarks_report_every_figure_with_its_samples(tmp_path: Path) -> None:
    """A small run of two benchmarks prints a row for each of their figures and writes the same figures as JSON."""
    output = tmp_path / "results.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--output",
        str(output),
        "batch_rebuild",
        "memory",
    ]

    finished = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr
    written = json.loads(output.read_text())["benchmarks"]
    assert written.keys() == {"batch_rebuild", "memory"}
    for name, result in written.items():
        for figure in result["figures"]:
            assert f"{name}: {figure['name']} " in finished.stdout
            assert len(figure["samples"]) == figure["runs"] > 0
    assert {"engine just started / bare loop", "engine that stands / bare loop"} <= _names(
        written["batch_rebuild"]
    )
    assert {"document of a schedule", "index entry", "catalogue copy"} <= _names(written["memory"])


@pytest.mark.parametrize(
    ("last", "problems"),
    [
        pytest.param(100.4, [], id="within the tolerance"),
        pytest.param(90.0, [], id="it shrinks"),
        pytest.param(120.0, ["Redis grew by 20.0 MB after day 2: 5.6 is flat"], id="it grows"),
    ],
)
def test_a_soak_fails_if_memory_grows_after_the_warm_up(last: float, problems: list[str]) -> None:
    """The growth of the warm-up itself, and a single peak, are no growth."""
    sizes = [10.0, 50.0, *(100 + (last - 100) * n / 10 for n in range(11))]
    days = [Day(n + 1, 0, 0, 0, {"Redis": size}) for n, size in enumerate(sizes)]
    days[6] = replace(days[6], sizes={"Redis": 500.0})

    assert judge(days, 2, 0.05) == problems


@pytest.mark.long
@pytest.mark.usefixtures("redis_executable")
def test_a_short_soak_ends_flat() -> None:
    """Eight days of two seconds: every process runs, the partner holds what is published, and nothing grows."""
    command = [sys.executable, "-m", "benchmarks.soak", "--quick"]

    finished = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    rows = [line for line in finished.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + QUICK.days


def _names(result: dict[str, list[dict[str, str]]]) -> set[str]:
    return {figure["name"] for figure in result["figures"]}
