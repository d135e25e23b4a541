"""HTTP as uvicorn speaks it, with an end to what comes before a request's body.

Its parser keeps the address and the fields of a request for as long as they go on, and asks for no key until they end;
so anybody could fill the memory.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 65_536
"""Of the address and all fields together, or of what stands behind a body in pieces; what the last read from the
network brought with it comes on top.
"""


class BoundedHeads(HttpToolsProtocol):
    """Ends a connection on which more comes than that before anything of a body, or the end of a request."""

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
