"""Runs the real workflows over the fakes, many workers at once, and lets a seed decide everything else.

Every fake lets go of its worker before each effect and before each answer. There the simulation goes on with
any other worker, or kills this one, or has the world fail it, or turns the clock so that leases and
visibility run out. When the upstream has ended and nothing is left to do, the store must hold what a build
from scratch gives.

Belongs here: the scheduler, the workers, the verdict. Does not belong here: which seeds are run, and mutants.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from fakes import Conditions, FakeClock, FakeQueue, fake_store, fake_upstreams, pipeline_over
from from_scratch import as_accepted, coldstart, contents, find_missing_entries, replay_feed
from greenlet import GreenletExit, getcurrent, greenlet
from toy_world import FOCI, KEYS, PIDS, Change, RandomUpstream

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.ports.schedules import Outcome
from schedules_pipeline.ports.upstream import Message
from schedules_pipeline.ports.work import Cause, Mark, Origin
from schedules_pipeline.workflows import intake
from schedules_pipeline.workflows.publish import LEASE_FOR

MOST_STEPS = 40_000
_REDRAW_EVERY = 25
_TRACE_LENGTH = 400

T = TypeVar("T")
_Handle = Callable[[Sequence[Message]], intake.Taken]


class Wrong(AssertionError):
    """What came out of a seed is not what had to come out."""


@dataclass(slots=True)
class _Worker:
    """``has_work`` looks without touching anything, so that nobody is woken for nothing."""

    name: str
    body: Callable[["_Worker"], None]
    has_work: Callable[[], bool]
    greenlet: greenlet
    weight: float = 1.0
    is_idle: bool = True
    sleeps_until: int = 0


@dataclass(frozen=True, slots=True)
class _Climate:
    """How hard a seed is on its workers, as chances a step.

    ``sleep``: that a worker stops in the middle for long; ``lull``: that the upstream does. ``aftermath`` in steps: how long this goes on when
    the upstream has ended, so that no later change makes good what was done wrong.
    """

    death: float
    fault: float
    sleep: float
    clock: float
    upstream: float
    lull: float
    aftermath: int

    @classmethod
    def draw(cls, random: Random) -> "_Climate":
        return cls(
            death=random.choice([0, 0.003, 0.01, 0.03]),
            fault=random.choice([0, 0, 0.005, 0.02]),
            sleep=random.choice([0, 0.01, 0.03, 0.1]),
            clock=random.choice([0, 0.003, 0.01, 0.03]),
            upstream=random.choice([0.02, 0.1, 0.4, 2]),
            lull=random.choice([0, 0.3, 0.8]),
            aftermath=random.choice([0, 200, 800]),
        )


class Simulation(Conditions):
    """One seed. ``troubled``: the upstream also says what is invalid, shrunken or deleted."""

    def __init__(self, seed: int, *, troubled: bool = False) -> None:
        self.random = Random(seed)
        self.trace: deque[tuple[int, str, str, Sequence[object]]] = deque(maxlen=_TRACE_LENGTH)
        self.steps = 0
        self._troubled = troubled
        self._main = getcurrent()
        self._climate = _Climate.draw(self.random)
        self._clock = FakeClock()
        self.upstreams = fake_upstreams(self._clock, self.random, self)
        self.fakes = fake_store(self._clock, self)
        self.store = self.fakes.as_store()
        self._pipeline = pipeline_over(self.store, self.upstreams, self._clock)
        self._draw_changes()
        self._calm_after: int | None = None
        self._workers = self._hire()
        self._current: _Worker | None = None

    def _draw_changes(self) -> None:
        focus = self.random.choice(FOCI)
        upstream = RandomUpstream(self.random, focus, troubled=self._troubled)
        present = [pid for pid in focus.pids if self._happens(0.6)]
        self._first_changes: list[Change] = [upstream.item(pid) for pid in present]
        self._first_changes += [upstream.schedule(key) for key in focus.keys]
        self._changes = [upstream.change() for _ in range(self.random.randint(2, 10))]
        self._rebuilds = [self.random.randrange(400) for _ in range(self.random.choice([0, 0, 1, 3]))]

    # What the fakes ask

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        """Let go of the worker that is about to take this step; whoever runs outside is not interrupted."""
        if getcurrent() is not self._main:
            name = self._current.name if self._current else ""
            self.trace.append((self.steps, name, step, about))
            self._main.switch()

    def arrange(self, items: list[T]) -> list[T]:
        if len(items) > 1:
            self.random.shuffle(items)
        return items

    # The scheduler

    def run(self) -> None:
        """Run to quiescence and judge; raises :class:`Wrong`."""
        if self.random.random() < 0.7:
            self._begin_converged()
        self._redraw()
        while self._turn():
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Wrong(f"not quiet after {MOST_STEPS} steps: {self.fakes.work.backlog()}")
        self._judge()

    def _begin_converged(self) -> None:
        """Let the first changes pass in peace."""
        for change in self._first_changes:
            change.write(self.upstreams)
        self._first_changes = []
        self._pipeline.publisher.rebuild_from_sources(KEYS, self._cause())

    def _turn(self) -> bool:
        """Let one worker take one step; False where there is nothing left to do."""
        if self.steps % _REDRAW_EVERY == 0:
            self._redraw()
        if self._happens(self._climate.clock):
            self._clock.advance(timedelta(seconds=self.random.choice([0.5, 3, 15, 65, 130])))
        ready = [worker for worker in self._workers if not worker.is_idle or worker.has_work()]
        if not ready:
            return self._wait()
        awake = [worker for worker in ready if worker.sleeps_until <= self.steps] or ready
        worker = self.random.choices(awake, [worker.weight for worker in awake])[0]
        if self._is_stormy and worker is not self._workers[0] and not worker.is_idle:
            self._strike(worker)
        else:
            self._resume(worker)
        return True

    def _strike(self, worker: _Worker) -> None:
        """Let a worker that is in the middle of something go on, if it is lucky."""
        if self._happens(self._climate.death):
            self._kill(worker)
        elif self._happens(self._climate.fault):
            self.trace.append((self.steps, worker.name, "FAULT", ()))
            worker.greenlet.throw(ServiceError("the world fails"))
        elif self._happens(self._climate.sleep):
            worker.sleeps_until = self.steps + self.random.choice([20, 60, 200])
            if self._happens(0.4):
                self._clock.advance(LEASE_FOR)
        else:
            self._resume(worker)

    def _resume(self, worker: _Worker) -> None:
        self._current = worker
        worker.is_idle = False
        if not worker.greenlet:
            worker.greenlet.switch(worker)
        else:
            worker.greenlet.switch()

    def _kill(self, worker: _Worker) -> None:
        self.trace.append((self.steps, worker.name, "DIES", ()))
        worker.greenlet.throw(GreenletExit)
        worker.greenlet = self._begin(worker.body)
        worker.is_idle = True

    def _wait(self) -> bool:
        """Nobody can do anything now: let time pass, unless nothing will ever happen again."""
        for queue in (self.upstreams.schedule_queue, self.upstreams.catalogue_queue):
            queue.redrive()
        if self._queues_are_empty() and self.fakes.work.backlog().is_empty:
            return self._bring_back()
        self._clock.advance(timedelta(seconds=self.random.choice([1, 10, 70])))
        return True

    def _bring_back(self) -> bool:
        """What an operator does with schedules that failed too often."""
        aside = list(self.fakes.work.set_aside())
        self.store.work.mark([Mark(key, self._clock(), self._cause()) for key in aside])
        return bool(aside)

    def _redraw(self) -> None:
        """Some workers hurry, some hardly move, for a while."""
        for worker in self._workers:
            worker.weight = self.random.choice([0.02, 0.2, 1, 1])
        self._workers[0].weight = self._climate.upstream

    @property
    def _is_stormy(self) -> bool:
        return self._calm_after is None or self.steps <= self._calm_after

    def _happens(self, chance: float) -> bool:
        return self.random.random() < chance

    def _queues_are_empty(self) -> bool:
        depths = [self.upstreams.schedule_queue.depth(), self.upstreams.catalogue_queue.depth()]
        return not any(depth.waiting or depth.in_flight for depth in depths)

    # The workers

    def _hire(self) -> list[_Worker]:
        schedules, catalogue = self.upstreams.schedule_queue, self.upstreams.catalogue_queue
        jobs: list[tuple[str, Callable[[_Worker], None], Callable[[], bool]]] = [
            ("upstream", self._upstream, lambda: self._calm_after is None),
            ("schedule intake", self._take_in_schedules, schedules.has_visible),
            ("catalogue intake", self._take_in_catalogue, catalogue.has_visible),
            ("second catalogue intake", self._take_in_catalogue, catalogue.has_visible),
            ("publisher", self._publish, self._has_claimable),
            ("second publisher", self._publish, self._has_claimable),
            ("operator", self._operate, self._wants_rebuild),
        ]
        return [_Worker(name, body, has_work, self._begin(body)) for name, body, has_work in jobs]

    def _begin(self, body: Callable[[_Worker], None]) -> greenlet:
        return greenlet(body, parent=self._main)

    def _has_claimable(self) -> bool:
        return self.fakes.work.has_claimable(self._clock())

    def _wants_rebuild(self) -> bool:
        return bool(self._rebuilds) and self._rebuilds[-1] <= self.steps and self._calm_after is None

    def _upstream(self, worker: _Worker) -> None:
        """Writes, and some time later announces, perhaps twice, perhaps late."""
        for change in [*self._first_changes, *self._changes]:
            change.write(self.upstreams)
            self.checkpoint("wrote", (change,))
            for _ in range(self.random.choice([1, 1, 1, 2])):
                change.announce(self.upstreams, timedelta(seconds=self.random.choice([0, 0, 0, 5, 40])))
            if self._happens(self._climate.lull):
                worker.sleeps_until = self.steps + self.random.choice([30, 100, 300])
            self.checkpoint("announced", (change,))
        self._calm_after = self.steps + self._climate.aftermath
        worker.is_idle = True

    def _take_in_schedules(self, worker: _Worker) -> None:
        self._take_in(worker, self.upstreams.schedule_queue, self._pipeline.schedule_intake.handle)

    def _take_in_catalogue(self, worker: _Worker) -> None:
        self._take_in(worker, self.upstreams.catalogue_queue, self._pipeline.catalogue_intake.handle)

    def _take_in(self, worker: _Worker, queue: FakeQueue, handle: _Handle) -> None:
        while True:
            with suppress(ServiceError):
                intake.take_in(queue, handle, 0)
            self._rest(worker)

    def _publish(self, worker: _Worker) -> None:
        while True:
            with suppress(ServiceError):
                self._pipeline.publisher.publish_next(self.random.randint(1, 3))
            self._rest(worker)

    def _operate(self, worker: _Worker) -> None:
        """Rebuilds some schedules from their sources now and then, while there is something going on."""
        while True:
            self._rebuilds.pop()
            keys = self.random.sample(KEYS, self.random.randint(1, len(KEYS)))
            with suppress(ServiceError):
                self._pipeline.publisher.rebuild_from_sources(keys, self._cause())
            self._rest(worker)

    def _rest(self, worker: _Worker) -> None:
        worker.is_idle = True
        self.checkpoint("rests")

    def _cause(self) -> Cause:
        return Cause("rebuild", Origin.OPERATOR, "", self._clock())

    # The verdict

    def _judge(self) -> None:
        published = contents(self.store, KEYS)
        sources = as_accepted(self.store, KEYS, PIDS) if self._troubled else self.upstreams
        _require_equal("published", published, coldstart(sources, KEYS))
        _require_equal("missing index entries", find_missing_entries(self.store, KEYS, PIDS), [])
        _require_equal("set aside", self.store.work.set_aside(), {})
        self._judge_feed()
        if not self._troubled:
            self._judge_coldstart()

    def _judge_feed(self) -> None:
        latest = replay_feed(self.store)
        _require_equal("heads", self.store.feed.heads(), latest)
        states = self.store.schedules.read(KEYS)
        ours = {key: (state.seq, state.etag) for key, state in states.items() if state.seq}
        _require_equal("feed", {key: (c.seq, c.etag) for key, c in latest.items()}, ours)

    def _judge_coldstart(self) -> None:
        """A coldstart of a converged store changes nothing, though it may pay debts that are paid."""
        publisher = self._pipeline.publisher
        batches = [publisher.rebuild_from_sources(KEYS, self._cause()), *publisher.publish_all()]
        outcomes = {built.outcome for batch in batches for built in batch.built}
        _require_equal("coldstart", outcomes, {Outcome.UNCHANGED})


def _require_equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Wrong(f"{what}: found {found!r}, expected {expected!r}")
