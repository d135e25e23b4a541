"""From message sent to document published, through the running sensors, on the whole system.

Five situations: an isolated change of one schedule; the first change while no publisher runs, so that a run must be
started; the first change after a quiet time, in which publishers have followed each other as in an hour; a brand that
300 schedules show; and 20 and 100 changes a second for two minutes, schedules and episodes in turn.
The emulator's long polls end when a message arrives, as those of SQS (``demo/emulator.py``).
A partner waits on a stream of the delivery service; a version is readable when it is announced there.
"Sent" is the moment before the client puts the document or sends the notification of an item, "notified" is when the
queue receives the message. "Published" is when the row is in the change feed, by the clock of Redis, after partners can
read the document. A change of several schedules counts when the last of them is published.

``senders`` makes the changes, ``landing`` finds them in the feed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from random import Random

from benchmarks import stages
from benchmarks.engine import make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult
from benchmarks.landing import FeedReader, Landed, Sent
from benchmarks.partner import waiting_partner
from benchmarks.plain_upstream import plain_upstream
from benchmarks.processor_time import ProcessorTime
from benchmarks.record_age import RecordAge
from benchmarks.senders import Sender
from benchmarks.stack import DagsterStack, Services, running_services
from benchmarks.stages import find_ingested
from benchmarks.world import add_brand, whole_sample
from demo.dagster_services import Webserver
from demo.sample import Sample
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.store.keys import Keys

_LOOK_EVERY_SECONDS = 0.01
_GIVE_UP_AFTER_SECONDS = 180.0
_PAUSE_SECONDS = (2.0, 5.0)
"""Pauses between isolated changes, which vary so that they do not coincide with the sensors' ticks."""

_CHANGES_A_SECOND = (20, 100)
_QUIET_SECONDS, _SESSION_SECONDS = 45.0, 20
"""Two publishers follow in a quiet time of the benchmark, four in an hour with the default session."""

_RECORDED_AT_ONCE = 1_000
_OLDEST_UNRECORDED = "oldest unrecorded version"
_RECORDED_GOAL = {20: 5.0}
"""Seconds. At higher rates, records may wait."""

_ACTIVE_RUNS = """
query {
  runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) {
    ... on Runs { results { runId } }
  }
}
"""


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    brand_schedules: int
    cold: int
    quiet: int
    isolated: int
    brands: int
    steady_seconds: int


_FULL = _Size(44, 14, brand_schedules=300, cold=5, quiet=3, isolated=40, brands=8, steady_seconds=120)
_QUICK = _Size(6, 3, brand_schedules=10, cold=1, quiet=1, isolated=3, brands=2, steady_seconds=5)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    first = utc_now().date() - timedelta(days=2)
    sample = whole_sample(first, size.days, size.services)
    # By date, so that the brand is on most services on some of the days.
    shown_on = sorted(sample.schedules, key=lambda key: (key[1], key[0]))[: size.brand_schedules]
    sample, brand = add_brand(sample, shown_on, "Benchmark Row")
    with running_services(bench) as services, ExitStack() as stack:
        pipeline = _coldstart(bench, services, sample)
        trial = _Trial(bench, pipeline, Sender(plain_upstream(services), sample, Random(1)))
        partner = stack.enter_context(waiting_partner(bench.directory, pipeline))
        with _sensors(trial, services, "cold", {"SCHEDULES_PUBLISHER_LINGER_SECONDS": "1"}) as webserver:
            cold = trial.cold(webserver, size.cold)
        with _sensors(
            trial, services, "quiet", {"SCHEDULES_PUBLISHER_SESSION_SECONDS": str(_SESSION_SECONDS)}
        ):
            quiet = trial.quiet(size.quiet)
        with _sensors(trial, services, "warm", {}):
            isolated = trial.isolated(size.isolated)
            brands = trial.brands(brand["pid"], size.brands)
            streams = {rate: trial.steady(rate, size.steady_seconds) for rate in _CHANGES_A_SECOND}
    figures = [
        *_figures("isolated schedule change", isolated),
        *_figures("first change, no publisher", cold),
        stages.whole_way("first change after quiet", quiet, partner.readable_at, goal=500.0),
        *_figures(f"brand on {len(shown_on)}, the last schedule", brands),
        Figure(f"brand on {len(shown_on)}, each schedule, sent to published", "s", _each(brands)),
    ]
    ingested = find_ingested(bench.directory)
    for name, landed in {
        "isolated schedule change": isolated,
        **{f"{rate} changes a second": landed for rate, (landed, _) in streams.items()},
    }.items():
        figures += stages.figures(name, landed, partner.readable_at, ingested)
    figures += [_oldest_unrecorded(rate, facts) for rate, (_, facts) in streams.items()]
    facts = {f"{rate} a second": facts for rate, (_, facts) in streams.items()}
    return Result({"schedules": len(sample.schedules), **facts}, figures)


