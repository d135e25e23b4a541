"""The program in the documents for partners' developers holds the published state."""

from random import Random
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import FOCI, KEYS, RandomUpstream, ScheduleRemoved

from docs.site.pages import REPOSITORY

_PROGRAM = (REPOSITORY / "clients/python/examples/follow.py").read_text()


class Partner:
    """Runs the program against the delivery service, without waiting for changes."""

    def __init__(self, stage: DeliveryStage) -> None:
        self._names: dict[str, Any] = {"__name__": "follow"}
        exec(_PROGRAM, self._names)
        self._names["get"] = self._get
        self._stage = stage
        self._cursor: str | None = None
        self.held: dict[str, Any] = {}

    def follow(self, rounds: int) -> None:
        self._cursor = self._cursor or self._names["start"](self.held)
        for _ in range(rounds):
            self._cursor = self._names["follow"](self.held, self._cursor)

    def _get(self, path: str) -> tuple[int, Any]:
        answer = self._stage.client().get(path.replace("wait=30", "wait=0"))
        return answer.status_code, answer.json()


@pytest.mark.parametrize("seed", range(5))
def test_client_of_the_document_holds_what_is_published(seed: int) -> None:
    """After random changes, a removal, and a new feed that refuses every cursor."""
    stage = DeliveryStage(seed)
    upstream = RandomUpstream(Random(seed), FOCI[0], troubled=False)
    partner = Partner(stage)
    for round_number in range(6):
        stage.publish([upstream.change() for _ in range(3)])
        if round_number == 3:
            stage.publish([ScheduleRemoved(KEYS[0])])
            stage.store.coldstarts.renew_epoch("another")
        stage.keep_up()

        partner.follow(rounds=3)

        published = stage.store.schedules.documents(KEYS)
        assert partner.held == {
            str(key): stage.client().get(f"/v1/schedules/{key}").json() for key in published
        }


@pytest.mark.parametrize("page", ["tutorial.md", "partners/follow.md"])
def test_documents_show_the_program(page: str) -> None:
    """The program that is tested is the one that readers see."""
    assert f"```python\n{_PROGRAM}```\n" in (REPOSITORY / "docs" / page).read_text()
