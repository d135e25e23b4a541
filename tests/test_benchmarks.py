"""The benchmarks run and report. Their figures are not asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parent.parent


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


def _names(result: dict[str, list[dict[str, str]]]) -> set[str]:
    return {figure["name"] for figure in result["figures"]}
