"""A queue that the threads of a publisher share: one of them waits for messages, and all leave deletions to another.

Requests to SQS take longer than marking what they bring, so a busy queue is polled less often, for more messages at
once, and handled messages are deleted together. Publishing waits for no deletion.
"""

import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Self

import structlog

from schedules_pipeline.publishing.ports.upstream import MOST_RECEIVED, Message, MessageSource

_BUSY_SECONDS = 0.08
"""A queue is busy if messages came after less time than this. Twenty changes a second on two queues are none."""

_PAUSE_SECONDS = 0.04
"""Between two polls of a busy queue. Half of it would triple the median of a change (docs/adr/0051)."""

_GATHERED_SECONDS = 0.2
"""Handled messages are deleted after this time at the latest, long before they would be visible again."""

_LAST_DELETION_SECONDS = 0.5

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class SharedQueue:
    """Implements :class:`MessageSource`. Messages are deleted in the background while the ``with`` block lasts."""

    def __init__(self, queue: MessageSource, stop: threading.Event) -> None:
        """``stop``: once it is set, no poll begins."""
        self._queue = queue
        self._stop = stop
        self._turn = threading.Lock()
        self._delivered_at = self._poll_at = 0.0
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
        """Waits while another thread polls. A message that comes to an idle queue is received at once."""
        with self._turn:
            if self._stop.wait(max(0.0, self._poll_at - time.monotonic())):
                return []
            messages = self._queue.receive(wait_seconds)
            if messages:
                now = time.monotonic()
                is_busy = now < self._delivered_at + _BUSY_SECONDS and len(messages) < MOST_RECEIVED
                self._delivered_at, self._poll_at = now, now + _PAUSE_SECONDS * is_busy
            return messages

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
