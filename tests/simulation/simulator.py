"""Runs the real workflows over the fakes, many workers at once, and lets a seed decide everything else.

Every fake lets go of its worker before each effect and before each answer. There the simulation goes on with
any other worker, or kills this one, or has the world fail it, or turns the clock so that leases and
visibility run out. When the upstream has ended and nothing is left to do, the store must hold what a build
from scratch gives.

Belongs here: the scheduler, the workers, the verdict. Does not belong here: which seeds are run, and mutants.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from fakes import Conditions, FakeClock, FakeQueue, fake_store, fake_upstreams, pipeline_over
from from_scratch import as_accepted, coldstart, contents, find_missing_entries, replay_feed
from greenlet import GreenletExit, getcurrent, greenlet
from toy_world import KEYS, PIDS, Change, RandomUpstream

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.ports.schedules import Outcome
from schedules_pipeline.ports.upstream import Message
from schedules_pipeline.ports.work import Cause, Origin
from schedules_pipeline.workflows import intake

MOST_STEPS = 40_000
_REDRAW_EVERY = 25
_TRACE_LENGTH = 400

T = TypeVar("T")


class Wrong(AssertionError):
    """What came out of a seed is not what had to come out."""


@dataclass(slots=True)
class _Worker:
    name: str
    body: Callable[["_Worker"], None]
    greenlet: greenlet
    weight: float = 1.0
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class _Climate:
    """How hard a seed is on its workers, as chances a step; ``aftermath`` in steps: how long workers go on
    dying when the upstream has ended, so that no later change makes good what they left."""

    death: float
    fault: float
    clock: float
    upstream: float
    aftermath: int

    @classmethod
    def draw(cls, random: Random) -> "_Climate":
        return cls(
            death=random.choice([0, 0.003, 0.01, 0.02]),
            fault=random.choice([0, 0, 0.005, 0.02]),
            clock=random.choice([0.002, 0.01, 0.03]),
            upstream=random.choice([0.01, 0.04, 0.15]),
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
        self._changes = self._draw_changes()
        self._is_live = True
        self._calm_after = MOST_STEPS
        self._workers: list[_Worker] = []
        self._current: _Worker | None = None

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
        self._start_workers()
        while not self._is_quiet():
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Wrong(f"not quiet after {MOST_STEPS} steps: {self.fakes.work.backlog()}")
            if self.steps % _REDRAW_EVERY == 0:
                self._redraw()
            self._step()
        self._judge()

    def _start_workers(self) -> None:
        bodies: list[tuple[str, Callable[[_Worker], None]]] = [
            ("upstream", self._upstream),
            ("schedule intake", self._take_in_schedules),
            ("catalogue intake", self._take_in_catalogue),
            ("second catalogue intake", self._take_in_catalogue),
            ("publisher", self._publish),
            ("second publisher", self._publish),
            ("operator", self._operate),
        ]
        self._workers = [_Worker(name, body, self._begin(body)) for name, body in bodies]
        self._redraw()

    def _begin(self, body: Callable[[_Worker], None]) -> greenlet:
        return greenlet(body, parent=self._main)

    def _redraw(self) -> None:
        """Some workers hurry, some hardly move, for a while; once in a while nobody is slow."""
        fair = self.steps > self._calm_after and self.steps % 200 == 0
        for worker in self._workers:
            worker.weight = 1.0 if fair else self.random.choice([0.02, 0.2, 1, 1])
        if self._is_live:
            self._workers[0].weight = self._climate.upstream * len(self._workers)

    def _step(self) -> None:
        worker = self.random.choices(self._workers, [w.weight for w in self._workers])[0]
        chance = self.random.random
        if chance() < self._climate.clock:
            self._clock.advance(timedelta(seconds=self.random.choice([0.5, 3, 15, 65, 130])))
        if self.steps <= self._calm_after and worker.name != "upstream" and not worker.is_idle:
            if chance() < self._climate.death:
                return self._kill(worker)
            if chance() < self._climate.fault:
                return self._resume(worker, ServiceError("the world fails"))
        return self._resume(worker)

    def _resume(self, worker: _Worker, fault: ServiceError | None = None) -> None:
        self._current = worker
        worker.is_idle = False
        if worker.greenlet.dead:
            worker.is_idle = True
        elif fault is not None and worker.greenlet:
            self.trace.append((self.steps, worker.name, "FAULT", ()))
            worker.greenlet.throw(fault)
        elif worker.greenlet:
            worker.greenlet.switch()
        else:
            worker.greenlet.switch(worker)

    def _kill(self, worker: _Worker) -> None:
        self.trace.append((self.steps, worker.name, "DIES", ()))
        worker.greenlet.throw(GreenletExit)
        worker.greenlet = self._begin(worker.body)

    def _is_quiet(self) -> bool:
        if self._is_live or not all(worker.is_idle for worker in self._workers):
            return False
        for queue in (self.upstreams.schedule_queue, self.upstreams.catalogue_queue):
            queue.redrive()
        if self._queues_are_empty() and self.fakes.work.backlog().is_empty:
            return True
        # Everybody has looked and found nothing, so what is left waits for its time.
        if self.random.random() < 0.2:
            self._clock.advance(timedelta(seconds=self.random.choice([1, 10, 70])))
        return False

    def _queues_are_empty(self) -> bool:
        depths = [self.upstreams.schedule_queue.depth(), self.upstreams.catalogue_queue.depth()]
        return not any(depth.waiting or depth.in_flight for depth in depths)

    # The workers

    def _draw_changes(self) -> Iterator[Change]:
        upstream = RandomUpstream(self.random, troubled=self._troubled)
        for pid in PIDS:
            if self.random.random() < 0.6:
                yield upstream.item(pid)
        for key in KEYS:
            yield upstream.schedule(key)
        for _ in range(self.random.randint(4, 16)):
            yield upstream.change()

    def _upstream(self, worker: _Worker) -> None:
        """Writes, and some time later announces, perhaps twice, perhaps late."""
        for change in self._changes:
            change.write(self.upstreams)
            self.checkpoint(f"wrote {change}")
            for _ in range(self.random.choice([1, 1, 1, 2])):
                change.announce(self.upstreams, timedelta(seconds=self.random.choice([0, 0, 0, 5, 40])))
            self.checkpoint("announced")
        self._is_live = False
        self._calm_after = self.steps + self._climate.aftermath
        self._idle(worker)

    def _take_in_schedules(self, worker: _Worker) -> None:
        self._take_in(worker, self.upstreams.schedule_queue, self._pipeline.schedule_intake.handle)

    def _take_in_catalogue(self, worker: _Worker) -> None:
        self._take_in(worker, self.upstreams.catalogue_queue, self._pipeline.catalogue_intake.handle)

    def _take_in(
        self, worker: _Worker, queue: FakeQueue, handle: "Callable[[list[Message]], intake.Taken]"
    ) -> None:
        while True:
            try:
                if not intake.take_in(queue, handle, 0).received:
                    self._idle(worker)
            except ServiceError:
                continue

    def _publish(self, worker: _Worker) -> None:
        while True:
            try:
                if self._pipeline.publisher.publish_next(self.random.randint(1, 3)) is None:
                    self._idle(worker)
            except ServiceError:
                continue

    def _operate(self, worker: _Worker) -> None:
        """Rebuilds some schedules from their sources now and then, while there is something going on."""
        while True:
            if self._is_live and self.random.random() < 0.05:
                keys = self.random.sample(KEYS, self.random.randint(1, len(KEYS)))
                try:
                    self._pipeline.publisher.rebuild_from_sources(keys, self._cause())
                except ServiceError:
                    continue
            self._idle(worker)

    def _idle(self, worker: _Worker) -> None:
        worker.is_idle = True
        self.checkpoint("idle")

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
