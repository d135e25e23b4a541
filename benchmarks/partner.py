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
        self._connection = http.client.HTTPConnection(LOOPBACK, port)
        self._connection.request("GET", "/v1/changes/stream", headers={"Authorization": f"Bearer {key}"})
        self._answer = self._connection.getresponse()
        if self._answer.status != http.HTTPStatus.OK:
            raise WrongResult(f"the stream of changes was answered with {self._answer.status}")
        self._thread = Thread(target=self._read, name="partner", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError, http.client.HTTPException):
            while line := self._answer.readline():
                if line.startswith(_EVENT):
                    now, change = time.time(), orjson.loads(line.removeprefix(_EVENT))
                    if "seq" in change:
                        self.readable_at[f"{change['sid']}/{change['date']}", change["seq"]] = now


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
