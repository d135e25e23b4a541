"""A simulation in which one worker is stopped at a given step while the others finish.

Most races need no more than that, and every step can be tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import count
from typing import TypeVar

from fakes import FakeUpstreams
from from_scratch import Contents
from simulation.simulator import Simulation, Worker
from toy_world import Change, Focus

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.publish import LEASE_FOR

T = TypeVar("T")
_Sources = tuple[frozenset[tuple[ScheduleKey, SourceObject]], frozenset[tuple[Pid, bytes]], date]
CATALOGUE, SECOND_CATALOGUE = "catalogue intake", "second catalogue intake"
PUBLISHER, SECOND_PUBLISHER = "publisher", "second publisher"
SCHEDULES = "schedule intake"
COLDSTART_RUN = "coldstart run"
COLLECTOR, RECONCILER = "collector", "reconciler"


class Fate(StrEnum):
    """What happens to a stopped worker."""

    GOES_ON = "goes on"
    GOES_ON_LATE = "goes on after its lease has ended"
    DIES = "dies"
    ASKS_AGAIN = "goes on, and its client sends the next command twice, since the answer was lost"
    FAILS = "goes on without the command and those after it, since the store or source does not answer"


_USUAL = (Fate.GOES_ON, Fate.GOES_ON_LATE, Fate.DIES, Fate.ASKS_AGAIN)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Each of ``begin`` is handled undisturbed. While the victim handles ``first`` it is stopped, and the others
    finish; then they handle ``then`` and ``later``; the victim meets its fate; all handle ``at_last``, and
    ``in_the_end`` once nothing is pending. An accomplice is stopped while it handles ``then``, and meets its own
    fate after the victim. ``fates``: of the victim, if there is no accomplice. ``troubled``: the last document of a
    schedule is rejected.
    """

    name: str
    victim: str
    begin: Sequence[Change]
    first: Sequence[Change]
    then: Sequence[Change] = ()
    later: Sequence[Change] = ()
    at_last: Sequence[Change] = ()
    in_the_end: Sequence[Change] = ()
    accomplice: str = ""
    fates: Sequence[Fate] = _USUAL
    troubled: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """A worker is stopped after so many steps, and meets this fate."""

    steps: int
    fate: Fate


def explore(scenario: Scenario) -> None:
    """Try every step, or every pair of steps, with every fate; raises the error of the first run that goes wrong."""
    exploration = _Exploration(scenario, {})
    if scenario.accomplice:
        for fate in (Fate.GOES_ON, Fate.DIES):
            _explore_pairs(exploration, fate)
    else:
        for fate in scenario.fates:
            _explore_stops(exploration, fate)


@dataclass(frozen=True, slots=True)
class _Exploration:
    """A scenario, and the contents already built from scratch for it. Its runs end with few different sources."""

    scenario: Scenario
    built: dict[_Sources, Contents]

    def came_to_stops(self, stop: Stop, accomplice_stop: Stop | None = None) -> bool:
        simulation = Interruption(self.scenario, self.built, stop, accomplice_stop)
        simulation.run()
        return simulation.came_to_stops


def _explore_stops(exploration: _Exploration, fate: Fate) -> None:
    for steps in count():
        if not exploration.came_to_stops(Stop(steps, fate)):
            return


def _explore_pairs(exploration: _Exploration, accomplice_fate: Fate) -> None:
    """The victim continues, because it has the older token; the fate of the accomplice, with the newer token,
    varies.
    """
    fate = Fate.GOES_ON_LATE if exploration.scenario.victim == PUBLISHER else Fate.GOES_ON
    for steps in count():
        for accomplice_steps in count():
            if not exploration.came_to_stops(Stop(steps, fate), Stop(accomplice_steps, accomplice_fate)):
                break
        if not accomplice_steps:
            return


