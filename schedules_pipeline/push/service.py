"""The loop of the push process. A pool of threads gives turns to the subscriptions that have pending changes.

The loop checks all subscriptions and then waits for the feed. Each turn has one thread, so a receiver that hangs delays
no other as long as fewer hang than there are threads. Any number of these processes may run.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from schedules_pipeline.errors import PipelineError
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.push.push import FeedExtent, Pusher, PushOutcome, PushReport

_CHECK_EVERY_SECONDS = 2.0
_CHECK_DURING_TURNS_SECONDS = 0.5
_SHORTEST_PAUSE_SECONDS = 0.05
_SKIPPED_FOR = timedelta(seconds=5)
"""After a turn that could not deliver: the old system serves the partner, or another process has the lease."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class PushService:
    """Gives turns to subscriptions, to each at most one at a time."""

    def __init__(self, pusher: Pusher, threads: int, heartbeat: Path | None = None) -> None:
        """``heartbeat``: a file that is touched before every check, even if the store does not answer."""
        self._pusher = pusher
        self._store = pusher.store
        self._observer = ContinuityObserver(pusher.store.continuity, "the pusher", pusher.clock)
        self._heartbeat = heartbeat
        self._pool = ThreadPoolExecutor(threads, "push")
        self._stopping = threading.Event()
        self._turns: dict[str, Future[PushReport]] = {}
        self._skipped_until: dict[str, datetime] = {}

    def stop(self) -> None:
        """Safe in a signal handler. Running turns end with their current request."""
        self._stopping.set()

    def run(self) -> None:
        """Run until :meth:`stop` is called. While the store does not answer, nothing is pushed."""
        try:
            while not self._stopping.is_set():
                if self._heartbeat is not None:
                    self._heartbeat.touch()
                try:
                    self._wait(self.check().last)
                except PipelineError as error:
                    _log.warning("nothing is pushed", error=str(error))
                    self._stopping.wait(_CHECK_EVERY_SECONDS)
        finally:
            self._stopping.set()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def check(self) -> FeedExtent:
        """Begin a turn for every subscription that has work, log the turns that have ended, and write a heartbeat."""
        self._collect()
        feed, epoch = self._store.feed, self._observer.observe()
        extent = FeedExtent(feed.last_position(), feed.complete_after(), epoch.id if epoch else "")
        for standing in self._store.subscriptions.all():
            name = standing.subscription.name
            if self._is_free(name) and self._pusher.has_work(standing, extent):
                self._turns[name] = self._pool.submit(self._pusher.push, name, self._stopping.is_set)
        self._store.heartbeats.record(DeliveryProcess.PUSHER, self._pusher.clock())
        return extent

    def _is_free(self, name: str) -> bool:
        now = self._pusher.clock()
        return name not in self._turns and self._skipped_until.get(name, now) <= now

    def _wait(self, position: str) -> None:
        """Wait for the next change. The wait is short while turns are running, since they may leave work."""
        self._stopping.wait(_SHORTEST_PAUSE_SECONDS)
        seconds = _CHECK_DURING_TURNS_SECONDS if self._turns else _CHECK_EVERY_SECONDS
        if not self._stopping.is_set():
            self._store.feed.wait_after(position, 1, seconds)

    def _collect(self) -> None:
        for name in [name for name, turn in self._turns.items() if turn.done()]:
            turn = self._turns.pop(name)
            error = turn.exception()
            outcome = None if error else turn.result().outcome
            if outcome in (None, PushOutcome.NOT_SERVED, PushOutcome.SKIPPED):
                self._skipped_until[name] = self._pusher.clock() + _SKIPPED_FOR
            if error is None:
                _report(turn.result())
            else:
                traceback = None if isinstance(error, PipelineError) else error
                _log.warning("turn failed", subscription=name, error=str(error), exc_info=traceback)


def _report(report: PushReport) -> None:
    fields = {"subscription": report.name, "delivered": report.delivered}
    match report.outcome:
        case PushOutcome.QUARANTINED:
            _log.error("subscription quarantined", problem=report.problem, **fields)
        case PushOutcome.FAILED:
            _log.warning("delivery failed", problem=report.problem, **fields)
        case PushOutcome.LEASE_LOST:
            _log.info("lease lost", **fields)
        case _ if report.delivered:
            _log.info("delivered", **fields)
