"""From message sent to document published, through the running sensors, on the whole system.

Four situations: an isolated change of one schedule; the first change when no publisher runs, so that a run has
to be started; a brand that 300 schedules show; and twenty changes a second for two minutes, schedules and
episodes in turn. "Sent" is the moment before the client puts the document (and, of a catalogue item, sends its
notification); "notified" is when the queue got the message. "Published" is when the row stands in the change
feed, by the clock of Redis, which is after partners can read the document. A change that touches several
schedules counts when the last of them is published.

How changes are made is in ``senders``, how they are found again in ``landing``.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from benchmarks.engine import make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult
from benchmarks.landing import FeedReader, Landed, Sent
from benchmarks.senders import Sender
from benchmarks.stack import DagsterStack, Services, running_services
from benchmarks.world import plant_brand, schedule_key, whole_sample
from schedules_pipeline.composition import Pipeline, utc_now
from schedules_pipeline.local.dagster_services import Webserver
from schedules_pipeline.local.sample import Document, Sample

_LOOK_EVERY_SECONDS = 0.01
_GIVE_UP_AFTER_SECONDS = 120.0
_PAUSE_SECONDS = (2.0, 5.0)
"""Between isolated changes: anything, so that they keep no step with the sensors' ticks."""

_CHANGES_A_SECOND = 20


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    brand_schedules: int
    cold: int
    isolated: int
    brands: int
    steady_seconds: int


_FULL = _Size(44, 14, brand_schedules=300, cold=5, isolated=40, brands=8, steady_seconds=120)
_QUICK = _Size(6, 3, brand_schedules=10, cold=1, isolated=3, brands=2, steady_seconds=5)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    first = utc_now().date() - timedelta(days=2)
    sample, brand, shown_on = _sample(size, whole_sample(first, size.days, size.services))
    with running_services(bench, first) as services:
        pipeline = _coldstart(bench, services, sample)
        trial = _Trial(bench, pipeline, Sender(services.upstream, sample, Random(1)))
        with _sensors(bench, services, "cold", {"SCHEDULES_PUBLISHER_LINGER_SECONDS": "1"}) as webserver:
            cold = trial.cold(webserver, size.cold)
        with _sensors(bench, services, "warm", {}):
            isolated = trial.isolated(size.isolated)
            brands = trial.brands(brand, shown_on, size.brands)
            steady, facts = trial.steady(size.steady_seconds)
    figures = [
        *_figures("isolated schedule change", isolated),
        *_figures("first change, no publisher running", cold),
        Figure(f"brand on {len(shown_on)} schedules, each", "s", [s for landed in brands for s in landed.each]),
        *_figures(f"brand on {len(shown_on)} schedules, the last", brands),
        *_figures(f"{_CHANGES_A_SECOND} changes a second", steady),
    ]
    return Result({"schedules": len(sample.schedules), **facts}, figures)


def _figures(name: str, landed: list[Landed]) -> list[Figure]:
    return [
        Figure(f"{name}, sent to published", "s", [one.since_sent for one in landed]),
        Figure(f"{name}, notified to published", "s", [one.since_notified for one in landed]),
    ]


def _sample(size: _Size, sample: Sample) -> tuple[Sample, Document, list[tuple[str, object]]]:
    raise NotImplementedError
