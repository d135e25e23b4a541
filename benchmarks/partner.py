"""A partner that waits for changes on a stream, and notes when each version was announced to it.

A version is announced after the delivery service has it in memory, so from then on every partner can read it.
"""

import http.client
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import orjson

from benchmarks.harness import WrongResult
from demo.delivery_service import DeliveryService
from demo.servers import LOOPBACK
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key

_ADMITTED_WITHIN_SECONDS = 30.0
_EVENT = b"data: "


class WaitingPartner:
    """``readable_at``: by schedule and sequence number, in seconds since 1970."""

    def __init__(self, port: int, key: str) -> None:
        self.readable_at: dict[tuple[str, int], float] = {}
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._answer = self._connect()
        Thread(target=self._read, name="partner", daemon=True).start()

    def _connect(self) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(LOOPBACK, self._port)
        connection.request("GET", "/v1/changes/stream", headers=self._headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise WrongResult(f"the stream of changes was answered with {answer.status}")
        return answer

    def _read(self) -> None:
        """Until the service ends. A stream also ends when an epoch of the keyspace begins, as by the first run."""
        with suppress(OSError, http.client.HTTPException):
            while True:
                while line := self._answer.readline():
                    if line.startswith(_EVENT):
                        now, change = time.time(), orjson.loads(line.removeprefix(_EVENT))
                        if "seq" in change:
                            self.readable_at[f"{change['sid']}/{change['date']}", change["seq"]] = now
                self._answer = self._connect()


@contextmanager
def waiting_partner(directory: Path, pipeline: Pipeline) -> Iterator[WaitingPartner]:
    """Start the delivery service, and a partner that waits until the block ends."""
    issued = issue_key(secrets.token_bytes(RANDOM_BYTES), utc_now())
    pipeline.store.partners.create(Partner("bench", utc_now(), is_preview=True, keys=(issued.key,)))
    with DeliveryService(directory / "delivery", {}) as service:
        until = time.monotonic() + _ADMITTED_WITHIN_SECONDS
        while not service.admits(issued.text):
            if time.monotonic() > until:
                raise WrongResult("the delivery service does not admit the partner")
            time.sleep(0.05)
        yield WaitingPartner(service.port, issued.text)
