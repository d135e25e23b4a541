"""A publisher that is told to end, while ten changes a second arrive: seconds until another one is present, and until
its process is gone.

In turns by *Terminate*, as Dagster's button does, and by SIGTERM, as a container service does. Everything is real: the
daemon, the code server that forks the runs, Redis, the queues. The next publisher is told to end once it records.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from benchmarks.engine import make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult
from benchmarks.plain_upstream import plain_upstream
from benchmarks.senders import Sender
from benchmarks.stack import DagsterStack, Services, running_services
from benchmarks.world import whole_sample
from demo.dagster_services import Webserver
from demo.sample import Sample
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.publishing.ports.presence import PublisherPresence
from schedules_pipeline.store.keys import Keys

_FOLLOWED_GOAL_SECONDS, _GONE_GOAL_SECONDS = 2.0, 5.0
_CHANGE_EVERY_SECONDS = 0.1
_LOOK_EVERY_SECONDS = 0.01
_GIVE_UP_AFTER_SECONDS = 120.0
_SETTLE_SECONDS = 2.0

_PROCESS = """
query($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent { message } } } }
}
"""
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


@dataclass(frozen=True, slots=True)
class Handover:
    """Seconds since a publisher was told to end: it is no longer present, another one is, its process has ended."""

    left: float
    followed: float
    gone: float


def watch_handover(presence: PublisherPresence, ended: str, pid: int) -> Handover:
    """Watch from now on. Raises :class:`WrongResult` if something does not happen within two minutes."""
    events: dict[str, Callable[[], bool]] = {
        "left": lambda: ended not in presence.present().running,
        "followed": lambda: bool(set(presence.present().running) - {ended}),
        "gone": lambda: not _is_alive(pid),
    }
    times: dict[str, float] = {}
    began = time.monotonic()
    while events.keys() - times.keys():
        if time.monotonic() - began > _GIVE_UP_AFTER_SECONDS:
            raise WrongResult(f"a publisher was told to end, and never: {events.keys() - times.keys()}")
        for name in events.keys() - times.keys():
            if events[name]():
                times[name] = round(time.monotonic() - began, 3)
        time.sleep(_LOOK_EVERY_SECONDS)
    return Handover(**times)


def _is_alive(pid: int) -> bool:
    """A process that has ended stays in the table until its parent, the code server, has reaped it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def run(bench: Bench) -> Result:
    services_count, days, times = (4, 2, 2) if bench.quick else (20, 7, 8)
    sample = whole_sample(utc_now().date() - timedelta(days=2), days, services_count)
    with running_services(bench) as services:
        pipeline = _publish(services, sample)
        with DagsterStack(bench.directory / "dagster", services.environment, bench.storage) as stack:
            stack.start_daemon()
            with _changing(Sender(plain_upstream(services), sample, Random(1))):
                found = [_hand_over(bench, pipeline, stack.webserver, number) for number in range(times)]
    left, followed, gone = zip(*map(astuple, found), strict=True)
    figures = [
        Figure("told to end, no longer present", "s", left),
        Figure("told to end, another publisher is present", "s", followed, _FOLLOWED_GOAL_SECONDS),
        Figure("told to end, its process is gone", "s", gone, _GONE_GOAL_SECONDS),
    ]
    return Result({"schedules": len(sample.schedules), "changes a second": 10}, figures)


def _publish(services: Services, sample: Sample) -> Pipeline:
    services.upstream.load(sample)
    pipeline = make_engine(services.redis_url, None)
    rebuild_everything(pipeline, list(pipeline.upstreams.schedule_source.list_keys()))
    # Otherwise the sensors would find the keyspace new, and begin a coldstart.
    services.redis.hset(Keys("schedules").coldstart("epoch"), "id", "benchmark")
    services.announce_schedules()
    return pipeline


@contextmanager
def _changing(sender: Sender) -> Iterator[None]:
    """Changes at a steady rate in a thread."""
    is_over = threading.Event()

    def change() -> None:
        for send in sender.mixture():
            send()
            if is_over.wait(_CHANGE_EVERY_SECONDS):
                return

    thread = threading.Thread(target=change, name="changes")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _hand_over(bench: Bench, pipeline: Pipeline, webserver: Webserver, number: int) -> Handover:
    presence = pipeline.store.presence
    ended = _wait_for(lambda: presence.present().recorder, "no publisher is present")
    pid = int(_wait_for(lambda: _pid_of(webserver, ended), "the publisher's process is unknown"))
    time.sleep(_SETTLE_SECONDS)
    if number % 2:
        os.kill(pid, signal.SIGTERM)
    else:
        webserver.query(_TERMINATE, {"id": ended})
    found = watch_handover(presence, ended, pid)
    bench.say(f"{'SIGTERM' if number % 2 else 'Terminate'}: {found}")
    return found


def _pid_of(webserver: Webserver, run_id: str) -> str:
    """Of the process of a run, as Dagster records it; "" before it has started."""
    events = webserver.query(_PROCESS, {"id": run_id})["logsForRun"]["events"]
    messages = " ".join(event.get("message", "") for event in events)
    found = re.findall(r"Executing steps in process \(pid: (\d+)\)", messages)
    return found[-1] if found else ""


def _wait_for(find: Callable[[], str], otherwise: str) -> str:
    until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
    while not (found := find()):
        if time.monotonic() > until:
            raise WrongResult(otherwise)
        time.sleep(_LOOK_EVERY_SECONDS)
    return found
