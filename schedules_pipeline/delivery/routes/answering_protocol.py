"""Uvicorn's HTTP protocol, which gives direct answers itself and leaves all others to the application."""

import asyncio

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from schedules_pipeline.delivery.routes.direct_answers import DirectAnswers

_SCHEMES = (b"http", b"https")


class AnsweringProtocol(HttpToolsProtocol):
    """Gives at most one direct answer for each read from the network, and none while another answer is being made or
    read, so that pipelined requests wait for each other, and for their reader, as in uvicorn.
    """

    direct: DirectAnswers | None = None
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
        self._may_answer = self.direct is not None
        super().data_received(data)

    def on_headers_complete(self) -> None:
        if self._may_answer and self._answers():
            self._may_answer = False
            self.on_response_complete()
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        # Without a cycle, all answers of the connection were direct.
        if self.cycle is not None:
            super().on_message_complete()

    def _answers(self) -> bool:
        """Whether the request has a direct answer, which is then sent."""
        parser = self.parser
        if (
            self.direct is None
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
        ):
            return False
        answer = self.direct.find(self.url, self.headers, self._requested_scheme(), self._common_lines())
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

    def _requested_scheme(self) -> str:
        """As a trusted proxy says; otherwise that of the connection."""
        if self._is_of_proxy:
            for name, value in self.headers:
                if name == b"x-forwarded-proto" and value.strip() in _SCHEMES:
                    return value.strip().decode()
        return self.scheme or "http"
