"""A worker is stopped, or dies, at any step while others continue: everything converges."""

import pytest
from simulation.interruption import Scenario, explore
from simulation.scenarios import SCENARIOS


def _name(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_interruption_at_any_step_does_no_harm(scenario: Scenario) -> None:
    """A worker may be stopped at any step, for a while or for ever, and the store ends as if built from scratch."""
    explore(scenario)
