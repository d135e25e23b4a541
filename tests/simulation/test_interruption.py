"""A worker that is stopped, or dies, at any step at all while others go on: everything converges."""

from itertools import count

import pytest
from simulation.interruption import Fate, Interruption, Scenario, Stop
from simulation.scenarios import ALONE, TOGETHER


def _name(scenario: Scenario) -> str:
    return scenario.name


def _came_to_stops(scenario: Scenario, stop: Stop, accomplice_stop: Stop | None = None) -> bool:
    simulation = Interruption(scenario, stop, accomplice_stop)
    simulation.run()
    return simulation.came_to_stops


@pytest.mark.parametrize("fate", Fate)
@pytest.mark.parametrize("scenario", ALONE, ids=_name)
def test_interruption_at_any_step_does_no_harm(scenario: Scenario, fate: Fate) -> None:
    """Wherever the worker is stopped, the store ends as if it had been built from scratch."""
    for steps in count():
        if not _came_to_stops(scenario, Stop(steps, fate)):
            break


@pytest.mark.parametrize("accomplice_fate", [Fate.GOES_ON, Fate.DIES])
@pytest.mark.parametrize("fate", [Fate.GOES_ON, Fate.GOES_ON_LATE])
@pytest.mark.parametrize("scenario", TOGETHER, ids=_name)
def test_interruption_of_two_does_no_harm(scenario: Scenario, fate: Fate, accomplice_fate: Fate) -> None:
    """Wherever two workers on the same thing are stopped, the store ends as if built from scratch."""
    for steps in count():
        for accomplice_steps in count():
            if not _came_to_stops(scenario, Stop(steps, fate), Stop(accomplice_steps, accomplice_fate)):
                break
        if not accomplice_steps:
            break
