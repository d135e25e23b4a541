"""Redis fails over to a replica that lacks the latest writes, at any step of any worker."""

from datetime import UTC, datetime

import pytest
from simulation.step_back import StepBack

from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.maintenance.reconcile import Reconciler
from schedules_pipeline.maintenance.repair import Repairer

_SEEDS = 120
_NOW = datetime(2026, 3, 28, tzinfo=UTC)


@pytest.mark.parametrize("troubled", [False, True], ids=["valid", "troubled"])
def test_a_store_that_went_back_converges(troubled: bool) -> None:
    """After the repair every schedule is as a build from scratch gives it, and the store has no superfluous record."""
    for seed in range(_SEEDS):
        try:
            StepBack(seed, troubled=troubled).run()
        except Exception as error:
            raise AssertionError(f"seed {seed} went wrong") from error


def test_a_repair_that_compares_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seed goes wrong if neither copies nor schedules are compared with their sources."""
    nothing = PassReport(PassName.RECONCILIATION, _NOW, _NOW, {"differed": 0})
    monkeypatch.setattr(Repairer, "_compare_copies", lambda *_: None)
    monkeypatch.setattr(Reconciler, "repair_everything", lambda *_: nothing)

    assert any(_goes_wrong(seed) for seed in range(_SEEDS))


def _goes_wrong(seed: int) -> bool:
    try:
        StepBack(seed).run()
    except AssertionError:
        return True
    return False
