"""A storm in which Redis fails over to a replica that lacks the latest writes.

Belongs here: the loss, what workers notice of it, and the repair. The rest is a :class:`~simulation.storm.Storm`.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import fields
from threading import Lock
from typing import Any

from fakes import Fake
from simulation.simulator import Worker
from simulation.storm import Storm

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.continuity import ContinuityObserver

_LOCK = type(Lock())


class StepBack(Storm):
    """At some step the store is as it was some steps before. A worker in the middle of a job then dies, gets an error,
    or notices nothing, because its client connects again. The repair begins at any time afterwards, and may die too.
    """

    def __init__(self, seed: int, *, troubled: bool = False) -> None:
        super().__init__(seed, troubled=troubled)
        self._remembered_at = self.random.randrange(600)
        self._goes_back_at = self._remembered_at + self.random.choice([1, 5, 20, 60, 150])
        self._go_back: Callable[[], None] | None = None
        self._is_unnoticed = False
        self.fakes.coldstarts.begin_epoch("the first")
        self._observer = ContinuityObserver(
            self.store.continuity, "the publisher", self.clock, every_seconds=0.0
        )
        self._observer.observe()
        self.workers.append(self.worker("repairer", self._repair, lambda: self._is_unnoticed))

    def _keep_timers(self) -> None:
        super()._keep_timers()
        if self.steps == self._remembered_at:
            self._go_back = self._remember()
        if self.steps == self._goes_back_at and self._go_back:
            self._fail_over(self._go_back)

    def _fail_over(self, go_back: Callable[[], None]) -> None:
        self.note("Redis", "loses writes since step", self._remembered_at)
        go_back()
        self.fakes.server.fail_over()
        self._is_unnoticed = True
        for worker in self.workers:
            if not worker.is_idle and worker is not self._upstream:
                self._strike_down(worker)

    def _strike_down(self, worker: Worker) -> None:
        match self.random.choice(["dies", "fails", "notices nothing"]):
            case "dies":
                self.kill(worker)
            case "fails":
                self.fail(worker)

    def _remember(self) -> Callable[[], None]:
        """The contents of the store now. Returns what restores them."""
        fakes = [getattr(self.fakes, field.name) for field in fields(self.fakes)]
        locks = [value for fake in fakes for value in vars(fake).values() if isinstance(value, _LOCK)]
        shared: list[object] = [*fakes, *locks, self, self.clock]
        saved = _copy([_contents(fake) for fake in fakes], shared)

        def go_back() -> None:
            for fake, contents in zip(fakes, _copy(saved, shared), strict=True):
                vars(fake).clear()
                vars(fake).update(contents)

        return go_back

    def _judge_feed(self) -> None:
        """A worker that noticed nothing may have taken a row as announced that the feed has lost, so a number may be
        missing. Partners read everything again in the new epoch.
        """
        states = self.store.schedules.read(self.focus.keys)
        shown = {key: (state.seq, state.etag) for key, state in states.items() if state.seq}
        heads = self.store.feed.heads()
        assert {key: (heads[key].seq, heads[key].etag) for key in shown} == shown
        assert all(heads[key].is_removal for key in heads.keys() - shown.keys())

    def _repair(self, worker: Worker) -> None:
        """As a publisher's run does at every round."""
        while True:
            with suppress(ServiceError):
                self._observer.observe()
                self.pipeline.repairer.repair_if_needed(worker.name, lambda _: None)
                self._is_unnoticed = self.fakes.continuity.pending is not None
            self.rest(worker)


def _contents(fake: Fake) -> dict[str, Any]:
    return vars(fake)


def _copy(saved: list[dict[str, Any]], shared: list[object]) -> list[dict[str, Any]]:
    """A deep copy that refers to the same ``shared`` objects."""
    return deepcopy(saved, {id(each): each for each in shared})
