"""The server's protocol, which recognises a request by its bytes, and then need not parse it.

Clients that poll send the same bytes over and over. The same bytes are the same request; who asks, what the partner is
allowed, and what is published are looked up anew for each.
"""

from hashlib import sha256

from schedules_pipeline.delivery.routes.bounded_waits import BoundedWaits
from schedules_pipeline.delivery.routes.direct_answers import DirectAnswers, DirectRequest

_MOST_BYTES = 2_048
_REQUESTS_REMEMBERED = 8_192


class RequestMemory:
    """Requests that got a direct answer, by the SHA-256 of their bytes, so that no secret is kept. All are forgotten
    when there are too many.
    """

    def __init__(self, most: int = _REQUESTS_REMEMBERED) -> None:
        self._most = most
        self._requests: dict[bytes, DirectRequest] = {}

    def find(self, data: bytes) -> DirectRequest | None:
        return self._requests.get(sha256(data).digest()) if len(data) <= _MOST_BYTES else None

    def keep(self, data: bytes, request: DirectRequest) -> None:
        if len(data) <= _MOST_BYTES:
            if len(self._requests) >= self._most:
                self._requests.clear()
            self._requests[sha256(data).digest()] = request


class RepeatedRequests(BoundedWaits):
    """Looks up each read from the network that begins where a request has ended. ``memory``: of all connections.

    A request that is recognised does not reach the parser, which stays where the request before has left it, and
    starts no timer: that of the idle connection goes on, and is started again for the rest when it ends.
    """

    memory: RequestMemory
    _requests_begun = 0
    _repeated_at = 0.0

    def data_received(self, data: bytes) -> None:
        begins = self.is_between_requests
        request = self.memory.find(data) if begins else None
        if request is not None and self.answers(request):
            self.server_state.total_requests += 1
            self._repeated_at = self.loop.time()
            return
        self._requests_begun = 0
        super().data_received(data)
        if self.answered is not None and begins and self._requests_begun == 1 and self.is_between_requests:
            self.memory.keep(data, self.answered)

    def on_message_begin(self) -> None:
        self._requests_begun += 1
        super().on_message_begin()

    def timeout_keep_alive_handler(self) -> None:
        left = self._repeated_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()


def protocol_for(answers: DirectAnswers | None) -> type[RepeatedRequests]:
    """The protocol of a service's connections."""

    class Protocol(RepeatedRequests):
        direct = answers
        memory = RequestMemory()

    return Protocol
