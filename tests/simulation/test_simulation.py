"""Seeds of the simulation: every one converges, whatever order, duplicates, delays, deaths and failures it draws.

``SCHEDULES_SIMULATION_SEEDS`` asks for more seeds; a failing one is named in the message, and
``SCHEDULES_SIMULATION_FIRST`` begins with it.
"""

import os

import pytest
from simulation.ambush import Ambush
from simulation.simulator import Simulation
from simulation.storm import Storm

_FIRST = int(os.environ.get("SCHEDULES_SIMULATION_FIRST", "0"))
_SEEDS = int(os.environ.get("SCHEDULES_SIMULATION_SEEDS", "250"))


@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
@pytest.mark.parametrize("kind", [Storm, Ambush])
def test_simulation_converges(kind: type[Simulation], troubled: bool) -> None:
    """At quiescence everything published is what a build from scratch gives, and nothing is left over."""
    for seed in range(_FIRST, _FIRST + _SEEDS):
        try:
            kind(seed, troubled=troubled).run()
        except Exception as error:
            again = f"SCHEDULES_SIMULATION_FIRST={seed} SCHEDULES_SIMULATION_SEEDS=1 make test"
            raise AssertionError(f"seed {seed} of {kind.__name__} went wrong; again by: {again}") from error
