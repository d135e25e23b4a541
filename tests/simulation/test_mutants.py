"""The simulation bites: with one ordering or guard of the real code taken away, it goes wrong within few seeds.

Not every mutant is caught so soon: those that are missing here take a rarer meeting of workers than this
many seeds draw, so their guard rests on the model of the protocol (docs/adr/0003) and not on this test.
"""

import pytest
from simulation.ambush import Ambush
from simulation.mutants import MUTANTS
from simulation.simulator import Simulation
from simulation.storm import Storm

_SEEDS = 300
_CAUGHT: dict[str, type[Simulation]] = {
    "deletes the message before handling it": Storm,
    "marks before counting the source change": Storm,
    "registers nothing": Storm,
    "marks before storing": Ambush,
    "settles before marking": Storm,
    "releases before building": Storm,
    "commits whatever has moved": Storm,
    "says that the latest source was seen": Storm,
    "forgets the outbox": Storm,
    "stores over newer tokens": Ambush,
    "ignores what nobody refers to, though it is held": Ambush,
    "keeps no debts": Storm,
    "owes nothing to who missed it": Storm,
}


@pytest.mark.parametrize("name", _CAUGHT)
def test_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seed of the simulation goes wrong without this part of the protocol."""
    MUTANTS[name](monkeypatch)

    assert any(_goes_wrong(_CAUGHT[name], seed) for seed in range(_SEEDS))


def _goes_wrong(kind: type[Simulation], seed: int) -> bool:
    try:
        kind(seed).run()
    except Exception:  # noqa: BLE001 - a mutant may break in any way
        return True
    return False
