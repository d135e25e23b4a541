"""A partner's receiver of webhooks: it verifies the signature of each posted event and keeps the event.

A partner would write this part itself. It uses only the calculation of a signature from the pipeline.
"""

import hmac
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from demo.servers import LOOPBACK
from schedules_pipeline.push.webhook_event import BATCH
from schedules_pipeline.push.webhook_signature import sign

_PATH = "/changes"
_TOLERANCE = timedelta(minutes=5)
"""How old a signature may be. It limits the time in which a recorded request can be replayed."""
_MAX_BYTES = 100_000
_MAX_IDS = 10_000
_MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Received:
    """One event. ``key``: the schedule as ``sid/date``; "" for an event about the whole feed."""

    kind: str
    key: str
    seq: int
    after: timedelta


class Rejected(Exception):
    """The request was not signed by the trusted sender."""


class WebhookReceiver:
    """Listens in threads of this process for the length of a ``with`` block.

    It rejects every request until :meth:`trust` has given it the secret.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._secret: bytes | None = None
        self._lock = Lock()
        self._received: list[Received] = []
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler_for(self), bind_and_activate=True)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}{_PATH}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, name="webhook receiver", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trust(self, secret: bytes) -> None:
        self._secret = secret

    def drain(self) -> list[Received]:
        """Return the events since the last call, in order. Of more than 10,000 the oldest are dropped."""
        with self._lock:
            received, self._received = self._received, []
        return received

    def receive(self, headers: dict[str, str], body: bytes) -> None:
        """Verify and keep the events whose ids are not known. Raises Rejected if the signature is not valid."""
        now = self._clock()
        self._verify(headers, body, now)
        events = _events(body)
        with self._lock:
            for event in events:
                if event["id"] not in self._ids:
                    self._ids[event["id"]] = None
                    self._received.append(_read(event, now))
            del self._received[:-_MAX_KEPT]
            while len(self._ids) > _MAX_IDS:
                self._ids.popitem(last=False)

    def _verify(self, headers: dict[str, str], body: bytes, now: datetime) -> None:
        try:
            event_id, seconds = headers["webhook-id"], int(headers["webhook-timestamp"])
            signatures = headers["webhook-signature"].split(" ")
        except (KeyError, ValueError):
            raise Rejected("not signed") from None
        if abs(now.timestamp() - seconds) > _TOLERANCE.total_seconds():
            raise Rejected("signed too long ago, or in the future")
        if self._secret is None:
            raise Rejected("no secret is trusted yet")
        expected = sign(self._secret, event_id, seconds, body).encode()
        if not any(hmac.compare_digest(expected, signature.encode()) for signature in signatures):
            raise Rejected("signed with another secret")


def _events(body: bytes) -> list[dict[str, Any]]:
    """The events of a request, alone or in a batch, in either envelope."""
    message = json.loads(body)
    if isinstance(message, list):
        return message
    return message["data"]["events"] if message["type"] == BATCH else [message]


def _read(event: dict[str, Any], now: datetime) -> Received:
    data, at = event["data"], datetime.fromisoformat(event.get("timestamp") or event["time"])
    key = f"{data['sid']}/{data['date']}" if "sid" in data else ""
    return Received(event["type"], key, data.get("seq", 0), now - at)


def _handler_for(receiver: WebhookReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if self.path != _PATH or not size.isdecimal() or int(size) > _MAX_BYTES:
                self._answer(HTTPStatus.BAD_REQUEST)
                self.close_connection = True
                return
            body = self.rfile.read(int(size))
            try:
                receiver.receive({name.lower(): value for name, value in self.headers.items()}, body)
            except Rejected:
                self._answer(HTTPStatus.UNAUTHORIZED)
            else:
                self._answer(HTTPStatus.NO_CONTENT)

        def _answer(self, status: HTTPStatus) -> None:
            self.send_response(status)
            if status is not HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Print nothing; the demonstration prints received events."""

    return Handler
