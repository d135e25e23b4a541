"""A proxy on loopback between the pipeline and the AWS emulator, which can imitate a bad network or service."""

import http.client
import threading
from collections.abc import Mapping
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from demo.servers import LOOPBACK

_ANSWER_WITHIN_SECONDS = 60.0
_SLOW_SECONDS = 1.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""


class Behaviour(Enum):
    """How the proxy treats requests while this is set."""

    PASS = auto()
    """It is answered as the service answers."""
    SLOW = auto()
    """It is answered, a second late."""
    UNAVAILABLE = auto()
    """It is answered with 503, and does not reach the service."""
    UNREACHABLE = auto()
    """The connection is closed before the request reaches the service."""
    CUT = auto()
    """It has its effect, and the connection is closed in the middle of the answer."""


class Proxy:
    """Forwards to ``port`` on loopback within a ``with`` block; its behaviour may change at any time."""

    def __init__(self, port: int) -> None:
        self.behaviour = Behaviour.PASS
        self.struck = 0
        """How many requests were not simply passed."""
        self.is_over = threading.Event()
        self._upstream = port
        self._server = _Server((LOOPBACK, 0), type("Handler", (_Handler,), {"proxy": self}))

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Forward the request to the service."""
        connection = http.client.HTTPConnection(LOOPBACK, self._upstream, timeout=_ANSWER_WITHIN_SECONDS)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return (
                reply.status,
                [h for h in reply.getheaders() if h[0].lower() not in _HOP_BY_HOP],
                reply.read(),
            )
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A disconnected client is not worth a message."""


class _Handler(BaseHTTPRequestHandler):
    """One connection. Each request is treated according to the current behaviour."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def parse_request(self) -> bool:
        """One function handles every method."""
        if not super().parse_request():
            return False
        setattr(self, f"do_{self.command}", self._deal)
        return True

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _deal(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        behaviour = self.proxy.behaviour
        self.proxy.struck += behaviour is not Behaviour.PASS
        match behaviour:
            case Behaviour.UNREACHABLE:
                self.close_connection = True
            case Behaviour.UNAVAILABLE:
                self._answer((HTTPStatus.SERVICE_UNAVAILABLE, [], b""))
            case Behaviour.SLOW:
                self.proxy.is_over.wait(_SLOW_SECONDS)
                self._pass_on(body)
            case _:
                self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        try:
            answer = self.proxy.ask(self.command, self.path, dict(self.headers.items()), body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        # Read after the answer: a long poll may have begun before the behaviour changed.
        self._answer(answer, cut=self.proxy.behaviour is Behaviour.CUT)

    def _answer(self, answer: Answer, *, cut: bool = False) -> None:
        status, headers, body = answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        # A cut answer announces more bytes than it has, also if it is empty.
        self.send_header("Content-Length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut
