"""The whole flow with an external index: it converges, and each guard that keeps it consistent is needed."""

import os

import pytest
from fakes_external_index import fake_store_with_external_index
from simulation import external_index, scenarios, simulator
from simulation.ambush import Ambush
from simulation.external_index import MUTANTS
from simulation.interruption import Scenario, explore
from simulation.seams import Mutant
from simulation.simulator import Simulation
from simulation.storm import Storm

_FIRST = int(os.environ.get("SCHEDULES_SIMULATION_FIRST", "0"))
_SEEDS = int(os.environ.get("SCHEDULES_SIMULATION_SEEDS", "50"))
# Two who are stopped together are about tokens that do not depend on where the index is.
_OF_ANY_INDEX = tuple(scenario for scenario in scenarios.SCENARIOS if not scenario.accomplice)
_SCENARIOS = (*_OF_ANY_INDEX, *external_index.SCENARIOS)


@pytest.fixture(autouse=True)
def _external_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every simulation uses such a store."""
    monkeypatch.setattr(simulator, "fake_store", fake_store_with_external_index)


def _name(thing: Scenario | Mutant) -> str:
    return thing.name


@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
@pytest.mark.parametrize("kind", [Storm, Ambush])
def test_simulation_with_external_index_converges(kind: type[Simulation], troubled: bool) -> None:
    """Every published schedule ends as a build from scratch gives it, while copies are collected too."""
    for seed in range(_FIRST, _FIRST + _SEEDS):
        try:
            kind(seed, troubled=troubled).run()
        except Exception as error:
            again = f"SCHEDULES_SIMULATION_FIRST={seed} SCHEDULES_SIMULATION_SEEDS=1 make test"
            raise AssertionError(f"seed {seed} of {kind.__name__} went wrong; again by: {again}") from error


@pytest.mark.parametrize(
    "scenario",
    [*(pytest.param(each, marks=pytest.mark.long) for each in _OF_ANY_INDEX), *external_index.SCENARIOS],
    ids=_name,
)
def test_interruption_with_external_index_does_no_harm(scenario: Scenario) -> None:
    """A worker may be stopped between check and step, and the store ends as if built from scratch."""
    explore(scenario)


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_mutant_with_external_index_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this guard, or with these two steps in the other order, some interruption does harm."""
    scenario = next(scenario for scenario in _SCENARIOS if scenario.name == mutant.noticed_in)
    mutant.mutate(monkeypatch)

    with pytest.raises(AssertionError):
        explore(scenario)
