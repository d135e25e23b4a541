"""Uvicorn's HTTP protocol with a bound on the head of a request.

Uvicorn's parser buffers a request's address and header fields without a bound, before any key is checked; a client
without a key could fill the memory.
"""

from schedules_pipeline.delivery.routes.answering_protocol import AnsweringProtocol

MOST_HEAD_BYTES = 65_536
"""Of the address and all header fields together, or of the trailers of a chunked body. The last read from the
network may exceed it.
"""


class BoundedHeads(AnsweringProtocol):
    """Closes a connection that sends more than :data:`MOST_HEAD_BYTES` before a body or the end of a request."""

    _unfinished_bytes = 0

    def data_received(self, data: bytes) -> None:
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if self._unfinished_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_headers_complete(self) -> None:
        self._unfinished_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished_bytes = 0
        super().on_message_complete()