def _figures(name: str, landed: list[Landed]) -> list[Figure]:
    return [
        Figure(f"{name}, sent to published", "s", [one.since_sent for one in landed]),
        Figure(f"{name}, notified to published", "s", [one.since_notified for one in landed]),
    ]


def _oldest_unrecorded(rate: int, facts: Mapping[str, object]) -> Figure:
    age = float(str(facts[_OLDEST_UNRECORDED]))
    return Figure(f"{rate} changes a second, {_OLDEST_UNRECORDED}", "s", [age], _RECORDED_GOAL.get(rate))


def _each(landed: list[Landed]) -> list[float]:
    return [seconds for one in landed for seconds in one.each]


def _coldstart(bench: Bench, services: Services, sample: Sample) -> Pipeline:
    """Build everything with the engine, without Dagster's records, before the measurement."""
    bench.say("loading")
    services.upstream.load(sample)
    pipeline = make_engine(services.redis_url, None)
    rebuild_everything(pipeline, list(pipeline.upstreams.schedule_source.list_keys()))
    feed = pipeline.store.feed
    while entries := feed.take_unrecorded("benchmark", _RECORDED_AT_ONCE):
        feed.confirm_recorded([entry.position for entry in entries])
    # Otherwise the sensors would find the keyspace new, and begin a coldstart beside the first changes.
    services.redis.hset(Keys("schedules").coldstart("epoch"), "id", "benchmark")
    services.announce_schedules()
    return pipeline


@contextmanager
def _sensors(
    trial: "_Trial", services: Services, name: str, settings: Mapping[str, str]
) -> Iterator[Webserver]:
    """Start Dagster, and wait until its sensors have passed on a first change."""
    trial.bench.say(f"starting Dagster, {name}")
    environment = {**services.environment, **settings}
    with DagsterStack(trial.bench.directory / name, environment, trial.bench.storage) as stack:
        stack.start_daemon()
        trial.send_and_wait(trial.sender.change_any_schedule)
        yield stack.webserver