class Interruption(Simulation):
    """One scenario. ``came_to_stops``: each worker to be stopped took as many steps. Removals may be forgotten at
    once, because no worker here keeps a row that the feed lacks.
    """

    kept_for = RetentionPeriods(removals=timedelta(0))

    def __init__(
        self,
        scenario: Scenario,
        built: dict[_Sources, Contents],
        stop: Stop,
        accomplice_stop: Stop | None = None,
    ) -> None:
        super().__init__(0, focus=Focus(), troubled=scenario.troubled)
        self.came_to_stops = True
        self._scenario = scenario
        self._built = built
        self._stop = stop
        self._accomplice_stop = accomplice_stop
        self._asks_again_next = ""

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        """A stop before an answer equals a stop before the next step, so only steps count."""
        if not step.endswith(" answers"):
            super().checkpoint(step, about)

    def asks_again(self) -> bool:
        """Once, for the victim with this fate."""
        if not self.is_interrupted() or self.running != self._asks_again_next:
            return False
        self._asks_again_next = ""
        return True

    def arrange(self, items: list[T]) -> list[T]:
        return items

    def build_from_scratch(self, sources: FakeUpstreams) -> Contents:
        """Not built again from equal sources. A build that changed its sources is not reused."""
        before = self._describe(sources)
        if before in self._built:
            return self._built[before]
        contents = super().build_from_scratch(sources)
        if self._describe(sources) == before:
            self._built[before] = contents
        return contents

    def _describe(self, sources: FakeUpstreams) -> _Sources:
        return (
            frozenset(sources.schedule_source.objects.items()),
            frozenset(sources.catalogue_source.documents.items()),
            self.horizon.first_kept[-1],
        )

    def _play(self) -> None:
        for change in self._scenario.begin:
            self._happen([change])
            self._work_until_quiet()
        self._happen(self._scenario.first)
        victim = self._find(self._scenario.victim)
        self._stop_at_step(victim, self._stop.steps)
        others = [worker for worker in self.workers if worker is not victim]
        self._work(others)
        self._happen(self._scenario.then)
        if self._accomplice_stop is None:
            self._meet_fates_alone(victim, others)
        else:
            self._meet_fates_together(victim, others, self._accomplice_stop)
        self._work(self.workers)
        self._happen(self._scenario.at_last)
        self._work_until_quiet()
        self._happen(self._scenario.in_the_end)
        self._work_until_quiet()

    def _meet_fates_alone(self, victim: Worker, others: Sequence[Worker]) -> None:
        self._work(others)
        self._end_lease(others)
        self._happen(self._scenario.later)
        self._work(others)
        self._meet_fate(victim, self._stop.fate)

    def _meet_fates_together(self, victim: Worker, others: Sequence[Worker], stop: Stop) -> None:
        self._end_lease([])
        accomplice = self._find(self._scenario.accomplice)
        self._stop_at_step(accomplice, stop.steps, but=victim)
        self._happen(self._scenario.later)
        self._meet_fate(victim, self._stop.fate)
        self._work([worker for worker in self.workers if worker is not accomplice])
        self._meet_fate(accomplice, stop.fate)

    def _find(self, name: str) -> Worker:
        return next(worker for worker in self.workers if worker.name == name)

    def _happen(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.write(change)
            change.announce(self.upstreams)

    def _stop_at_step(self, stopped: Worker, steps: int, but: Worker | None = None) -> None:
        """Let all workers but one work; the worker to be stopped comes first, so that it gets the job."""
        in_order = [stopped, *(worker for worker in self.workers if worker not in (stopped, but))]
        while steps and (ready := _first_ready(in_order)):
            self.resume(ready)
            steps -= ready is stopped
        self.came_to_stops &= not steps

    def _end_lease(self, others: Sequence[Worker]) -> None:
        if self._stop.fate is Fate.GOES_ON_LATE:
            self.clock.advance(LEASE_FOR)
            self._work(others)

    def _meet_fate(self, worker: Worker, fate: Fate) -> None:
        if fate is Fate.DIES and not worker.is_idle:
            self.kill(worker)
        if fate is Fate.FAILS and not worker.is_idle:
            self.fail(worker)
        if fate is Fate.ASKS_AGAIN:
            self._asks_again_next = worker.name

    def _work(self, workers: Sequence[Worker]) -> None:
        while ready := _first_ready(workers):
            self.count_step()
            self.resume(ready)

    def _work_until_quiet(self) -> None:
        self._work(self.workers)
        while self.wait():
            self._work(self.workers)


def _first_ready(workers: Sequence[Worker]) -> Worker | None:
    return next((worker for worker in workers if worker.is_ready), None)
