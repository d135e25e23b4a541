"""Uvicorn's HTTP protocol, which gives direct answers itself and leaves all others to the application."""

import asyncio

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from schedules_pipeline.delivery.routes.direct_answers import DirectAnswers, DirectRequest, read_request


class AnsweringProtocol(HttpToolsProtocol):
    """Gives at most one direct answer for each read from the network, and none while another answer is being made or
    read, so that pipelined requests wait for each other, and for their reader, as in uvicorn.

    ``answered``: the request of the last read that has got a direct answer.
    """

    direct: DirectAnswers | None = None
    answered: DirectRequest | None = None
    _may_answer = False
    _is_of_proxy = False
    _common: tuple[object, bytes] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        proxies, client = self.app, self.client
        self._is_of_proxy = (
            isinstance(proxies, ProxyHeadersMiddleware)
            and client is not None
            and client[0] in proxies.trusted_hosts
        )

    def data_received(self, data: bytes) -> None:
        self._may_answer, self.answered = self.direct is not None, None
        super().data_received(data)

    def on_headers_complete(self) -> None:
        request = self._read_request() if self._may_answer else None
        if request is not None and self.answers(request):
            self._may_answer, self.answered = False, request
            self.on_response_complete()
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        # Without a cycle, all answers of the connection were direct.
        if self.cycle is not None:
            super().on_message_complete()

    def _read_request(self) -> DirectRequest | None:
        parser = self.parser
        if (
            parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
        ):
            return None
        return read_request(self.url, self.headers)

    def answers(self, request: DirectRequest) -> bool:
        """Whether the request has a direct answer, which is then sent."""
        if (
            self.direct is None
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
        ):
            return False
        scheme = (self._is_of_proxy and request.forwarded_scheme) or self.scheme or "http"
        answer = self.direct.find(request, scheme, self._common_lines())
        if answer is None:
            return False
        self.transport.write(answer)
        return True

    def _common_lines(self) -> bytes:
        """Those that uvicorn adds to every answer; it replaces them every second."""
        fields = self.server_state.default_headers
        if fields is not self._common[0]:
            self._common = fields, b"".join([b"%b: %b\r\n" % field for field in fields])
        return self._common[1]
