"""Dagster's own command-line tool finds the code location in a checkout, without a server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]
_DG = Path(sys.executable).with_name("dg")


def _dg(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``dg`` as a newcomer does, with no setting of the pipeline in the environment."""
    if not _DG.exists() and not os.environ.get("CI"):
        pytest.skip("dagster-dg-cli is not installed: make setup")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHEDULES_")}
    environment |= {"DAGSTER_HOME": str(directory), "COLUMNS": "400"}
    command = [str(_DG), *words]
    return subprocess.run(
        command, cwd=_REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def test_dg_check_defs_finds_no_fault(tmp_path: Path) -> None:
    """``dg check defs`` loads every definition."""
    done = _dg(tmp_path, "check", "defs")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr


def test_dg_list_defs_shows_the_assets(tmp_path: Path) -> None:
    """``dg list defs`` lists assets, checks, jobs and sensors."""
    done = _dg(tmp_path, "list", "defs", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(name in done.stdout for name in ("partner_schedule", "publish_affected", "coldstart_control"))
