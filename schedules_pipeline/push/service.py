"""``python -m schedules_pipeline.push``: pushes every subscription until it is stopped.

One thread looks which subscriptions there is something for, and waits for the feed; a pool of others has a turn at one
each. So a receiver that hangs holds up nobody else, as long as fewer hang than there are threads. Any number of these
processes may run. No web framework is used here.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from schedules_pipeline.connections import build_pusher, build_store
from schedules_pipeline.delivery.cursors import render_cursor
from schedules_pipeline.delivery.file_formats import file_formats_from
from schedules_pipeline.delivery.mirror import Extent
from schedules_pipeline.delivery.service_names import ServiceNames
from schedules_pipeline.errors import ConfigurationError, PipelineError
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.push.push import FeedExtent, Pusher, PushOutcome, PushReport
from schedules_pipeline.push.subscription import SubscriptionKind
from schedules_pipeline.settings import Settings, load_settings

_LOOK_EVERY_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.5
_SHORTEST_PAUSE_SECONDS = 0.05
_LEFT_ALONE_FOR = timedelta(seconds=5)
"""One that is held, or that another process is at."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class PushService:
    """Gives turns to subscriptions, each to one thread at a time."""

    def __init__(self, pusher: Pusher, store: PushStore, threads: int, heartbeat: Path | None = None) -> None:
        """``heartbeat``: a file that is touched before every look, whether the store answers or not."""
        self._heartbeat = heartbeat
        self._pusher = pusher
        self._store = store
        self._pool = ThreadPoolExecutor(threads, "push")
        self._stopping = threading.Event()
        self._under_way: dict[str, Future[PushReport]] = {}
        self._left_alone: dict[str, datetime] = {}

    def stop(self) -> None:
        """From a signal handler as well. Turns end with the request that they are at."""
        self._stopping.set()

    def run(self) -> None:
        """Until it is stopped. Our store may be away meanwhile; then nothing is pushed."""
        try:
            while not self._stopping.is_set():
                if self._heartbeat is not None:
                    self._heartbeat.touch()
                try:
                    extent = self.look()
                    self._wait(extent.last)
                except PipelineError as error:
                    _log.warning("nothing is pushed", error=str(error))
                    self._stopping.wait(_LOOK_EVERY_SECONDS)
        finally:
            self._stopping.set()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def look(self) -> FeedExtent:
        """Begin a turn of every subscription that there is something for, note those that have ended, and leave a
        pulse.
        """
        self._collect()
        feed, epoch = self._store.feed, self._store.coldstarts.epoch()
        extent = FeedExtent(feed.last_position(), feed.complete_after(), epoch.id if epoch else "")
        for standing in self._store.subscriptions.all():
            name = standing.subscription.name
            if self._is_free(name) and self._pusher.has_something_for(standing, extent):
                self._under_way[name] = self._pool.submit(self._pusher.push, name, self._stopping.is_set)
        self._store.heartbeats.beat(DeliveryProcess.PUSHER, self._pusher.clock())
        return extent

    def _is_free(self, name: str) -> bool:
        if name in self._under_way:
            return False
        return self._left_alone.get(name, self._pusher.clock()) <= self._pusher.clock()

    def _wait(self, position: str) -> None:
        """For the next change; not for long where something is under way that may leave something to do."""
        self._stopping.wait(_SHORTEST_PAUSE_SECONDS)
        seconds = _LOOK_AGAIN_SECONDS if self._under_way else _LOOK_EVERY_SECONDS
        if not self._stopping.is_set():
            self._store.feed.wait_after(position, 1, seconds)

    def _collect(self) -> None:
        ended = [name for name, future in self._under_way.items() if future.done()]
        for name in ended:
            future = self._under_way.pop(name)
            error = future.exception()
            if error is not None:
                _report_error(name, error)
                self._leave_alone(name)
            else:
                self._note(future.result())

    def _note(self, report: PushReport) -> None:
        if report.outcome in (PushOutcome.HELD, PushOutcome.BUSY):
            self._leave_alone(report.name)
        _report(report)

    def _leave_alone(self, name: str) -> None:
        self._left_alone[name] = self._pusher.clock() + _LEFT_ALONE_FOR


def _report(report: PushReport) -> None:
    fields = {"subscription": report.name, "delivered": report.delivered}
    match report.outcome:
        case PushOutcome.SET_ASIDE:
            _log.error("subscription set aside", problem=report.problem, **fields)
        case PushOutcome.FAILED:
            _log.warning("not taken", problem=report.problem, **fields)
        case PushOutcome.OVERTAKEN:
            _log.info("overtaken", **fields)
        case _ if report.delivered:
            _log.info("delivered", **fields)


def _report_error(name: str, error: BaseException) -> None:
    """What nobody foresaw is told with its traceback."""
    is_foreseen = isinstance(error, PipelineError)
    _log.warning("turn failed", subscription=name, error=str(error), exc_info=None if is_foreseen else error)


def cursor_of(epoch: str, position: str) -> str:
    """The cursor that the feed's own pages give for this place."""
    return render_cursor(Extent(epoch, position))


def reject_what_cannot_be_pushed(settings: Settings, store: PushStore) -> None:
    """Raise :class:`ConfigurationError` where there are subscriptions of a kind that a setting is missing for."""
    kinds = {standing.subscription.kind for standing in store.subscriptions.all()}
    if SubscriptionKind.WEBHOOK in kinds and settings.webhook_master_secret is None:
        raise ConfigurationError("webhooks cannot be signed: set SCHEDULES_WEBHOOK_MASTER_SECRET")
    if SubscriptionKind.FILES in kinds and settings.files_bucket is None:
        raise ConfigurationError("files cannot be written: set SCHEDULES_FILES_BUCKET")


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: stop()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    store = build_store(settings)
    reject_what_cannot_be_pushed(settings, store)
    heartbeat = None if settings.push_heartbeat_file is None else Path(settings.push_heartbeat_file)
    formats = file_formats_from(settings, ServiceNames(dict(settings.service_names)))
    pusher = build_pusher(settings, store, cursor_of, formats)
    service = PushService(pusher, store, settings.push_threads, heartbeat)
    with _stopped_by_signals(service.stop):
        _log.info("pushing", threads=settings.push_threads)
        service.run()
    _log.info("stopped")
