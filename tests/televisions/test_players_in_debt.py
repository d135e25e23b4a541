"""Players of a partner that owes tokens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from delivery.asking import Stage
from delivery.guides import NOON, key, schedule, showing
from starlette.testclient import TestClient

from schedules_pipeline.domain.identifiers import Sid


def test_players_do_not_add_to_a_large_debt() -> None:
    """Whoever owes a minute's tokens waits with every program, so that players that ask for ever other days cannot
    make the programs wait for hours.
    """
    stage = Stage()
    stage.publish(schedule(key(), [showing(1, NOON)]))
    stage.partners[0] = replace(stage.partners[0], requests_per_minute=100)
    stage.delivery.admission.refresh(stage.partners, {}, NOON)
    address = f"/players/{stage.client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"
    stage.client.get("/v1/services")
    stage.delivery.admission.charge(stage.partners[0], 200)

    owing = stage.client.get(address)
    stage.advance(timedelta(seconds=2))

    assert (owing.status_code, owing.headers["retry-after"]) == (429, "62")
    assert stage.client.get(address).status_code == 200


def test_an_old_client_waits_for_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP/1.0 gets its first byte when all is made, so pauses between the pieces would be silence."""
    stage = Stage()
    stage.publish(*(schedule(key(Sid(sid)), [showing(1, NOON)]) for sid in ("elm", "fir", "oak")))
    stage.partners[0] = replace(stage.partners[0], requests_per_minute=100)
    stage.delivery.admission.refresh(stage.partners, {}, NOON)
    stage.client.get("/v1/services")
    stage.delivery.admission.charge(stage.partners[0], 90)
    pauses: list[float] = []

    async def record(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("schedules_pipeline.delivery.routes.answering.sleep", record)
    address = f"/players/{stage.client.headers['Authorization'].removeprefix('Bearer ')}/guide.xml"
    application = cast("Any", stage.client.app)

    async def old(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "http_version": "1.0"}, receive, send)

    answer = TestClient(old).get(address)

    assert answer.status_code == 200
    assert "content-length" in answer.headers
    assert pauses == []
