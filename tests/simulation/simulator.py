"""Runs the real workflows over the fakes, with many workers at once, and lets a seed decide everything else.

Every fake pauses its worker before each effect and before each answer. There a simulation may resume another
worker, kill this one, fail the call, or turn the clock so that leases and visibility timeouts expire. When nothing
is left to do, the store must hold what a build from scratch gives.

Belongs here: the workers, how they are resumed and killed, and the verdict. Does not belong here: when that happens
(``storm``, ``ambush``), which seeds run, and mutants.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import TypeVar

from builders import as_release_0_1_0
from fakes import Conditions, FakeClock, FakeQueue, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from from_scratch import (
    Contents,
    as_accepted,
    coldstart,
    contents,
    find_missing_entries,
    find_superfluous_entries,
    replay_feed,
)
from greenlet import GreenletExit, getcurrent, greenlet
from simulation.records import require_right_records
from toy_world import (
    FOCI,
    Change,
    ColdstartDue,
    CollectionDue,
    CopiesAged,
    Focus,
    HorizonMoves,
    RandomUpstream,
    ReconcileDue,
    StateLost,
)

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing import intake
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.publishing.ports.work import Claim, Mark

MOST_STEPS = 40_000
_TRACE_LENGTH = 300
PUBLISHERS = ("publisher", "second publisher")

T = TypeVar("T")
_Handle = Callable[[Sequence[Message]], intake.IngestResult]


class Wrong(AssertionError):
    """The final state differs from a build from scratch."""


class ToldToEnd(BaseException):
    """A worker's process is asked to end, as by a signal."""


