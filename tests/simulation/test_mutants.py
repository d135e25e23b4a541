"""The simulation bites: with one ordering or guard of the real code taken away, it goes wrong.

Every mutant is noticed for certain in a scenario in which every place to stop a worker, or two, is tried. The
commoner ones are noticed by random seeds too, without a scenario made for them.
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
    "commits whatever has moved": Storm,
    "says that the latest source was seen": Storm,
    "keeps no debts": Storm,
    "marks before storing": Ambush,
    "ignores what nobody refers to, though it is held": Ambush,
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
    """Random seeds find the commoner mistakes by themselves."""
    next(mutant for mutant in MUTANTS if mutant.name == name).mutate(monkeypatch)

    assert any(_goes_wrong(_FREQUENT[name], seed) for seed in range(_SEEDS))


def _goes_wrong(kind: type[Simulation], seed: int) -> bool:
    try:
        kind(seed).run()
    except AssertionError:
        return True
    return False
