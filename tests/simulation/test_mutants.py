"""The simulation notices mutants: with one ordering or guard removed, it fails.

Every mutant is noticed for certain in a scenario that tries every step at which a worker, or two, can stop. Random
seeds also notice the commoner ones, without a scenario for them.
"""

import pytest
from simulation.ambush import Ambush
from simulation.interruption import explore
from simulation.mutants import MUTANTS
from simulation.scenarios import SCENARIOS
from simulation.seams import Mutant
from simulation.simulator import Simulation
from simulation.storm import Storm

_SEEDS = 600
_FREQUENT: dict[str, type[Simulation]] = {
    "deletes the message before handling it": Storm,
    "marks before counting the source change": Storm,
    "registers nothing": Storm,
    "releases before building": Storm,
    "commits on a state that has moved": Storm,
    "records the latest source mark as seen": Storm,
    "keeps no pending propagation": Storm,
    "marks before storing": Ambush,
    "ignores an item with a copy but no dependants": Ambush,
}


def _name(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", MUTANTS, ids=_name)
def test_mutant_is_noticed_where_its_worker_is_stopped(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this guard, or with these two steps in the other order, some interruption does harm."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == mutant.noticed_in)
    mutant.mutate(monkeypatch)

    with pytest.raises(AssertionError):
        explore(scenario)


@pytest.mark.parametrize("name", _FREQUENT)
def test_mutant_is_noticed_by_some_seed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random seeds find the commoner errors."""
    next(mutant for mutant in MUTANTS if mutant.name == name).mutate(monkeypatch)

    assert any(_goes_wrong(_FREQUENT[name], seed) for seed in range(_SEEDS))


def _goes_wrong(kind: type[Simulation], seed: int) -> bool:
    try:
        kind(seed).run()
    except AssertionError:
        return True
    return False
