"""A worker that is stopped, or dies, at any step at all while others go on: everything converges."""

import pytest
from simulation.interruption import Scenario, explore
from simulation.scenarios import SCENARIOS


def _name(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_interruption_at_any_step_does_no_harm(scenario: Scenario) -> None:
    """Wherever a worker is stopped, and whether it goes on, the store ends as if built from scratch."""
    explore(scenario)