@dataclass(slots=True)
class Worker:
    """``has_work`` only reads, so that a worker is not resumed for nothing. An idle worker has no job; until
    ``sleeps_until`` it is not resumed.
    """

    name: str
    body: Callable[["Worker"], None]
    has_work: Callable[[], bool]
    greenlet: greenlet
    weight: float = 1.0
    is_idle: bool = True
    sleeps_until: int = 0

    @property
    def is_ready(self) -> bool:
        return not self.is_idle or self.has_work()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the trace: a worker and its next step, or what happened to it."""

    number: int
    worker: str
    what: str
    about: Sequence[object] = ()

    def __str__(self) -> str:
        return f"{self.number:5} {self.worker}: {self.what} {', '.join(map(str, self.about))}"[:200]


@dataclass(frozen=True)
class MovingHorizon(RetentionHorizon):
    """A horizon that tests move."""

    days: int = 1
    first_kept: list[date] = field(default_factory=lambda: [date.min])

    def keeps(self, day: date, now: datetime) -> bool:
        return day >= self.first_kept[-1]


class Simulation(Conditions, ABC):
    """One seed. ``troubled``: upstream changes may also be invalid, shrunken or deleted."""

    kept_for = RetentionPeriods()

    def __init__(self, seed: int, *, focus: Focus | None = None, troubled: bool = False) -> None:
        self.random = Random(seed)
        self.trace: deque[Step] = deque(maxlen=_TRACE_LENGTH)
        self.steps = 0
        self.clock = FakeClock()
        self.upstreams = fake_upstreams(self.clock, self.random, self)
        self.fakes = fake_store(self.clock, self)
        self.store = self.fakes.as_store()
        self.horizon = MovingHorizon()
        self.pipeline = pipeline_over(self.store, self.upstreams, self.clock, self.horizon, self.kept_for)
        self.collections_due = 0
        self.reconciles_due = 0
        self.focus = focus or self.random.choice(FOCI)
        self.changes = RandomUpstream(self.random, self.focus, troubled=troubled)
        self._troubled = troubled
        self._main = getcurrent()
        self.running = ""
        self._is_dying = False
        self.claims: dict[str, Claim] = {}
        self.workers = self._hire()

    def run(self) -> None:
        """Raises :class:`Wrong`."""
        try:
            self._play()
            self._tidy_up()
            self._judge_thoroughly()
        finally:
            self._dismiss()

    @abstractmethod
    def _play(self) -> None:
        """Run until nothing is left to do."""

    # What the fakes ask

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        """Pause the worker that is about to take this step. Calls outside a worker are not interrupted."""
        if self._is_dying:
            raise GreenletExit
        if self.is_interrupted():
            self.trace.append(Step(self.steps, self.running, step, about))
            self._main.switch()

    def is_interrupted(self) -> bool:
        """Whether the caller is a worker; the verdict runs outside, without interruptions."""
        return getcurrent() is not self._main

    def arrange(self, items: list[T]) -> list[T]:
        if len(items) > 1:
            self.random.shuffle(items)
        return items

    # What befalls workers

    def resume(self, worker: Worker) -> None:
        """Let a worker take one step."""
        self.running = worker.name
        worker.is_idle = False
        if worker.greenlet:
            worker.greenlet.switch()
        else:
            worker.greenlet.switch(worker)

    def fail(self, worker: Worker) -> None:
        """Raise a service error in a worker, before or after an effect."""
        self.note(worker.name, "is failed")
        worker.greenlet.throw(ServiceError("the world fails"))

    def kill(self, worker: Worker) -> None:
        """End a worker in the middle of its job; another takes its place."""
        self.note(worker.name, "dies")
        self._is_dying = True
        worker.greenlet.throw(GreenletExit)
        self._is_dying = False
        worker.greenlet = greenlet(worker.body, parent=self._main)
        worker.is_idle = True

    def _dismiss(self) -> None:
        """End every worker: the frames of a paused greenlet are never collected, and would keep the whole world."""
        self._is_dying = True
        for worker in self.workers:
            worker.greenlet.throw(GreenletExit)

    def count_step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Wrong(f"not quiet after {MOST_STEPS} steps: {self.fakes.work.backlog()}")

    def note(self, who: str, what: str, *about: object) -> None:
        self.trace.append(Step(self.steps, who, what, about))

    def happens(self, chance: float) -> bool:
        return self.random.random() < chance

    def wait(self) -> bool:
        """Let time pass if no worker has work. False if nothing will ever happen again."""
        queues = self.upstreams.schedule_queue, self.upstreams.catalogue_queue
        for queue in queues:
            queue.redrive()
        if all(queue.is_empty() for queue in queues) and self.fakes.work.backlog().is_empty:
            return self._bring_back()
        self.clock.advance(timedelta(seconds=self.random.choice([1, 10, 70])))
        return True

    def _bring_back(self) -> bool:
        """Mark quarantined schedules again, as an operator does."""
        aside = list(self.fakes.work.quarantined())
        self.store.work.mark([Mark(key, self.clock(), self.cause()) for key in aside])
        return bool(aside)

    # The workers

    def _hire(self) -> list[Worker]:
        schedules, catalogue = self.upstreams.schedule_queue, self.upstreams.catalogue_queue
        take_schedules = partial(self._take_in, schedules, self.pipeline.schedule_intake.handle)
        take_catalogue = partial(self._take_in, catalogue, self.pipeline.catalogue_intake.handle)
        return [
            self.worker("schedule intake", take_schedules, schedules.has_visible),
            self.worker("catalogue intake", take_catalogue, catalogue.has_visible),
            self.worker("second catalogue intake", take_catalogue, catalogue.has_visible),
            *(self.worker(name, self._publish, self._has_claimable) for name in PUBLISHERS),
            self.worker("collector", self._collect, lambda: self.collections_due > 0),
            self.worker("reconciler", self._reconcile, lambda: self.reconciles_due > 0),
            self.worker("coldstart run", self._work_at_coldstart, self.fakes.coldstarts.is_open),
            self.worker("second coldstart run", self._work_at_coldstart, self.fakes.coldstarts.is_open),
        ]

    def worker(self, name: str, body: Callable[[Worker], None], has_work: Callable[[], bool]) -> Worker:
        return Worker(name, body, has_work, greenlet(body, parent=self._main))

    def rest(self, worker: Worker) -> None:
        worker.is_idle = True
        self.checkpoint("rests")

    def cause(self) -> Cause:
        return Cause("rebuild", Origin.OPERATOR, "", self.clock())

    def happen(self, change: Change) -> None:
        """Write a change and announce it, perhaps twice, perhaps late."""
        self.note("upstream", "writes", change)
        self.write(change)
        self.announce(change)

    def write(self, change: Change) -> None:
        """Apply a change at the upstream or in the store."""
        match change:
            case CollectionDue():
                self.collections_due += 1
            case ColdstartDue():
                self.pipeline.coldstarter.request(f"of step {self.steps}", "a try", purge=True)
            case ReconcileDue():
                self.reconciles_due += 1
            case CopiesAged():
                copies = self.fakes.copies.copies
                copies.update({pid: as_release_0_1_0(pid, copy) for pid, copy in copies.items()})
            case StateLost(key):
                self.fakes.schedules.lose_state(key)
            case HorizonMoves(first_kept):
                self.horizon.first_kept.append(first_kept)
            case _:
                change.write(self.upstreams)

    def announce(self, change: Change) -> None:
        for _ in range(self.random.choice([1, 1, 1, 2])):
            change.announce(self.upstreams, timedelta(seconds=self.random.choice([0, 0, 0, 5, 40])))

    def first_changes(self) -> list[Change]:
        """All schedules, and some of the items, so that others arrive late."""
        present = [pid for pid in self.focus.pids if self.happens(0.6)]
        items: list[Change] = [self.changes.item(pid) for pid in present]
        return [*items, *(self.changes.schedule(key) for key in self.focus.keys)]

    def begin_converged(self) -> None:
        """Build the first changes undisturbed."""
        for change in self.first_changes():
            change.write(self.upstreams)
        self.pipeline.publisher.rebuild_from_sources(self.focus.keys, self.cause())

    def rebuild(self) -> None:
        """Build some schedules from their sources, as an operator does."""
        keys = self.random.sample(self.focus.keys, self.random.randint(1, len(self.focus.keys)))
        self.pipeline.publisher.rebuild_from_sources(keys, self.cause())

    def _has_claimable(self) -> bool:
        return self.fakes.work.has_claimable(self.clock())

    def _take_in(self, queue: FakeQueue, handle: _Handle, worker: Worker) -> None:
        while True:
            with suppress(ServiceError):
                intake.ingest(queue, handle, 0)
            self.rest(worker)

    def _publish(self, worker: Worker) -> None:
        while True:
            with suppress(ServiceError, ToldToEnd):
                claim = self.pipeline.publisher.claim_next(self.random.randint(1, 3))
                if claim is not None:
                    self.claims[worker.name] = claim
                    self.pipeline.publisher.build(claim)
            self.rest(worker)

    def _collect(self, worker: Worker) -> None:
        while True:
            self.collections_due -= 1
            with suppress(ServiceError):
                self.pipeline.collector.collect()
            self.rest(worker)

    def _reconcile(self, worker: Worker) -> None:
        while True:
            self.reconciles_due -= 1
            with suppress(ServiceError):
                self.pipeline.reconciler.reconcile()
            self.rest(worker)

    def _work_at_coldstart(self, worker: Worker) -> None:
        """Work at the open coldstart, as a run that Dagster's sensor launches."""
        while True:
            with suppress(ServiceError):
                latest = self.store.coldstarts.latest()
                if latest is not None:
                    self.pipeline.coldstarter.work_at(latest.id, worker.name, 0, lambda _: None)
            self.rest(worker)

    # The verdict

    def _tidy_up(self) -> None:
        """Collect, publish the marks of the collection, and collect what that made superfluous."""
        for _ in range(2):
            self.pipeline.collector.collect()
            self.pipeline.publisher.publish_all()

    def judge(self) -> None:
        """Nothing is pending, so the store must equal a build from scratch."""
        keys, pids = self.focus.keys, self.focus.pids
        sources = as_accepted(self.store, keys, pids) if self._troubled else self.upstreams
        _require_equal("published", contents(self.store, keys), self.build_from_scratch(sources))
        _require_equal("missing index entries", find_missing_entries(self.store, keys, pids), [])

    def build_from_scratch(self, sources: FakeUpstreams) -> Contents:
        return coldstart(sources, self.focus.keys, self.horizon)

    def _judge_thoroughly(self) -> None:
        self.judge()
        self._judge_tidiness()
        self._judge_feed()
        require_right_records(self.pipeline, self.focus.keys, self.cause())
        if not self._troubled:
            self._judge_coldstart()

    def _judge_tidiness(self) -> None:
        """Superfluous records must be gone."""
        now = self.clock()
        shown = [k for k in contents(self.store, self.focus.keys) if not self.horizon.keeps(k.date, now)]
        _require_equal("shown past the horizon", shown, [])
        _require_equal("superfluous index entries", find_superfluous_entries(self.store), [])
        copies, references = self.fakes.copies, self.fakes.references
        unused = [pid for pid in copies.copies if not references.has_dependants(pid)]
        _require_equal("unused copies", [p for p in unused if copies.tokens_of(p).pending is None], [])

    def _judge_feed(self) -> None:
        states = self.store.schedules.read(self.focus.keys)
        replayed = replay_feed(self.store)
        latest = {key: c for key, c in replayed.items() if not c.is_removal or states[key].seq}
        _require_equal("heads", self.store.feed.heads(), latest)
        ours = {key: (state.seq, state.etag) for key, state in states.items() if state.seq}
        _require_equal("feed", {key: (c.seq, c.etag) for key, c in latest.items()}, ours)

    def _judge_coldstart(self) -> None:
        """A coldstart of a converged store changes nothing, even if it repeats propagations."""
        publisher = self.pipeline.publisher
        batches = [publisher.rebuild_from_sources(self.focus.keys, self.cause()), *publisher.publish_all()]
        outcomes = {built.outcome for batch in batches for built in batch.built}
        _require_equal("coldstart", outcomes, {Outcome.UNCHANGED})


def _require_equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Wrong(f"{what}: found {found!r}, expected {expected!r}")
