"""A simulation in which any worker may continue at any step, die, sleep or fail."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from simulation.simulator import PUBLISHERS, Simulation, ToldToEnd, Worker
from toy_world import ColdstartDue, CollectionDue, CopiesAged, HorizonMoves, ReconcileDue

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.publish import LEASE_FOR

_REDRAW_EVERY = 25


@dataclass(frozen=True, slots=True)
class _Climate:
    """How often a seed disturbs its workers, as chances per step. ``repetition``: a client repeats a command;
    ``sleep``: a worker stops in the middle for long; ``lull``: the upstream does. ``handover``: a publisher ends, or
    gives back what it has claimed. ``aftermath``: for how many steps this continues after the last change, so that no
    later change hides an error.
    """

    death: float
    fault: float
    repetition: float
    sleep: float
    clock: float
    upstream: float
    lull: float
    handover: float
    aftermath: int

    @classmethod
    def draw(cls, random: Random) -> "_Climate":
        return cls(
            death=random.choice([0, 0.003, 0.01, 0.03]),
            fault=random.choice([0, 0, 0.005, 0.02]),
            repetition=random.choice([0, 0, 0.01, 0.1]),
            sleep=random.choice([0, 0.01, 0.03, 0.1]),
            clock=random.choice([0, 0.003, 0.01, 0.03]),
            upstream=random.choice([0.02, 0.1, 0.4, 2]),
            lull=random.choice([0, 0.3, 0.8]),
            handover=random.choice([0, 0, 0.01, 0.05]),
            aftermath=random.choice([0, 200, 800]),
        )


class Storm(Simulation):
    """Random workers for random steps; an upstream and an operator are workers too."""

    def __init__(self, seed: int, *, troubled: bool = False) -> None:
        super().__init__(seed, troubled=troubled)
        self._climate = _Climate.draw(self.random)
        self._calm_after: int | None = None
        self._rebuilds = [self.random.randrange(400) for _ in range(self.random.choice([0, 0, 1, 3]))]
        self._upstream = self.worker("upstream", self._write_and_announce, lambda: self._calm_after is None)
        self.workers.append(self._upstream)
        self.workers.append(self.worker("operator", self._operate, self._wants_rebuild))
        self._collections = [self.random.randrange(800) for _ in range(self.random.choice([0, 1, 3]))]
        self._horizon_moves = self.happens(0.15)
        self._reconciles = [self.random.randrange(400) for _ in range(self.random.choice([0, 0, 0, 1]))]
        self._coldstarts = [self.random.randrange(400) for _ in range(self.random.choice([0, 0, 1]))]

        self._aged_at = self.random.choice([None, None, self.random.randrange(400)])

    def asks_again(self) -> bool:
        return self.is_interrupted() and self._is_stormy and self.happens(self._climate.repetition)

    def _play(self) -> None:
        if self.happens(0.7):
            self.begin_converged()
        while self._turn():
            self.count_step()

    def _turn(self) -> bool:
        """Let one worker take one step; False if nothing is left to do."""
        if self.steps % _REDRAW_EVERY == 0:
            self._redraw()
        self._keep_timers()
        if self.happens(self._climate.clock):
            self.clock.advance(timedelta(seconds=self.random.choice([0.5, 3, 15, 65, 130])))
        ready = [worker for worker in self.workers if worker.is_ready]
        if not ready:
            return self.wait()
        awake = [worker for worker in ready if worker.sleeps_until <= self.steps] or ready
        worker = self.random.choices(awake, [worker.weight for worker in awake])[0]
        if worker is self._upstream or worker.is_idle or not self._is_stormy:
            self.resume(worker)
        else:
            self._strike(worker)
        return True

    def _strike(self, worker: Worker) -> None:
        """Resume a worker in the middle of a job, unless it dies, fails or sleeps."""
        if self.happens(self._climate.death):
            self.kill(worker)
        elif self.happens(self._climate.fault):
            self.fail(worker)
        elif worker.name in PUBLISHERS and self.happens(self._climate.handover):
            (self._tell_to_end if self.happens(0.5) else self._hand_over)(worker)
        elif self.happens(self._climate.sleep):
            worker.sleeps_until = self.steps + self.random.choice([20, 60, 200])
            if self.happens(0.4):
                self.clock.advance(LEASE_FOR)
        else:
            self.resume(worker)

    def _tell_to_end(self, worker: Worker) -> None:
        """A publisher ends and another takes its place. It may die while it gives back what it has claimed."""
        self.note(worker.name, "is told to end")
        worker.greenlet.throw(ToldToEnd)

    def _hand_over(self, worker: Worker) -> None:
        """A publisher whose batch takes too long gives back what it has claimed, while its build goes on."""
        if claim := self.claims.get(worker.name):
            self.note(worker.name, "hands over")
            self.pipeline.publisher.give_back(claim)

    def _redraw(self) -> None:
        """For a while some workers are fast and some hardly move."""
        for worker in self.workers:
            worker.weight = self.random.choice([0.02, 0.2, 1, 1])
        self._upstream.weight = self._climate.upstream

    @property
    def _is_stormy(self) -> bool:
        return self._calm_after is None or self.steps <= self._calm_after

    def _wants_rebuild(self) -> bool:
        return bool(self._rebuilds) and self._rebuilds[-1] <= self.steps and self._calm_after is None

    def _keep_timers(self) -> None:
        """Collections at any time; a reconcile only while changes arrive, because it would hide errors afterwards."""
        if self.steps in self._collections:
            if self._horizon_moves:
                self.write(HorizonMoves(date(2026, 3, 29)))
            self.write(CollectionDue())
        if self.steps in self._coldstarts and self._calm_after is None:
            self.write(ColdstartDue())
        if self.steps == self._aged_at:
            self.write(CopiesAged())
        if self.steps in self._reconciles and self._calm_after is None:
            self.write(ReconcileDue())

    def _write_and_announce(self, worker: Worker) -> None:
        changes = [] if self.upstreams.schedule_source.objects else self.first_changes()
        changes += [self.changes.change() for _ in range(self.random.randint(2, 10))]
        for change in changes:
            change.write(self.upstreams)
            self.checkpoint("wrote", (change,))
            self.announce(change)
            if self.happens(self._climate.lull):
                worker.sleeps_until = self.steps + self.random.choice([30, 100, 300])
            self.checkpoint("announced", (change,))
        self._calm_after = self.steps + self._climate.aftermath
        self.rest(worker)

    def _operate(self, worker: Worker) -> None:
        while True:
            self._rebuilds.pop()
            with suppress(ServiceError):
                self.rebuild()
            self.rest(worker)
