"""Uvicorn's HTTP protocol with bounds on waiting for a client: for the head of a request, its body, and the reader of
an answer.

Uvicorn waits without a bound for all three. A client that sends or reads a byte a second would hold memory and its
partner's slots for ever.
"""

import asyncio
import socket

from schedules_pipeline.delivery.routes.bounded_heads import BoundedHeads

_SEND_BUFFER_BYTES = 262_144
"""Of the kernel, for one connection. The kernel grows it to megabytes by default, and takes more from this process only
once a third of it is read, so a slow reader would look like one that has stopped.
"""

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedWaits(BoundedHeads):
    """Ends a connection if a whole head takes longer than ``head_seconds``, counted from the connection or its first
    byte; if a body takes longer than ``body_seconds`` after the head; or if the client reads less than
    ``least_bytes_read`` of an answer that waits in this process within ``read_seconds``.
    """

    head_seconds = 10.0
    body_seconds = 20.0
    read_seconds = 60.0
    least_bytes_read = 16_384

    is_between_requests = False
    _has_head = False
    _arrival: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._arrival = self.loop.call_later(self.head_seconds, self._end_arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_arrival()
        self._stop_reading()
        super().connection_lost(exc)

    # The request.

    def data_received(self, data: bytes) -> None:
        self.is_between_requests = False
        super().data_received(data)
        # A request that arrives at once, as almost all do, starts no timer.
        if not self.is_between_requests and self._arrival is None:
            seconds = self.body_seconds if self._has_head else self.head_seconds
            self._arrival = self.loop.call_later(seconds, self._end_arrival)

    def on_message_begin(self) -> None:
        self.is_between_requests = self._has_head = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_head = True
        if self._arrival is not None:
            self._stop_arrival()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.is_between_requests, self._has_head = True, False
        if self._arrival is not None:
            self._stop_arrival()
        super().on_message_complete()

    def _end_arrival(self) -> None:
        if self.flow.read_paused:
            # The application has not read what has arrived; the client is not to blame.
            self._arrival = self.loop.call_later(self.body_seconds, self._end_arrival)
            return
        self._arrival = None
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_TIMED_OUT)
        self.transport.close()

    def _stop_arrival(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    # The answer.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._watch_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Aborts where an answer is still unread, because closing would wait until it is read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _watch_reader(self) -> None:
        if self._reading is None:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self._reading = self.loop.call_later(self.read_seconds, self._check_reader)

    def _check_reader(self) -> None:
        self._reading = None
        unread = self.transport.get_write_buffer_size()
        if unread > self._unread_bytes - self.least_bytes_read:
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
