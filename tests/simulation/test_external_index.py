"""The whole flow with the back-references elsewhere: it converges, and each part of what keeps it in step is needed."""

import os

import pytest
from fakes_external_index import fake_store_external_index
from simulation import external_index, scenarios, simulator
from simulation.ambush import Ambush
from simulation.external_index import MUTANTS
from simulation.interruption import Scenario, explore
from simulation.seams import Mutant
from simulation.simulator import Simulation
from simulation.storm import Storm

_FIRST = int(os.environ.get("SCHEDULES_SIMULATION_FIRST", "0"))
_SEEDS = int(os.environ.get("SCHEDULES_SIMULATION_SEEDS", "50"))
_SCENARIOS = (
    # Two who are stopped together are about tokens that do not depend on where the index is.
    *(scenario for scenario in scenarios.SCENARIOS if not scenario.accomplice),
    *external_index.SCENARIOS,
)


@pytest.fixture(autouse=True)
def _index_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every simulation is of such a store."""
    monkeypatch.setattr(simulator, "fake_store", fake_store_external_index)


def _name(thing: Scenario | Mutant) -> str:
    return thing.name


@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
@pytest.mark.parametrize("kind", [Storm, Ambush])
def test_simulation_beside_an_index_converges(kind: type[Simulation], troubled: bool) -> None:
    """At quiescence everything published is what a build from scratch gives, also while copies are collected."""
    for seed in range(_FIRST, _FIRST + _SEEDS):
        try:
            kind(seed, troubled=troubled).run()
        except Exception as error:
            again = f"SCHEDULES_SIMULATION_FIRST={seed} SCHEDULES_SIMULATION_SEEDS=1 make test"
            raise AssertionError(f"seed {seed} of {kind.__name__} went wrong; again by: {again}") from error


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=_name)
def test_interruption_beside_an_index_does_no_harm(scenario: Scenario) -> None:
    """Wherever a worker is stopped between look and step, the store ends as if built from scratch."""
    explore(scenario)


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_mutant_beside_an_index_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this guard, or with these two steps in the other order, some interruption does harm."""
    scenario = next(scenario for scenario in _SCENARIOS if scenario.name == mutant.noticed_in)
    mutant.mutate(monkeypatch)

    with pytest.raises(AssertionError):
        explore(scenario)
