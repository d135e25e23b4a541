"""Every seed of the simulation converges, with the order, duplicates, delays, deaths and failures that it draws.

``SCHEDULES_SIMULATION_SEEDS`` sets the number of seeds, and ``SCHEDULES_SIMULATION_FIRST`` the first. The message
of a failure names its seed.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.ambush import Ambush
from simulation.simulator import Simulation
from simulation.storm import Storm

_FIRST = int(os.environ.get("SCHEDULES_SIMULATION_FIRST", "0"))
_SEEDS = int(os.environ.get("SCHEDULES_SIMULATION_SEEDS", "100"))
_MORE_SEEDS = 2000
_PRINT_TRACES = """
from simulation.ambush import Ambush
from simulation.storm import Storm
for simulation in [Storm(3), Storm(4, troubled=True), Ambush(5), Ambush(6, troubled=True)]:
    simulation.run()
    print([(step.number, step.worker, step.what) for step in simulation.trace])
"""


@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
@pytest.mark.parametrize("kind", [Storm, Ambush])
def test_simulation_converges(kind: type[Simulation], troubled: bool) -> None:
    """Every published schedule ends as a build from scratch gives it, and nothing superfluous is left."""
    _converge(kind, troubled, range(_FIRST, _FIRST + _SEEDS))


@pytest.mark.long
@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
@pytest.mark.parametrize("kind", [Storm, Ambush])
def test_simulation_converges_for_more_seeds(kind: type[Simulation], troubled: bool) -> None:
    """The same is true of the seeds after those."""
    _converge(kind, troubled, range(_FIRST + _SEEDS, _FIRST + _MORE_SEEDS))


def _converge(kind: type[Simulation], troubled: bool, seeds: range) -> None:
    for seed in seeds:
        try:
            kind(seed, troubled=troubled).run()
        except Exception as error:
            again = f"SCHEDULES_SIMULATION_FIRST={seed} SCHEDULES_SIMULATION_SEEDS=1 make test"
            raise AssertionError(f"seed {seed} of {kind.__name__} went wrong; again by: {again}") from error


def test_seed_does_the_same_in_every_process() -> None:
    """A failed seed can be repeated in a process that hashes strings differently."""
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", _PRINT_TRACES]

    traces = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(tests)},
            cwd=tests.parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert len(traces) == 1
