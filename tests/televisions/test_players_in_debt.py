"""Players of a partner that owes tokens."""

from dataclasses import replace
from datetime import timedelta

from delivery.asking import Stage
from delivery.guides import NOON, key, schedule, showing


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
