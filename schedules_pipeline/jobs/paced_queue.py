"""A queue that a thread polls again and again, while another deletes what has been handled.

A request to SQS takes as long as marking what it brings. So the queue rests after messages, for more of them at once,
and handled messages are deleted together. A message to a queue that has rested is received at once, and nothing waits
for a deletion (docs/adr/0053).
"""

import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Self

import structlog

from schedules_pipeline.publishing.ports.upstream import MOST_RECEIVED, Message, MessageSource

_SHORTEST_REST_SECONDS, _LONGEST_REST_SECONDS = 0.01, 0.05
_BUILD_SECONDS = 0.001
"""A publisher takes about so long for a schedule."""

_GATHERED_SECONDS = 0.2
"""Handled messages are deleted after this time at the latest, long before they would be visible again."""

_LAST_DELETION_SECONDS = 0.5

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class PacedQueue:
    """Implements :class:`MessageSource`. Messages are deleted in the background while the ``with`` block lasts."""

    def __init__(self, queue: MessageSource, stop: threading.Event) -> None:
        """``stop``: once it is set, no poll begins."""
        self._queue = queue
        self._stop = stop
        self._rests_until = 0.0
        self._has_more = False
        self._handled: SimpleQueue[Sequence[Message] | None] = SimpleQueue()
        self._is_over = threading.Event()
        self._deletes = threading.Thread(target=self._delete_handled, name="deleting", daemon=True)

    def __enter__(self) -> Self:
        self._deletes.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._handled.put(None)
        self._deletes.join(_LAST_DELETION_SECONDS)

    def receive(self, wait_seconds: int) -> list[Message]:
        if self._stop.wait(max(0.0, self._rests_until - time.monotonic())):
            return []
        messages = self._queue.receive(wait_seconds)
        self._has_more = len(messages) == MOST_RECEIVED
        return messages

    def rest(self, pending: int) -> None:
        """Before the next poll, for as long as a publisher needs for the schedules that wait for it: a message that was
        received sooner would wait there. Not if the last poll brought as many messages as SQS gives.
        """
        seconds = min(_LONGEST_REST_SECONDS, max(_SHORTEST_REST_SECONDS, pending * _BUILD_SECONDS))
        self._rests_until = 0.0 if self._has_more else time.monotonic() + seconds

    def delete(self, messages: Sequence[Message]) -> None:
        """Soon. A message that is not deleted, because the process dies or SQS fails, comes again: harmless."""
        self._handled.put(messages)

    def _delete_handled(self) -> None:
        is_over = False
        while not is_over:
            batches = [self._handled.get()]
            self._is_over.wait(_GATHERED_SECONDS)
            while not self._handled.empty():
                batches.append(self._handled.get())
            is_over = None in batches
            self._delete_now([message for batch in batches if batch for message in batch])

    def _delete_now(self, messages: Sequence[Message]) -> None:
        if messages:
            try:
                self._queue.delete(messages)
            except Exception as error:  # noqa: BLE001 - they come again, and receiving goes on
                _log.warning("messages are not deleted", count=len(messages), error=repr(error))
