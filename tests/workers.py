"""Workers on one real store, each with its own connections: publishers and intakes as threads of the test.

Belongs here: a pipeline over any server, threads that work until they are stopped, and assertions on the store
afterwards. Does not belong here: the changes and faults during the test.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from threading import Condition, Event, Thread
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

import orjson
from fakes import FakeUpstreams

from demo.sample import Sample, make_sample
from schedules_pipeline.composition import Pipeline, Upstreams
from schedules_pipeline.connections import redis_store, utc_now
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource

T = TypeVar("T")

_PATIENCE_SECONDS = 120.0
CATALOGUE_PREFIX = "catalogue:"


@dataclass(frozen=True, slots=True)
class Server:
    """A Redis server, or a node of a cluster, as in the settings."""

    url: str
    is_cluster: bool

    def link(self) -> RedisLink:
        """A link with its own connections."""
        return RedisLink(connect(self.url, cluster=self.is_cluster))


def pipeline_on(
    server: Server, keyspace: str, source: FakeUpstreams, clock: Callable[[], datetime] = utc_now
) -> Pipeline:
    """A pipeline as one process has it, with the catalogue on the same server."""
    link = server.link()
    upstreams = Upstreams(
        schedule_source=source.schedule_source,
        catalogue_source=RedisCatalogueSource(link, CATALOGUE_PREFIX),
        schedule_queue=source.schedule_queue,
        catalogue_queue=source.catalogue_queue,
        legacy=source.legacy,
        schedule_dead_letters=source.schedule_dead_letters,
        catalogue_dead_letters=source.catalogue_dead_letters,
    )
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    return Pipeline(redis_store(link, keyspace), upstreams, calendar, clock)


def load_sample(server: Server, source: FakeUpstreams) -> tuple[Sample, list[ScheduleKey]]:
    """One day of the invented broadcaster, its schedules in the source and its catalogue on the server."""
    sample = make_sample(date(2026, 6, 1), days=1, clock_change_days=False)
    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]
    for key, document in zip(keys, sample.schedules.values(), strict=True):
        source.schedule_source.put(key, orjson.dumps(document))
    server.link().run([write_item(document) for document in sample.catalogue.values()])
    return sample, keys


def write_item(document: Mapping[str, object]) -> tuple[str, str, bytes]:
    """The command of the catalogue pipeline that writes a document."""
    return ("SET", f"{CATALOGUE_PREFIX}{document['pid']}", orjson.dumps(document))


def build_everything(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    cause = Cause("opening", Origin.COLDSTART, "all", datetime.now(UTC))
    pipeline.publisher.rebuild_from_sources(keys, cause)


class Workers:
    """Threads that work until the block ends, which raises the error of a dead thread. A worker survives a
    :class:`ServiceError`; any other error is a defect.
    """

    def __init__(self) -> None:
        self.setbacks: list[ServiceError] = []
        self._is_over = Event()
        self._moved = Condition()
        self._moves = 0
        self._errors: list[Exception] = []
        self._threads: list[Thread] = []

    def publisher(self, pipeline: Pipeline, limit: int = 5) -> None:
        """Publish until the block ends and nothing is pending."""
        self._add(lambda: self._publish(pipeline, limit))

    def intake(self, messages: Iterable[Message], handle: Callable[[Sequence[Message]], object]) -> None:
        """Handle each message until the block ends, as often as a queue would deliver it."""
        self._add(lambda: self._take_in(messages, handle))

    def wait_for_moves(self, count: int) -> None:
        """Return after so many more batches, messages and setbacks, or when a worker has died."""
        with self._moved:
            wanted = self._moves + count
            came = self._moved.wait_for(lambda: self._moves >= wanted or self._errors, _PATIENCE_SECONDS)
        assert came, "the workers stand still"

    def insist(self, call: Callable[[], T]) -> T:
        """Repeat the call until no service fails."""
        while True:
            try:
                return call()
            except ServiceError as error:
                self.setbacks.append(error)
            finally:
                self._move()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)
        if self._errors:
            raise self._errors[0]
        assert not any(thread.is_alive() for thread in self._threads), "a worker did not come to an end"

    def _add(self, work: Callable[[], None]) -> None:
        self._threads.append(Thread(target=self._watched, args=(work,), daemon=True))

    def _watched(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            self._errors.append(error)
            self._move()

    def _move(self) -> None:
        with self._moved:
            self._moves += 1
            self._moved.notify_all()

    def _publish(self, pipeline: Pipeline, limit: int) -> None:
        def go_on() -> bool:
            if pipeline.publisher.publish_next(limit) is not None:
                return True
            pipeline.store.work.wait(0.05)
            return not pipeline.store.work.backlog().is_empty

        while self.insist(go_on) or not self._is_over.is_set():
            continue

    def _take_in(self, messages: Iterable[Message], handle: Callable[[Sequence[Message]], object]) -> None:
        for message in messages:
            self.insist(lambda: handle([message]))  # noqa: B023 - called at once
            if self._is_over.is_set():
                return


def contents(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
    """The published content of each schedule, without the envelope."""
    documents = pipeline.store.schedules.documents(keys)
    return {key: split_document(document)[1] for key, document in documents.items()}


def assert_announced_once(pipeline: Pipeline) -> None:
    """The rows of each schedule are numbered without a gap or a repetition, and end with the published version."""
    last: dict[ScheduleKey, int] = {}
    for entry in pipeline.store.feed.read_after("0", 100_000):
        assert entry.change.seq == last.get(entry.change.key, 0) + 1
        last[entry.change.key] = entry.change.seq
    assert last == {key: change.seq for key, change in pipeline.store.feed.heads().items()}
    assert last == {key: state.seq for key, state in pipeline.store.schedules.read(list(last)).items()}
    assert max(last.values()) > 1


def schedule_message(number: int, key: ScheduleKey) -> Message:
    """The notification of a put, as the bucket's topic sends it."""
    record = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": f"schedules/{key}.json"}}}
    return _message(number, {"TopicArn": "schedule-events", "Message": _text({"Records": [record]})})


def catalogue_message(number: int, document: Mapping[str, object]) -> Message:
    """The notification of an update, as the catalogue pipeline sends it."""
    said = {"action": "UPDATE", "type": document["type"], "pid": document["pid"]}
    return _message(number, {"TopicArn": "catalogue-events", "Message": _text(said)})


def _message(number: int, body: Mapping[str, object]) -> Message:
    return Message(f"message {number}", _text(body), datetime.now(UTC), "", 1)


def _text(fields: Mapping[str, object]) -> str:
    return orjson.dumps(fields).decode()
