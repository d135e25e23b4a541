"""Processes of the pipeline on a Redis that fails over: a publisher, delivery services, and an upstream in memory.

Each process is a thread with its own connections to one address, which may lead to another server later.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event, Thread
from zoneinfo import ZoneInfo

import orjson
from fakes import FakeClock, fake_upstreams
from faults.stack import wait_until
from forwarder import Forwarder
from from_scratch import Contents, coldstart, contents
from replicas import Node

from demo.sample import make_sample
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import redis_store, utc_now
from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.running import background_threads
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.continuity import Repair
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.settings import Settings
from schedules_pipeline.store.link import RedisLink, connect

_KEYSPACE = "failover"
_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_PAUSE_SECONDS = 0.2


class Failover:
    """``url``: the address that every process uses. ``days``: of the invented broadcaster, 44 services each."""

    def __init__(self, stack: ExitStack, url: str, days: int = 1, replicas_to_wait_for: int = 0) -> None:
        self._stack = stack
        self._url = url
        self._replicas_to_wait_for = replicas_to_wait_for
        self._publisher: ExitStack | None = None
        self.upstreams = fake_upstreams(FakeClock(), Random(0))
        sample = make_sample(datetime.now(UTC).date(), days=days, clock_change_days=False)
        self._documents = {ScheduleKey(Sid(sid), on): d for (sid, on), d in sample.schedules.items()}
        self.keys = list(self._documents)
        for key, document in self._documents.items():
            self.upstreams.schedule_source.put(key, orjson.dumps(document))
        for pid, item in sample.catalogue.items():
            self.upstreams.catalogue_source.documents[Pid(pid)] = orjson.dumps(item)
        self.pipeline = self._process()
        self.pipeline.store.server.facts()
        self.pipeline.coldstarter.work_at("opening", "the test", 0, lambda _: None)

    def _link(self) -> RedisLink:
        client = connect(self._url, timeout_seconds=3)
        return RedisLink(client, replicas_to_wait_for=self._replicas_to_wait_for)

    def _process(self) -> Pipeline:
        store = redis_store(self._link(), _KEYSPACE)
        return Pipeline(store, self.upstreams.as_upstreams(), _CALENDAR, utc_now)

    def start_publisher(self) -> None:
        """One thread publishes, another observes and repairs, as in the run of ``publish_affected``."""
        pipeline = self._process()

        def publish() -> None:
            if pipeline.publisher.publish_next() is None:
                pipeline.store.work.wait(_PAUSE_SECONDS)

        def repair() -> None:
            pipeline.observer.observe()
            pipeline.repairer.repair_if_needed("the publisher", lambda _: None)
            time.sleep(_PAUSE_SECONDS)

        self._publisher = self._stack.enter_context(ExitStack())
        for action in (publish, repair):
            self._publisher.enter_context(_repeating(action))

    def stop_publisher(self) -> None:
        if self._publisher is not None:
            self._publisher.close()

    def start_delivery(self) -> Delivery:
        """A delivery service that follows the feed; it is returned when it has read the store."""
        delivery = build_delivery(redis_store(self._link(), _KEYSPACE), Settings(), utc_now)
        self._stack.enter_context(background_threads(delivery, delivery.apply))
        wait_until(lambda: delivery.mirror.confirmed_at is not None, "the delivery service reads nothing")
        return delivery

    def put(self, key: ScheduleKey) -> None:
        """The upstream drops the last broadcast of the schedule; its message is handled and deleted."""
        document = self._documents[key]
        changed = {**document, "broadcasts": document["broadcasts"][:-1]}
        self._documents[key] = changed
        self.upstreams.schedule_source.put(key, orjson.dumps(changed))
        self.pipeline.store.schedules.count_source_change([key])
        self.mark(key)

    def mark(self, key: ScheduleKey) -> None:
        cause = Cause("a put", Origin.SCHEDULE, str(key), utc_now())
        self.pipeline.store.work.mark([Mark(key, utc_now() - timedelta(days=1), cause)])

    def expected(self) -> Contents:
        return coldstart(self.upstreams, self.keys)

    def is_right(self, expected: Contents, *deliveries: Delivery) -> bool:
        """Whether nothing is pending, and the store and every delivery service have the expected contents."""
        with suppress(ServiceError):
            store = self.pipeline.store
            return (
                store.continuity.pending_repair() is None
                and store.work.backlog().is_empty
                and contents(store, self.keys) == expected
                and all(_contents_of(delivery, self.keys) == expected for delivery in deliveries)
            )
        return False

    def has_gone_back(self) -> bool:
        repair = self.noticed()
        return repair is not None and repair.went_back

    def histories(self) -> str:
        """The histories of servers under which the keyspace has been compared; "" while nothing answers."""
        with suppress(ServiceError):
            return self.pipeline.store.continuity.read(()).histories
        return ""

    def noticed(self) -> Repair | None:
        """The repair that a witness has asked for, done or not."""
        with suppress(ServiceError):
            # No witness, and still its connections follow the address, as those of the watch do.
            self.pipeline.store.server.facts()
            continuity = self.pipeline.store.continuity
            return continuity.pending_repair() or continuity.latest_repair()
        return None


def _contents_of(delivery: Delivery, keys: list[ScheduleKey]) -> Contents:
    found = {key: delivery.mirror.held(key) for key in keys}
    documents = {key: held.document() for key, held in found.items() if held is not None}
    return {key: split_document(document)[1] for key, document in documents.items() if document}


@contextmanager
def _repeating(action: Callable[[], None]) -> Iterator[None]:
    stop = Event()

    def run() -> None:
        while not stop.is_set():
            try:
                action()
            except ServiceError:
                stop.wait(_PAUSE_SECONDS)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def fail_over(primary: Node, replica: Node, forwarder: Forwarder) -> float:
    """Kill the primary and promote its replica. Returns the time at which it answers."""
    os.kill(primary.server.pid, signal.SIGKILL)
    replica.promote()
    forwarder.point_at(replica.server.port)
    return time.monotonic()
