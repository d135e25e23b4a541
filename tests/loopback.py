"""An HTTP server on the loopback interface that answers what a test gives it, in place of AWS."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from boto3.session import Session
from botocore.config import Config

S3_HEADERS = {"x-amz-request-id": "4442587FB7D0A2F9", "x-amz-id-2": "host"}
OBJECT_HEADERS = {**S3_HEADERS, "Last-Modified": "Sat, 28 Mar 2026 12:00:00 GMT", "ETag": '"9dd4e4"'}
JSON_HEADERS = {"x-amzn-RequestId": "4442587F", "Content-Type": "application/x-amz-json-1.0"}
HTML = b"<html><body><p>Log in</p></body></html>"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """``claimed_bytes``: the Content-Length, by default that of the body; None for none."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    claimed_bytes: int | None = -1


def s3_error(code: str, status: int, headers: Mapping[str, str] = S3_HEADERS) -> HttpAnswer:
    """An error in S3's form."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>m</Message></Error>'
    return HttpAnswer(status, body.encode(), {"Content-Type": "application/xml", **headers})


def json_answer(body: bytes, status: int = 200) -> HttpAnswer:
    """An answer of SQS or DynamoDB."""
    return HttpAnswer(status, body, JSON_HEADERS)


class Loopback:
    """``answer``: makes the answer to a request of this method, path and body."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Callable[[str, str, bytes], HttpAnswer] = lambda *_: HttpAnswer(500)
        self.requests: list[tuple[str, str, bytes]] = []
        self._clients: dict[str, Any] = {}

    def answers(self, answer: HttpAnswer) -> None:
        self.answer = lambda *_: answer

    def client(self, service: str) -> Any:
        """A client of boto3 that asks once. To make one takes longer than most tests, so each service has one."""
        if service not in self._clients:
            self._clients[service] = Session("key", "secret", region_name="eu-west-1").client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.url,
                config=Config(retries={"mode": "standard", "max_attempts": 1}, read_timeout=60),
            )
        return self._clients[service]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state.requests.append((self.command, self.path, body))
        answer = state.answer(self.command, self.path, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        claimed = len(answer.body) if answer.claimed_bytes == -1 else answer.claimed_bytes
        if claimed is not None:
            self.send_header("Content-Length", str(claimed))
        self.close_connection = claimed != len(answer.body)
        self.end_headers()
        if answer.status not in (204, 304) and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the base class

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            # The client has given up.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    state: Loopback


@contextmanager
def loopback() -> Iterator[Loopback]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = Loopback(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
