"""The lease of a repair: who holds it, and for how long."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from threading import Semaphore

import pytest
from toy_world import World

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.continuity import Repair
from schedules_pipeline.maintenance.reconcile import Reconciler
from schedules_pipeline.maintenance.record_pass import say_nothing
from schedules_pipeline.maintenance.repair import LEASE_FOR
from schedules_pipeline.publishing import publish
from schedules_pipeline.publishing.publish import renew_in_background


@pytest.fixture
def world() -> World:
    """A world whose store may have lost writes."""
    world = World()
    world.store.continuity.pending = Repair("repair", "it moved", "a test", world.clock(), went_back=False)
    return world


def test_a_slow_repair_that_fails_leaves_the_lease_of_its_successor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a third worker would begin the same repair beside it."""

    def sleep_and_fail(*_: object) -> None:
        world.clock.advance(2 * LEASE_FOR)
        assert world.store.continuity.lead_repair("successor", LEASE_FOR)
        raise ServiceError("a source does not answer")

    monkeypatch.setattr(Reconciler, "repair_everything", sleep_and_fail)

    with pytest.raises(ServiceError):
        world.pipeline.repairer.repair_if_needed("slow", say_nothing)

    assert not world.store.continuity.lead_repair("third", LEASE_FOR)


def test_a_repair_keeps_its_lease_for_hours(world: World) -> None:
    """A batch that is built for ten minutes hangs, but a comparison of everything may take longer."""
    asked: list[timedelta] = []

    def keep_alive(renew: Callable[[], None], at_most: timedelta) -> AbstractContextManager[None]:
        renew()
        asked.append(at_most)
        return nullcontext()

    repairer = replace(world.pipeline.repairer, keep_alive=keep_alive)

    assert repairer.repair_if_needed("worker", say_nothing) is not None
    assert asked >= [timedelta(hours=6)]


def test_a_lease_is_renewed_until_it_has_been_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then another worker takes over what hangs."""
    monkeypatch.setattr(publish, "_RENEW_EVERY_SECONDS", 0.001)
    renewed = Semaphore(0)

    with renew_in_background(renewed.release, timedelta(seconds=0.005)):
        for _ in range(5):
            assert renewed.acquire(timeout=60)
        assert not renewed.acquire(timeout=0.2)
