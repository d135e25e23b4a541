"""The client library against the delivery service over fakes, without a network."""

from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
from delivery_stage import DeliveryStage
from schedules_client import Client, LocalCopy
from toy_world import FOCI, KEYS, RandomUpstream

ADDRESS = "http://service"


class Unplugged(Exception):
    """The client waits for something that will not come."""


class StageTransport(httpx.BaseTransport):
    """Requests become calls of the service. ``failures``: one for each request to come, None for an answer."""

    def __init__(self, stage: DeliveryStage) -> None:
        self._stage = stage
        self.failures: list[Exception | int | None] = []
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return httpx.Response(failure, headers={"Retry-After": "0"})
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        path = request.url.raw_path.decode()
        answer = self._stage.client(None).get(path, headers=headers | {"accept-encoding": "identity"})
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


def client_of(stage: DeliveryStage, store: Any) -> tuple[Client, StageTransport]:
    """A client with the key of ``acme``."""
    transport = StageTransport(stage)
    key = stage.client().headers["Authorization"].removeprefix("Bearer ")
    return Client(store, url=ADDRESS, key=key, transport=transport), transport


def published(stage: DeliveryStage) -> dict[str, Any]:
    """What the service would answer for each schedule."""
    keys = stage.store.schedules.documents(KEYS)
    return {str(key): stage.client().get(f"/v1/schedules/{key}").json() for key in keys}


def held(copy: LocalCopy) -> dict[str, Any]:
    return {f"{one.sid}/{one.date}": one.raw for one in copy.schedules()}


def changing(stage: DeliveryStage, seed: int, rounds: int) -> Iterator[int]:
    """Let three random changes happen in each round."""
    upstream = RandomUpstream(Random(seed), FOCI[0], troubled=False)
    for number in range(rounds):
        stage.publish([upstream.change() for _ in range(3)])
        stage.keep_up()
        yield number