class _Trial:
    """Sends changes and waits for them."""

    def __init__(self, bench: Bench, pipeline: Pipeline, sender: Sender) -> None:
        self.bench = bench
        self.sender = sender
        self._pipeline = pipeline
        self._feed = FeedReader(pipeline.store.feed)
        self._rng = Random(2)

    def send_and_wait(self, send: Callable[[], Sent]) -> Landed:
        sent = send()
        landed: list[Landed] = []

        def has_landed() -> bool:
            self._feed.catch_up()
            landed.extend(filter(None, [self._feed.find(sent)]))
            return bool(landed)

        _wait_until(has_landed, f"the change of {sent.subject} is published")
        return landed[0]

    def cold(self, webserver: Webserver, times: int) -> list[Landed]:
        """Send each change when the last publisher's run has ended."""
        landed = []
        for number in range(times):
            self.bench.say(f"no publisher, {number + 1} of {times}")
            self._let_publishers_end(webserver)
            landed.append(self.send_and_wait(self.sender.change_any_schedule))
        return landed

    def quiet(self, times: int) -> list[Landed]:
        """Send each change after a time in which nothing happens, while a publisher stands ready."""
        landed = []
        for number in range(times):
            self.bench.say(f"quiet, {number + 1} of {times}")
            time.sleep(_QUIET_SECONDS)
            landed.append(self.send_and_wait(self.sender.change_any_schedule))
        return landed

    def isolated(self, times: int) -> list[Landed]:
        self.bench.say(f"{times} isolated changes")
        landed = []
        for _ in range(times):
            self._pause()
            landed.append(self.send_and_wait(self.sender.change_any_schedule))
        return landed

    def brands(self, pid: str, times: int) -> list[Landed]:
        """Send each change when all earlier versions are recorded."""
        self.bench.say(f"a brand, {times} times")
        landed = []
        for _ in range(times):
            self._rest()
            landed.append(self.send_and_wait(lambda: self.sender.retitle(pid)))
        return landed

    def steady(self, rate: int, seconds: int) -> tuple[list[Landed], dict[str, object]]:
        """Send at a fixed rate without waiting for the results; then wait until everything is published."""
        self._rest()
        self.bench.say(f"{rate} changes a second for {seconds} s")
        rows_before = self._feed.count
        with RecordAge(self._pipeline.store.feed) as age, ProcessorTime() as processor:
            sent, late_by, took = self._send_steadily(rate, seconds)
        unrecorded = self._pipeline.store.feed.unrecorded()
        landed = self._all_landed(sent)
        return landed, {
            "changes sent": len(sent),
            "changes sent a second": len(sent) / took,
            "latest sending, seconds late": late_by,
            "schedules that the changes touched": sum(len(one.keys) for one in sent),
            "versions published": self._feed.count - rows_before,
            "shown before their mark was worked off": sum(one.overtaken for one in landed),
            "versions not yet recorded when the last change was sent": unrecorded,
            _OLDEST_UNRECORDED: age.oldest,
            "processor time a change, ms": {
                part: round(seconds * 1000 / len(sent), 2) for part, seconds in processor.seconds.items()
            },
        }

    def _send_steadily(self, rate: int, seconds: int) -> tuple[list[Sent], float, float]:
        """Returns what was sent, by how many seconds at most too late, and the seconds that it took."""
        began, late_by, sent = time.monotonic(), [], []
        for number, send in enumerate(islice(self.sender.mixture(), rate * seconds)):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            late_by.append(time.monotonic() - due)
            sent.append(send())
        return sent, max(late_by), time.monotonic() - began

    def _all_landed(self, sent: list[Sent]) -> list[Landed]:
        _wait_until(self._is_quiet, "nothing is left to publish")
        self._feed.catch_up()
        landed = self._feed.find_all(sent)
        if len(landed) < len(sent):
            raise WrongResult(f"{len(sent) - len(landed)} of {len(sent)} changes were never published")
        return landed

    def _is_quiet(self) -> bool:
        """Asks the queues first, because a message is deleted after its schedules are marked."""
        upstreams = self._pipeline.upstreams
        depths = [queue.depth() for queue in (upstreams.schedule_queue, upstreams.catalogue_queue)]
        is_empty = not any(depth.waiting or depth.in_flight for depth in depths)
        return is_empty and self._pipeline.store.work.backlog().is_empty

    def _nobody_publishes(self, webserver: Webserver) -> bool:
        runs = webserver.query(_ACTIVE_RUNS, {})["runsOrError"]["results"]
        return not runs and not self._pipeline.store.presence.present()

    def _let_publishers_end(self, webserver: Webserver) -> None:
        """Also verifies that no run has started during the pause afterwards."""
        while True:
            _wait_until(lambda: self._nobody_publishes(webserver), "the publisher has ended")
            self._pause()
            if self._nobody_publishes(webserver):
                return

    def _rest(self) -> None:
        _wait_until(lambda: self._pipeline.store.feed.unrecorded() == 0, "everything is recorded")
        self._pause()

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*_PAUSE_SECONDS))


def _wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Raises WrongResult if the condition is still false after some minutes."""
    until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise WrongResult(f"waited {_GIVE_UP_AFTER_SECONDS:.0f} s until {what}, in vain")
        time.sleep(_LOOK_EVERY_SECONDS)
