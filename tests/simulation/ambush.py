"""A simulation that stops some workers at one step, lets the others finish, and then resumes the stopped ones.

Most races need only two workers, one of them stopped at the wrong moment. Each round ends with a verdict, before a
later change can hide an error.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from simulation.simulator import Simulation, Worker
from toy_world import CollectionDue

from schedules_pipeline.publishing.publish import LEASE_FOR

_ROUNDS = 6


class Ambush(Simulation):
    """Each round: a change; one or two workers are stopped while they handle it; another change, which the others
    handle in full; then the stopped workers continue or die.
    """

    def _play(self) -> None:
        self.begin_converged()
        for _ in range(_ROUNDS):
            self._play_round()
            self.judge()

    def _play_round(self) -> None:
        victims = self.random.sample(self.workers, self.random.choice([1, 1, 2]))
        self._change()
        self._work(self.workers, {victim.name: self._steps_to_live() for victim in victims})
        stopped = [worker for worker in self.workers if not worker.is_idle]
        others = [worker for worker in self.workers if worker.is_idle]
        if self.happens(0.8):
            self._change()
        self._work(others)
        if self.happens(0.3):
            self.clock.advance(LEASE_FOR)
            self._work(others)
        self._release(stopped)
        self._work(self.workers)
        while self.wait():
            self._work(self.workers)

    def _change(self) -> None:
        for _ in range(self.random.choice([1, 1, 1, 2])):
            self.happen(self.changes.change())
        if self.happens(0.2):
            self.happen(CollectionDue())
        self.clock.advance(timedelta(seconds=self.random.choice([0, 0, 0, 1, 50])))

    def _steps_to_live(self) -> int:
        """The shortest job takes a dozen steps, the longest about sixty."""
        return self.random.randint(1, self.random.choice([12, 25, 60]))

    def _work(self, workers: Sequence[Worker], stops: Mapping[str, int] = {}) -> None:
        """Let these workers finish. ``stops``: after how many steps of one job a worker is stopped."""
        taken = dict.fromkeys([worker.name for worker in workers], 0)
        while ready := [w for w in workers if w.is_ready and taken[w.name] != stops.get(w.name)]:
            worker = self.random.choice(ready)
            taken[worker.name] = 1 if worker.is_idle else taken[worker.name] + 1
            self.count_step()
            self.resume(worker)
            if worker.is_idle:
                taken[worker.name] = 0

    def _release(self, stopped: Sequence[Worker]) -> None:
        for worker in stopped:
            self.note(worker.name, "was stopped")
            if self.happens(0.2):
                self.kill(worker)
